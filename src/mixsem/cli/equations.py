"""What ``mixsem cfa``, ``sem`` and ``growth`` do: read, fit, print, write."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..data.archive import SUFFIXES
from ..errors import OptionError, OutputError
from ..report.folder import check_folder
from ..report.names import EQUATION_FILES
from .console import short_warnings
from .options import ModelText, model_text
from .wording import about_model

if TYPE_CHECKING:
    from ..equations.fit import SEMFit

__all__ = ["EquationOptions", "equation_options", "run_equations"]

#: Suffixes of what is no model.
_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".arrow", ".feather", *SUFFIXES)


@dataclass(frozen=True, slots=True)
class EquationOptions:
    """Everything the command was asked to do; the names are those of the functions `cfa`, `sem` and `growth`."""

    kind: Literal["cfa", "sem", "growth"]
    model: ModelText
    data: Path
    group: str | None
    group_equal: tuple[str, ...]
    group_partial: tuple[str, ...]
    estimator: str
    missing: str
    ordered: tuple[str, ...] | bool
    std_lv: bool
    orthogonal: bool
    meanstructure: bool | None
    fixed_x: bool
    out: Path | None
    title: str
    quiet: bool
    command: str


def equation_options(arguments: argparse.Namespace, command: str = "") -> EquationOptions:
    """Validate the arguments; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a file is not there.
    """
    if Path(arguments.model).name.lower().endswith(_TABLES):
        raise OptionError(f"MODEL: {arguments.model} is a table", todo="the model comes first, then the data")
    try:
        model = model_text("model", arguments.model)
    except OptionError as error:
        raise OptionError(error.got.replace("--model:", "MODEL:"), allowed=error.allowed, todo=error.todo) from error
    model = replace(model, name=model.name.replace("model model", "model"))
    data = Path(arguments.data)
    if not data.is_file():
        raise OptionError(f"there is no file {data}", todo="check the path")
    if arguments.group is not None and not arguments.group.strip():
        raise OptionError("--group is empty", allowed="the name of a column", todo="name the column of the groups")
    ordered: tuple[str, ...] | bool = _listed(arguments.ordered)
    if ordered == ("all",):
        ordered = True
    if arguments.out is not None and not arguments.out.strip():
        raise OptionError("--out is empty", allowed="a path")
    return EquationOptions(
        kind=arguments.command,
        model=model,
        data=data,
        group=arguments.group,
        group_equal=_listed(arguments.group_equal),
        group_partial=tuple(arguments.group_partial or ()),
        estimator=arguments.estimator or ("WLSMV" if ordered else "ML"),
        missing=arguments.missing,
        ordered=ordered,
        std_lv=arguments.std_lv,
        orthogonal=arguments.orthogonal,
        meanstructure=True if arguments.meanstructure else None,
        fixed_x=not arguments.free_x,
        out=None if arguments.out is None else Path(arguments.out),
        title=arguments.title,
        quiet=arguments.quiet,
        command=command,
    )


def _listed(values: list[str] | None) -> tuple[str, ...]:
    """Names apart, whether blanks or commas separate them."""
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


def run_equations(options: EquationOptions) -> None:
    """Fit the model, write the files if a folder was named, print the summary."""
    if options.out is not None:
        check_folder(options.out, EQUATION_FILES)
        _spare_input(options.out, options.data)
    with short_warnings(quiet=options.quiet):
        fit = _fit(options)
        if options.out is not None:
            from ..report.files import save_results

            save_results(fit, options.out, title=options.title, source=options.data.name, command=options.command)
    if options.quiet:
        if options.out is not None:
            print(options.out)
        return
    from ..report.summary import summary, warning_listing

    shown = summary(fit)
    said = warning_listing(fit.notices)  # stderr has them already
    shown = replace(shown, parts=tuple(part for part in shown.parts if part not in said))
    print(shown.to_text(shutil.get_terminal_size((100, 24)).columns))
    if options.out is not None:
        print(f"\nResults in {options.out}: {', '.join(EQUATION_FILES)}")


def _spare_input(out: Path, data: Path) -> None:
    """Refuse to replace the data that are read."""
    for name in EQUATION_FILES:
        path = out / name
        if path.exists() and path.samefile(data):
            raise OutputError(f"{path} would replace the data that are read", todo="choose another --out")


def _fit(options: EquationOptions) -> SEMFit:
    from ..data.files import read_table
    from ..data.moments import SampleMoments
    from ..equations.specification import SEM

    with about_model(options.model):
        specification = SEM(
            options.model.text,
            options.kind,
            group_equal=options.group_equal,
            group_partial=options.group_partial,
            estimator=options.estimator,
            missing=options.missing,
            ordered=options.ordered,
            std_lv=options.std_lv,
            meanstructure=options.meanstructure,
            fixed_x=options.fixed_x,
            orthogonal=options.orthogonal,
        )
        if options.data.name.lower().endswith(SUFFIXES):
            return specification.fit(SampleMoments.load(options.data), options.group)
        return specification.fit(read_table(options.data, options.group), options.group)
