"""What ``mixsem lmer`` does: read, fit, print, write."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import OptionError
from .console import progress_bar
from .lmer_parser import CONFINT_METHODS, DDF_METHODS, OPTIMIZERS
from .mixed import MixedInput, MixedOutcome, column_name, mixed_input, run_mixed
from .step1 import one_of

if TYPE_CHECKING:
    from ..mixed.linear import LinearMixedModel
    from ..report.document import Summary
    from ..report.mixed_results import MixedResults

__all__ = ["LmerOptions", "lmer_options", "run_lmer"]


@dataclass(frozen=True, slots=True)
class LmerOptions:
    """Everything the command was asked to do; the names are those of `mixsem.lmer` and its companions."""

    given: MixedInput
    reml: bool
    ddf: str | None
    confint: str | None
    anova: bool
    by: str | None
    ar1: tuple[str, str] | None
    optimizer: str


def lmer_options(arguments: argparse.Namespace, command: str = "") -> LmerOptions:
    """Validate the arguments; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a file is not there.
    """
    for option, value, allowed in (
        ("--ddf", arguments.ddf, DDF_METHODS),
        ("--confint", arguments.confint, CONFINT_METHODS),
        ("--optimizer", arguments.optimizer, OPTIMIZERS),
    ):
        if value is not None:
            one_of(option, value, allowed)
    given = mixed_input(arguments, command)
    _refuse_combinations(arguments)
    group, time = (column_name("--ar1", name) for name in arguments.ar1 or (None, None))
    return LmerOptions(
        given=given,
        reml=not arguments.ml,
        ddf=arguments.ddf,
        confint=arguments.confint,
        anova=arguments.anova,
        by=column_name("--residual-by", arguments.residual_by),
        ar1=None if group is None or time is None else (group, time),
        optimizer=arguments.optimizer,
    )


def _refuse_combinations(arguments: argparse.Namespace) -> None:
    """Name what does not go together before the data are read."""
    residual = next((f"--{o}" for o in ("residual-by", "ar1") if getattr(arguments, o.replace("-", "_"))), "")
    for given, other, allowed, todo in (
        ("--ddf kenward-roger", arguments.ml and "--ml", "fits by REML", "leave --ml out, or use --ddf satterthwaite"),
        ("--ddf kenward-roger", residual, "independent residuals of one variance", "use --ddf satterthwaite"),
        ("--confint profile", residual, "independent residuals of one variance", "use --confint wald"),
        *((f"--optimizer {name}", residual, OPTIMIZERS[0], "leave --optimizer out") for name in OPTIMIZERS[1:]),
    ):
        option, _, value = given.partition(" ")
        if other and getattr(arguments, option.lstrip("-")) == value:
            raise OptionError(f"{given} came with {other}", allowed=allowed, todo=todo)


def run_lmer(options: LmerOptions) -> None:
    """Fit the model, write the files if a folder was named, print the summary."""
    run_mixed(options.given, lambda: _outcome(options))


def _outcome(options: LmerOptions) -> MixedOutcome:
    from ..data.files import read_table
    from ..mixed.formulas.formula import parse_formula
    from ..report.mixed_record import label_columns, mixed_json
    from ..report.mixed_results import mixed_results

    given, specification = options.given, _specification(options)
    table = read_table(given.data, label_columns(parse_formula(given.formula), specification.residual))
    fit = specification.fit(table, weights=given.weights, offset=given.offset)
    with progress_bar(1, quiet=given.output.quiet) as progress:
        results = mixed_results(
            fit,
            ddf=options.ddf,  # type: ignore[arg-type]
            confint=options.confint,  # type: ignore[arg-type]
            anova=options.anova,
            weights=given.weights,
            offset=given.offset,
            progress=progress,
        )
    return MixedOutcome(
        fit, results, table, lambda: _summary(results), lambda: mixed_json(results, title=given.output.title)
    )


def _summary(results: MixedResults) -> Summary:
    from ..report.mixed_summary import mixed_summary

    shown = mixed_summary(results.fit, (), results.inference)
    return replace(shown, parts=(*shown.parts, *results.tables))


def _specification(options: LmerOptions) -> LinearMixedModel:
    from ..mixed.engine.optimise import Optimizer
    from ..mixed.linear import LinearMixedModel
    from ..mixed.structure.residual_structure import Residual

    residual = None if options.by is None and options.ar1 is None else Residual(by=options.by, ar1=options.ar1)
    optimizer = Optimizer(method=options.optimizer)  # type: ignore[arg-type]
    return LinearMixedModel(options.given.formula, options.reml, optimizer, residual)
