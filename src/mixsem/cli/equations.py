"""What ``mixsem cfa``, ``sem`` and ``growth`` do: read, fit, print, write."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..data.archive import SUFFIXES, names_moments
from ..errors import OptionError
from ..report.names import EQUATION_FILES
from .console import short_warnings
from .options import ModelText, model_text
from .output import Output, check_output, listed, output_options, print_outcome, require_names, save_fit
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
    output: Output


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
    require_names("--estimator", arguments.estimator)
    ordered: tuple[str, ...] | bool = listed(arguments.ordered)
    if ordered == ("all",):
        ordered = True
    return EquationOptions(
        kind=arguments.command,
        model=model,
        data=data,
        group=arguments.group,
        group_equal=listed(arguments.group_equal),
        group_partial=tuple(arguments.group_partial or ()),
        estimator=arguments.estimator or ("WLSMV" if ordered else "ML"),
        missing=arguments.missing,
        ordered=ordered,
        std_lv=arguments.std_lv,
        orthogonal=arguments.orthogonal,
        meanstructure=True if arguments.meanstructure else None,
        fixed_x=not arguments.free_x,
        output=output_options(arguments, command),
    )


def run_equations(options: EquationOptions) -> None:
    """Fit the model, write the files if a folder was named, print the summary."""
    output = options.output
    check_output(output, EQUATION_FILES, [options.data])
    with short_warnings(quiet=output.quiet):
        fit = _fit(options)
        if output.out is not None:
            from ..report.files import save_results

            save_results(fit, output.out, title=output.title, source=options.data.name, command=output.command)
        save_fit(fit, output)
    from ..report.equation_report import equation_record
    from ..report.record import json_lines
    from ..report.summary import summary

    print_outcome(
        output,
        EQUATION_FILES,
        lambda: [summary(fit)],
        lambda: json_lines(equation_record(fit, title=output.title)),
    )


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
        if names_moments(options.data):
            return specification.fit(SampleMoments.load(options.data), options.group)
        return specification.fit(read_table(options.data, options.group), options.group)
