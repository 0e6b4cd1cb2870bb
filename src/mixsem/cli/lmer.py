"""What ``mixsem lmer`` does: read, fit, print, write."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.archive import SUFFIXES
from ..errors import OptionError, OutputError
from ..report.folder import check_folder
from ..report.names import MIXED_FILES
from .console import progress_bar, short_warnings
from .lmer_parser import CONFINT_METHODS, DDF_METHODS, OPTIMIZERS
from .options import ModelText
from .step1 import one_of
from .wording import about_model

if TYPE_CHECKING:
    from ..data.columns import FrameLike
    from ..mixed.linear import LinearMixedModel
    from ..report.mixed_results import MixedResults

__all__ = [
    "LmerOptions",
    "column_name",
    "data_file",
    "lmer_options",
    "require_formula",
    "run_lmer",
    "spare_input",
]

_EXAMPLE = 'a formula in quotation marks, such as "y ~ x + (x | g)"'


@dataclass(frozen=True, slots=True)
class LmerOptions:
    """Everything the command was asked to do; the names are those of `mixsem.lmer` and its companions."""

    formula: str
    data: Path
    reml: bool
    weights: str | None
    offset: str | None
    ddf: str | None
    confint: str | None
    anova: bool
    by: str | None
    ar1: tuple[str, str] | None
    optimizer: str
    json: bool
    out: Path | None
    title: str
    quiet: bool
    command: str


def lmer_options(arguments: argparse.Namespace, command: str = "") -> LmerOptions:
    """Validate the arguments; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a file is not there.
    """
    require_formula(arguments.formula, arguments.data)
    for option, value, allowed in (
        ("--ddf", arguments.ddf, DDF_METHODS),
        ("--confint", arguments.confint, CONFINT_METHODS),
        ("--optimizer", arguments.optimizer, OPTIMIZERS),
    ):
        if value is not None:
            one_of(option, value, allowed)
    _refuse_combinations(arguments)
    group, time = (column_name("--ar1", name) for name in arguments.ar1 or (None, None))
    if arguments.out is not None and not arguments.out.strip():
        raise OptionError("--out is empty", allowed="a path")
    return LmerOptions(
        formula=arguments.formula,
        data=data_file(arguments.data),
        reml=not arguments.ml,
        weights=column_name("--weights", arguments.weights),
        offset=column_name("--offset", arguments.offset),
        ddf=arguments.ddf,
        confint=arguments.confint,
        anova=arguments.anova,
        by=column_name("--residual-by", arguments.residual_by),
        ar1=None if group is None or time is None else (group, time),
        optimizer=arguments.optimizer,
        json=arguments.json,
        out=None if arguments.out is None else Path(arguments.out),
        title=arguments.title,
        quiet=arguments.quiet,
        command=command,
    )


def require_formula(formula: str, data: str) -> None:
    """Find out what cannot be a formula, the data in its place above all."""
    if "~" in data and "~" not in formula:
        raise OptionError(
            f"FORMULA: {formula!r} has no '~', but DATA has", todo="the formula comes first, then the data"
        )
    if not formula.strip():
        raise OptionError("FORMULA is empty", allowed=_EXAMPLE)


def _refuse_combinations(arguments: argparse.Namespace) -> None:
    """Name what does not go together before the data are read."""
    residual = next((f"--{o}" for o in ("residual-by", "ar1") if getattr(arguments, o.replace("-", "_"))), "")
    for given, other, allowed, todo in (
        ("--ddf kenward-roger", arguments.ml and "--ml", "fits by REML", "leave --ml out, or use --ddf satterthwaite"),
        ("--ddf kenward-roger", residual, "independent residuals of one variance", "use --ddf satterthwaite"),
        ("--confint profile", residual, "independent residuals of one variance", "use --confint wald"),
        *((f"--optimizer {name}", residual, OPTIMIZERS[0], "leave --optimizer out") for name in OPTIMIZERS[1:]),
        ("--json", arguments.quiet and "--quiet", "one of the two", "leave one of them out"),
    ):
        option, _, value = given.partition(" ")
        asked = getattr(arguments, option.lstrip("-"))
        if other and (asked == value if value else asked):
            raise OptionError(f"{given} came with {other}", allowed=allowed, todo=todo)


def data_file(text: str) -> Path:
    """The path of a table.

    Raises
    ------
    OptionError
        If it is no table, or not there.
    """
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
    """A column's name, which must not be empty."""
    if name is not None and not name.strip():
        raise OptionError(f"{option} is empty", allowed="the name of a column", todo=f"name it, or leave {option} out")
    return name


def run_lmer(options: LmerOptions) -> None:
    """Fit the model, write the files if a folder was named, print the summary."""
    if options.out is not None:
        check_folder(options.out, MIXED_FILES)
        spare_input(options.out, options.data)
    with short_warnings(quiet=options.quiet):
        results, table = _results(options)
        if options.out is not None:
            from ..guided.entry import report_of

            told = {"title": options.title, "source": options.data.name, "command": options.command}
            report_of(results, table, **told).save(options.out)
    _print(results, options)


def _print(results: MixedResults, options: LmerOptions) -> None:
    """The summary, or JSON, or where the results are."""
    if options.json:
        from ..report.mixed_record import mixed_json

        print(mixed_json(results, title=options.title), end="")
        return
    if options.quiet:
        if options.out is not None:
            print(options.out)
        return
    from ..report.mixed_summary import mixed_summary

    shown = mixed_summary(results.fit, (), results.inference)  # stderr has the warnings already
    shown = replace(shown, parts=(*shown.parts, *results.tables))
    print(shown.to_text(shutil.get_terminal_size((100, 24)).columns))
    if options.out is not None:
        print(f"\nResults in {options.out}: {', '.join(MIXED_FILES)}")


def spare_input(out: Path, data: Path) -> None:
    """Refuse to replace the data that are read."""
    for name in MIXED_FILES:
        path = out / name
        if path.exists() and path.samefile(data):
            raise OutputError(f"{path} would replace the data that are read", todo="choose another --out")


def _results(options: LmerOptions) -> tuple[MixedResults, FrameLike]:
    """What is told of the fit, and the table."""
    from ..data.files import read_table
    from ..mixed.formulas.formula import parse_formula
    from ..report.mixed_record import label_columns
    from ..report.mixed_results import mixed_results

    with about_model(ModelText("formula", options.formula)):
        formula, specification = parse_formula(options.formula), _specification(options)
        table = read_table(options.data, label_columns(formula, specification.residual))
        fit = specification.fit(table, weights=options.weights, offset=options.offset)
    with progress_bar(1, quiet=options.quiet) as progress:
        results = mixed_results(
            fit,
            ddf=options.ddf,  # type: ignore[arg-type]
            confint=options.confint,  # type: ignore[arg-type]
            anova=options.anova,
            weights=options.weights,
            offset=options.offset,
            progress=progress,
        )
    return results, table


def _specification(options: LmerOptions) -> LinearMixedModel:
    from ..mixed.engine.optimise import Optimizer
    from ..mixed.linear import LinearMixedModel
    from ..mixed.structure.residual_structure import Residual

    residual = None if options.by is None and options.ar1 is None else Residual(by=options.by, ar1=options.ar1)
    optimizer = Optimizer(method=options.optimizer)  # type: ignore[arg-type]
    return LinearMixedModel(options.formula, options.reml, optimizer, residual)
