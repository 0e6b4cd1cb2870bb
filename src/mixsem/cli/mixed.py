"""What ``mixsem lmer`` and ``mixsem glmer`` have in common: formula and table in, files and summary out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.archive import SUFFIXES
from ..errors import OptionError
from .console import short_warnings
from .options import ModelText
from .output import Output, check_output, output_options, print_outcome, save_fit
from .wording import about_model

if TYPE_CHECKING:
    from ..data.columns import FrameLike
    from ..mixed.require import AnyFit
    from ..report.document import Summary
    from ..report.mixed_results import MixedResults

__all__ = ["MixedInput", "MixedOutcome", "column_name", "mixed_input", "run_mixed"]

_EXAMPLE = 'a formula in quotation marks, such as "y ~ x + (x | g)"'


@dataclass(frozen=True, slots=True)
class MixedInput:
    """Formula, table, columns with weights and offset, and where results go."""

    formula: str
    data: Path
    weights: str | None
    offset: str | None
    output: Output


@dataclass(frozen=True)
class MixedOutcome:
    """What a command made of it.

    Attributes
    ----------
    fit
        The fit.
    told
        What the report tells of it.
    table
        The table.
    summary, json
        Make what is printed.
    """

    fit: AnyFit
    told: MixedResults
    table: FrameLike
    summary: Callable[[], Summary]
    json: Callable[[], str]


def mixed_input(arguments: argparse.Namespace, command: str) -> MixedInput:
    """Validate formula, table and columns.

    Raises
    ------
    OptionError
        If one of them is empty, or the table is not there.
    """
    _require_formula(arguments.formula, arguments.data)
    return MixedInput(
        formula=arguments.formula,
        data=_table(arguments.data),
        weights=column_name("--weights", arguments.weights),
        offset=column_name("--offset", arguments.offset),
        output=output_options(arguments, command),
    )


def run_mixed(given: MixedInput, fit: Callable[[], MixedOutcome]) -> None:
    """Fit the model, write the files if a folder was named, print the summary.

    Parameters
    ----------
    given
        What was asked for.
    fit
        Reads the table and fits the model.
    """
    from ..report.names import MIXED_FILES

    output = given.output
    check_output(output, MIXED_FILES, [given.data])
    with short_warnings(quiet=output.quiet):
        with about_model(ModelText("formula", given.formula)):
            outcome = fit()
        if output.out is not None:
            from ..guided.entry import report_of

            told = {"title": output.title, "source": given.data.name, "command": output.command}
            report_of(outcome.told, outcome.table, **told).save(output.out)
        save_fit(outcome.fit, output)
    print_outcome(output, MIXED_FILES, lambda: [outcome.summary()], outcome.json)


def _require_formula(formula: str, data: str) -> None:
    """Find out what cannot be a formula, the data in its place above all."""
    if "~" in data and "~" not in formula:
        raise OptionError(
            f"FORMULA: {formula!r} has no '~', but DATA has", todo="the formula comes first, then the data"
        )
    if not formula.strip():
        raise OptionError("FORMULA is empty", allowed=_EXAMPLE)


def _table(text: str) -> Path:
    """The path of a table."""
    path = Path(text)
    if path.name.lower().endswith(SUFFIXES):
        raise OptionError(
            f"DATA: {text} holds moments, it seems",
            allowed="a table with one row per observation",
            todo="name the table that the moments came from",
        )
    if not path.is_file():
        raise OptionError(f"DATA: there is no file {text}", todo="check the path")
    return path


def column_name(option: str, name: str | None) -> str | None:
    """A column's name, which must not be empty.

    Raises
    ------
    OptionError
        If it is.
    """
    if name is not None and not name.strip():
        raise OptionError(f"{option} is empty", allowed="the name of a column", todo=f"name it, or leave {option} out")
    return name
