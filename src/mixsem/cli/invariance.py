"""What ``mixsem invariance`` does: read, test, search, print, write."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.archive import names_moments
from ..errors import DataError, OptionError
from ..report.names import INVARIANCE_FILES
from ..syntax.sem import parse_model
from .console import progress_bar, short_warnings
from .documents import invariance_json
from .options import ModelText, block_option, model_text
from .output import Output, check_output, listed, output_options, print_outcome, require_names
from .variance import number
from .wording import about_model

if TYPE_CHECKING:
    from ..data.intake import Data
    from ..measurement.invariance import InvarianceTest
    from ..measurement.invariance_search import NonInvariance

__all__ = ["InvarianceOptions", "invariance_options", "run_invariance"]


@dataclass(frozen=True, slots=True)
class InvarianceOptions:
    """Everything the command was asked to do; the names are those of `invariance_test` and `find_noninvariance`."""

    data: Path
    group: str | None
    measurement: ModelText
    levels: tuple[str, ...] | None
    partial: tuple[str, ...]
    estimator: str
    missing: str
    ordered: tuple[str, ...] | bool
    std_lv: bool
    orthogonal: bool
    min_size: int | None
    blocks: str | tuple[tuple[str, ...], ...]
    search: bool
    kinds: tuple[str, ...]
    threshold: float
    min_share: float
    output: Output


def invariance_options(arguments: argparse.Namespace, command: str = "") -> InvarianceOptions:
    """Validate the arguments; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a file is not there.
    """
    data = Path(arguments.data)
    if not data.is_file():
        raise OptionError(f"there is no file {data}", todo="check the path")
    if arguments.group is not None and not arguments.group.strip():
        raise OptionError("--group is empty", allowed="a name")
    for option, given in (
        ("--kinds", arguments.kinds),
        ("--threshold", arguments.threshold),
        ("--min-share", arguments.min_share),
    ):
        if given is not None and not arguments.search:
            raise OptionError(f"{option} without --search", allowed="--search with it", todo="add --search")
    if arguments.min_size is not None and arguments.missing == "ml":
        raise OptionError(
            "--min-size with --missing ml",
            allowed="--min-size with --missing listwise: it counts complete rows",
            todo="leave small groups out of the file",
        )
    require_names("--levels", arguments.levels)
    require_names("--estimator", arguments.estimator)
    ordered: tuple[str, ...] | bool = listed(arguments.ordered)
    if ordered == ("all",):
        ordered = True
    return InvarianceOptions(
        data=data,
        group=arguments.group,
        measurement=model_text("measurement", arguments.measurement),
        levels=listed(arguments.levels) or None,
        partial=tuple(arguments.partial or ()),
        estimator=arguments.estimator or ("WLSMV" if ordered else "ML"),
        missing=arguments.missing,
        ordered=ordered,
        std_lv=arguments.std_lv,
        orthogonal=arguments.orthogonal,
        min_size=None if arguments.min_size is None else _size(arguments.min_size),
        blocks=block_option(arguments.blocks),
        search=arguments.search,
        kinds=listed(arguments.kinds) or ("loadings",),
        threshold=_number("--threshold", arguments.threshold, 0.10),
        min_share=_number("--min-share", arguments.min_share, 0.0),
        output=output_options(arguments, command),
    )


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise OptionError(f"--min-size {text}", allowed="a whole number, 1 or more")
    return int(text)


def _number(option: str, text: str | None, default: float) -> float:
    if text is None:
        return default
    value = number(text)
    if value is None or value < 0:
        raise OptionError(f"{option} {text}", allowed="a number, 0 or more")
    return value


def run_invariance(options: InvarianceOptions) -> None:
    """Test, search if asked, write the files if a folder was named, print the summaries."""
    with about_model(options.measurement):
        parse_model(options.measurement.text)
    output = options.output
    check_output(output, INVARIANCE_FILES, [options.data])

    from ..report.invariance_page import save_invariance
    from ..report.summary import summary

    files: tuple[str, ...] = ()
    with short_warnings(quiet=output.quiet), about_model(options.measurement):
        test, search = _tested(options)
        if output.out is not None:
            told = {"title": output.title, "source": options.data.name, "command": output.command}
            files = tuple(save_invariance(test, output.out, search=search, **told))
    found = [test] if search is None else [test, search]
    print_outcome(output, files, lambda: map(summary, found), lambda: invariance_json(test, search, output.title))


def _tested(options: InvarianceOptions) -> tuple[InvarianceTest, NonInvariance | None]:
    """The levels, and the search if that was asked for."""
    from ..measurement.invariance import invariance_test
    from ..measurement.invariance_search import find_noninvariance

    with progress_bar(1 + options.search, quiet=options.output.quiet) as progress:
        test = invariance_test(
            options.measurement.text,
            _read(options),
            None if options.min_size is not None else options.group,
            levels=options.levels,
            partial=options.partial,
            estimator=options.estimator,
            missing=options.missing,
            ordered=options.ordered,
            blocks=options.blocks,
            std_lv=options.std_lv,
            orthogonal=options.orthogonal,
        )
        if not options.search:
            return test, None
        search = find_noninvariance(
            test, kinds=options.kinds, threshold=options.threshold, min_share=options.min_share, progress=progress
        )
        return test, search


def _read(options: InvarianceOptions) -> Data:
    from ..data.files import read_table
    from ..data.grouped import GroupedData
    from ..data.intake import moments_of
    from ..data.moments import SampleMoments

    items = parse_model(options.measurement.text).indicators
    if names_moments(options.data):
        moments = SampleMoments.load(options.data)
        return moments if options.min_size is None else moments_of(moments, items, min_size=options.min_size)
    table = read_table(options.data, options.group)
    if options.group is None:
        raise DataError(
            f"{options.data.name}: the grouping column is not named",
            allowed=", ".join(map(str, list(table.columns)[:20])),
            todo="add --group COLUMN",
        )
    if options.min_size is None:
        return table
    return GroupedData.from_frame(table, items, options.group, min_size=options.min_size)
