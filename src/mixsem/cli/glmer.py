"""What ``mixsem glmer`` does: read, fit, print, write."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OptionError
from ..report.folder import check_folder
from ..report.names import MIXED_FILES
from .console import progress_bar, short_warnings
from .glmer_parser import FAMILY_NAMES, LINK_NAMES
from .lmer import column_name, data_file, require_formula, spare_input
from .options import ModelText
from .step1 import one_of
from .wording import about_model

if TYPE_CHECKING:
    from ..data.columns import FrameLike
    from ..report.generalised_report import GeneralisedResults

__all__ = ["GlmerOptions", "glmer_options", "run_glmer"]


@dataclass(frozen=True, slots=True)
class GlmerOptions:
    """Everything the command was asked to do; the names are those of `mixsem.glmer` and its companions."""

    formula: str
    data: Path
    family: str
    link: str | None
    n_agq: int
    weights: str | None
    offset: str | None
    profile: bool
    anova: bool
    json: bool
    out: Path | None
    title: str
    quiet: bool
    command: str


def glmer_options(arguments: argparse.Namespace, command: str = "") -> GlmerOptions:
    """Validate the arguments; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a file is not there.
    """
    require_formula(arguments.formula, arguments.data)
    one_of("--family", arguments.family.replace("-", " ").replace("_", " ").lower(), FAMILY_NAMES)
    if arguments.link is not None:
        one_of("--link", arguments.link, LINK_NAMES)
    if arguments.n_agq < 0:
        raise OptionError(f"--n-agq {arguments.n_agq}", allowed="0, 1, or more nodes", todo="leave it out")
    for wrong, got, todo in (
        (arguments.json and arguments.quiet, "--json came with --quiet", "leave one of them out"),
        (arguments.profile and arguments.n_agq == 0, "--profile came with --n-agq 0", "leave --n-agq out"),
        (arguments.out is not None and not arguments.out.strip(), "--out is empty", "name a folder"),
    ):
        if wrong:
            raise OptionError(got, todo=todo)
    return GlmerOptions(
        formula=arguments.formula,
        data=data_file(arguments.data),
        family=arguments.family,
        link=arguments.link,
        n_agq=arguments.n_agq,
        weights=column_name("--weights", arguments.weights),
        offset=column_name("--offset", arguments.offset),
        profile=arguments.profile,
        anova=arguments.anova,
        json=arguments.json,
        out=None if arguments.out is None else Path(arguments.out),
        title=arguments.title,
        quiet=arguments.quiet,
        command=command,
    )


def run_glmer(options: GlmerOptions) -> None:
    """Fit the model, write the files if a folder was named, print the summary."""
    if options.out is not None:
        check_folder(options.out, MIXED_FILES)
        spare_input(options.out, options.data)
    with short_warnings(quiet=options.quiet):
        results, table = _results(options)
        if options.out is not None:
            from ..guided.entry import report_of
            from ..guided.files import told_of

            told = {"title": options.title, "source": options.data.name, "command": options.command}
            report_of(told_of(results.fit, results), table, **told).save(options.out)
    _print(results, options)


def _results(options: GlmerOptions) -> tuple[GeneralisedResults, FrameLike]:
    """What is told of the fit, and the table."""
    from ..data.files import read_table
    from ..mixed.formulas.formula import parse_formula
    from ..mixed.generalised.family_choice import as_family
    from ..mixed.generalised.glmer import GeneralisedMixedModel
    from ..report.generalised_report import generalised_results
    from ..report.mixed_record import label_columns

    with about_model(ModelText("formula", options.formula)):
        family = as_family(options.family, options.link)
        model, formula = GeneralisedMixedModel(options.formula, family, options.n_agq), parse_formula(options.formula)
        table = read_table(options.data, label_columns(formula, None))
        fit = model.fit(table, weights=options.weights, offset=options.offset)
    with progress_bar(1, quiet=options.quiet) as progress:
        results = generalised_results(
            fit,
            profile=options.profile,
            anova=options.anova,
            weights=options.weights,
            offset=options.offset,
            progress=progress,
        )
    return results, table


def _print(results: GeneralisedResults, options: GlmerOptions) -> None:
    """The summary, or JSON, or where the results are."""
    if options.json:
        from ..report.generalised_report import generalised_json

        print(generalised_json(results, title=options.title), end="")
        return
    if options.quiet:
        if options.out is not None:
            print(options.out)
        return
    from ..report.generalised_summary import generalised_summary

    shown = generalised_summary(results.fit, ())  # stderr has the warnings already
    shown = replace(shown, parts=(*shown.parts, *results.tables))
    print(shown.to_text(shutil.get_terminal_size((100, 24)).columns))
    if options.out is not None:
        print(f"\nResults in {options.out}: {', '.join(MIXED_FILES)}")
