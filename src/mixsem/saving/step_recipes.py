"""Recipes of structural equation models and of the three steps: parameter tables are stored, matrices made again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from .parameters import Fields, require_parameters

if TYPE_CHECKING:
    from ..equations.compiled import CompiledSEM
    from ..measurement.bayes_fit import BayesianBlock, BayesianFit
    from ..measurement.fit import BlockFit, MeasurementFit
    from ..multilevel.fit import MultilevelFit

MEASUREMENT = ("specification", "moments", "factors", "items", "Lambda", "Theta", "Phi", "blocks", "notices")
BAYESIAN = (*MEASUREMENT, "prior_choice")
MULTILEVEL = ("specification", "moments", "path", "block", "notices")
#: What the file has of a block by maximum likelihood, of one with ordered items besides, and of a block of draws.
_BLOCK = ("factors", "items", "table", "optimum", "measures")
_ORDERED = ("ordered", "test", "robust")
_DRAWN = ("factors", "items", "table", "draws", "values", "scores", "loglik")


def chosen(value: Any, names: tuple[str, ...]) -> Fields:
    """Some attributes of an object, by name."""
    return {name: getattr(value, name) for name in names}


def compiled_sem_apart(compiled: CompiledSEM) -> Fields:
    """Estimator, data and table; matrices, loss and constraints follow."""
    kept = {"estimator": compiled.estimator.name, "data": compiled.data, "table": compiled.table}
    return kept | {"parameters": compiled.model.names}


def compiled_sem_together(fields: Fields) -> CompiledSEM:
    """Compile again."""
    from ..equations.compiled import CompiledSEM
    from ..equations.estimators import estimator_of
    from ..equations.losses import loss_of
    from ..model.constraints import compile_constraints
    from ..model.matrices import compile_table

    estimator, data, table = estimator_of(fields["estimator"]), fields["data"], fields["table"]
    model = compile_table(table, data.groups)
    require_parameters(fields["parameters"], model.names)
    loss = loss_of(estimator, model, data, table.covariates)
    return CompiledSEM(estimator, data, table, model, loss, compile_constraints(table, model))


def measurement_apart(fit: MeasurementFit) -> Fields:
    """Tables and estimates of the blocks; their matrices follow."""
    return chosen(fit, MEASUREMENT) | {"blocks": tuple(_block_apart(block) for block in fit.blocks)}


def _block_apart(block: BlockFit) -> Fields:
    from ..measurement.ordinal import OrderedBlock

    kept = chosen(block, (*_BLOCK, *_ORDERED) if isinstance(block, OrderedBlock) else _BLOCK)
    return kept | {"parameters": block.model.names}


def measurement_together(fields: Fields) -> MeasurementFit:
    """Compile the blocks again."""
    from ..measurement.fit import MeasurementFit

    groups = fields["moments"].groups
    blocks = tuple(_block_together(block, groups) for block in fields["blocks"])
    return MeasurementFit(**{**fields, "blocks": blocks})


def _block_together(fields: Fields, groups: tuple[Hashable, ...]) -> BlockFit:
    from ..measurement.fit import BlockFit
    from ..measurement.ordinal import OrderedBlock
    from ..model.matrices import compile_table

    model = compile_table(fields["table"], groups)
    require_parameters(fields["parameters"], model.names)
    kept = {name: fields[name] for name in _BLOCK}
    if "robust" in fields:
        return OrderedBlock(model=model, **kept, **{name: fields[name] for name in _ORDERED})
    return BlockFit(model=model, **kept)


def bayesian_apart(fit: BayesianFit) -> Fields:
    """Tables, roles and draws; the compiled posteriors follow."""
    return chosen(fit, BAYESIAN) | {"blocks": tuple(_drawn_apart(block) for block in fit.blocks)}


def _drawn_apart(block: BayesianBlock) -> Fields:
    return chosen(block, _DRAWN) | {"roles": block.posterior.roles, "parameters": block.posterior.names}


def bayesian_together(fields: Fields) -> BayesianFit:
    """Compile the posteriors again."""
    from ..measurement.bayes_fit import BayesianFit

    blocks = tuple(_drawn_together(block, fields) for block in fields["blocks"])
    return BayesianFit(**{**fields, "blocks": blocks})


def multilevel_apart(fit: MultilevelFit) -> Fields:
    """As `bayesian_apart`."""
    return chosen(fit, MULTILEVEL) | {"block": _drawn_apart(fit.block)}


def multilevel_together(fields: Fields) -> MultilevelFit:
    """As `bayesian_together`."""
    from ..multilevel.fit import MultilevelFit

    return MultilevelFit(**{**fields, "block": _drawn_together(fields["block"], fields)})


def _drawn_together(block: Fields, fit: Fields) -> BayesianBlock:
    from ..bayes.estimate import compile_posterior
    from ..bayes.priors import as_priors
    from ..measurement.bayes_fit import BayesianBlock

    specification, roles = fit["specification"], block["roles"]
    posterior = compile_posterior(
        block["table"], fit["moments"], lambda _, e: roles[e], as_priors(specification.priors), specification.means
    )
    require_parameters(block["parameters"], posterior.names)
    return BayesianBlock(posterior=posterior, **{name: block[name] for name in _DRAWN})
