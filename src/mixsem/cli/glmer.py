"""What ``mixsem glmer`` does: read, fit, print, write."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import OptionError
from .console import progress_bar
from .glmer_parser import FAMILY_NAMES, LINK_NAMES
from .mixed import MixedInput, MixedOutcome, mixed_input, run_mixed
from .step1 import one_of

if TYPE_CHECKING:
    from ..report.document import Summary
    from ..report.generalised_report import GeneralisedResults

__all__ = ["GlmerOptions", "glmer_options", "run_glmer"]


@dataclass(frozen=True, slots=True)
class GlmerOptions:
    """Everything the command was asked to do; the names are those of `mixsem.glmer` and its companions."""

    given: MixedInput
    family: str
    link: str | None
    n_agq: int
    profile: bool
    anova: bool


def glmer_options(arguments: argparse.Namespace, command: str = "") -> GlmerOptions:
    """Validate the arguments; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a file is not there.
    """
    given = mixed_input(arguments, command)
    one_of("--family", arguments.family.replace("-", " ").replace("_", " ").lower(), FAMILY_NAMES)
    if arguments.link is not None:
        one_of("--link", arguments.link, LINK_NAMES)
    if arguments.n_agq < 0:
        raise OptionError(f"--n-agq {arguments.n_agq}", allowed="0, 1, or more nodes", todo="leave it out")
    if arguments.profile and arguments.n_agq == 0:
        raise OptionError("--profile came with --n-agq 0", todo="leave --n-agq out")
    return GlmerOptions(
        given=given,
        family=arguments.family,
        link=arguments.link,
        n_agq=arguments.n_agq,
        profile=arguments.profile,
        anova=arguments.anova,
    )


def run_glmer(options: GlmerOptions) -> None:
    """Fit the model, write the files if a folder was named, print the summary."""
    run_mixed(options.given, lambda: _outcome(options))


def _outcome(options: GlmerOptions) -> MixedOutcome:
    from ..data.files import read_table
    from ..guided.files import told_of
    from ..mixed.formulas.formula import parse_formula
    from ..mixed.generalised.family_choice import as_family
    from ..mixed.generalised.glmer import GeneralisedMixedModel
    from ..report.generalised_report import generalised_json, generalised_results
    from ..report.mixed_record import label_columns

    given = options.given
    model = GeneralisedMixedModel(given.formula, as_family(options.family, options.link), options.n_agq)
    table = read_table(given.data, label_columns(parse_formula(given.formula), None))
    fit = model.fit(table, weights=given.weights, offset=given.offset)
    with progress_bar(1, quiet=given.output.quiet) as progress:
        results = generalised_results(
            fit,
            profile=options.profile,
            anova=options.anova,
            weights=given.weights,
            offset=given.offset,
            progress=progress,
        )
    return MixedOutcome(
        fit,
        told_of(fit, results),
        table,
        lambda: _summary(results),
        lambda: generalised_json(results, title=given.output.title),
    )


def _summary(results: GeneralisedResults) -> Summary:
    from ..report.generalised_summary import generalised_summary

    shown = generalised_summary(results.fit, ())
    return replace(shown, parts=(*shown.parts, *results.tables))
