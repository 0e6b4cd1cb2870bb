"""A Bayesian measurement model as plain data: its part of ``fit.json``, and its call as Python code."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, fields

from ..bayes.draws import DEFAULT_SAMPLING, Sampling
from ..bayes.priors import Priors, as_priors
from ..measurement.bayes_fit import BayesianFit
from ..measurement.mgbcfa import MGBCFA
from ..measurement.mlcfa import MLCFA
from .bayesian_section import BayesianDetails
from .bayesian_words import package_versions

__all__ = ["bayesian_arguments", "bayesian_record", "bayesian_settings"]

Record = dict[str, object]

#: Diagnostics of a block that go into the record: not the time it took, so that the same fit gives the same file.
KEPT = ("quantities", "rhat", "ess_bulk", "ess_tail", "worst", "divergences", "at_max_depth", "ebfmi")


def bayesian_settings(measurement: BayesianFit) -> Record:
    """Every option of the measurement model."""
    model = measurement.specification
    own: Record = {
        "group": measurement.moments.group,
        "blocks": model.blocks,
        "priors": model.priors if isinstance(model.priors, str) else "given",
        "means": model.means,
        "step1_method": model.method,
        "sampling": {name: value for name, value in asdict(model.sampling).items() if name != "cores"},
    }
    if isinstance(model, MLCFA):
        return own | {"random": model.random}
    return own | {"prior_variance": model.prior_variance, "symmetric": model.symmetric, "reference": model.reference}


def bayesian_record(measurement: BayesianFit, details: BayesianDetails) -> Record:
    """Sampling, fit and priors.

    Parameters
    ----------
    measurement
        The measurement model.
    details
        What was computed from its draws.
    """
    choice, found = measurement.prior_choice, details.diagnostics.frame.to_dict("records")
    blocks = [
        {
            "factors": block.factors,
            "items": block.items,
            "diagnostics": {name: row[name] for name in KEPT},
            **{name: value for name, value in own.to_dict().items() if name != "block"},
        }
        for block, row, own in zip(measurement.blocks, found, details.measures.blocks, strict=True)
    ]
    return {
        "converged": measurement.converged,
        "n_dropped": measurement.moments.n_dropped.sum(),
        "n_chains": details.diagnostics.n_chains,
        "n_draws": details.diagnostics.n_draws,
        "priors": _spelled(as_priors(measurement.specification.priors)),
        "packages": package_versions(),
        "prior_choice": None if choice is None else [_candidate(c) for c in choice.candidates],
        "blocks": blocks,
        "total": {name: value for name, value in details.measures.total.to_dict().items() if name != "block"},
        "warnings": [notice.to_dict() for notice in details.measures.notices],
    }


def _candidate(candidate: object) -> Record:
    return asdict(candidate)  # type: ignore[call-overload]


def _spelled(priors: Priors) -> Record:
    """Every prior by name, as its distribution and the numbers of it."""
    spelled: Record = {}
    for field in fields(priors):
        value = getattr(priors, field.name)
        spelled[field.name] = (
            value if isinstance(value, str) else {"distribution": type(value).__name__, **asdict(value)}
        )
    return spelled


def bayesian_arguments(measurement: BayesianFit) -> dict[str, str] | None:
    """Arguments of `mixml_sem` or `mixmg_bsem`, as code, that are not at their default; None if there is no such call.

    Parameters
    ----------
    measurement
        The measurement model.
    """
    model = measurement.specification
    values = {field.name: (getattr(model, field.name), field.default) for field in fields(model)}
    changed = {name: value for name, (value, default) in values.items() if value != default}
    changed.pop("measurement")
    if "means" in changed:
        return None
    code: dict[str, str] = {}
    for name, value in changed.items():
        text = _code(value)
        if text is None:
            return None
        code[name] = text
    if isinstance(model, MGBCFA) and not _is_plain(model.reference):
        return None
    return {name: text for name, text in code.items() if text}


def _code(value: object) -> str | None:
    """A value as Python writes it, with names as they are after ``import mixsem as mx``."""
    if isinstance(value, Priors):
        usual = Priors()
        own = {
            f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != getattr(usual, f.name)
        }
        parts = (
            f"{name}={prior!r}" if isinstance(prior, str) else f"{name}=mx.bayes.{prior!r}"
            for name, prior in own.items()
        )
        return f"mx.Priors({', '.join(parts)})"
    if isinstance(value, Sampling):
        names = [f.name for f in fields(value) if f.name != "cores"]
        own = {n: getattr(value, n) for n in names if getattr(value, n) != getattr(DEFAULT_SAMPLING, n)}
        return f"mx.Sampling({', '.join(f'{n}={v!r}' for n, v in own.items())})" if own else ""
    return repr(dict(value)) if isinstance(value, Mapping) else repr(value)


def _is_plain(label: Hashable | None) -> bool:
    """Whether a label can be written into code as it prints."""
    return label is None or type(label) in (str, int, float, bool)
