"""What ``mixsem invariance`` does: read, test, search, print, write."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.archive import SUFFIXES
from ..errors import DataError, OptionError, OutputError
from ..report.folder import check_folder
from ..report.names import INVARIANCE_FILES
from ..syntax.sem import parse_model
from .console import progress_bar, short_warnings
from .options import ModelText, block_option, model_text
from .variance import number
from .wording import about_model

if TYPE_CHECKING:
    from ..data.intake import Data
    from ..measurement.invariance_search import NonInvariance
    from ..report.document import Summary

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
    out: Path | None
    title: str
    quiet: bool
    command: str


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
    for option, given in (("--group", arguments.group), ("--out", arguments.out)):
        if given is not None and not given.strip():
            raise OptionError(f"{option} is empty", allowed="a name")
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
    ordered: tuple[str, ...] | bool = _listed(arguments.ordered)
    if ordered == ("all",):
        ordered = True
    return InvarianceOptions(
        data=data,
        group=arguments.group,
        measurement=model_text("measurement", arguments.measurement),
        levels=_listed(arguments.levels) or None,
        partial=tuple(arguments.partial or ()),
        estimator=arguments.estimator or ("WLSMV" if ordered else "ML"),
        missing=arguments.missing,
        ordered=ordered,
        std_lv=arguments.std_lv,
        orthogonal=arguments.orthogonal,
        min_size=None if arguments.min_size is None else _size(arguments.min_size),
        blocks=block_option(arguments.blocks),
        search=arguments.search,
        kinds=_listed(arguments.kinds) or ("loadings",),
        threshold=_number("--threshold", arguments.threshold, 0.10),
        min_share=_number("--min-share", arguments.min_share, 0.0),
        out=None if arguments.out is None else Path(arguments.out),
        title=arguments.title,
        quiet=arguments.quiet,
        command=command,
    )


def _listed(values: list[str] | None) -> tuple[str, ...]:
    """Names apart, whether blanks or commas separate them."""
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


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
    if options.out is not None:
        check_folder(options.out, INVARIANCE_FILES)
        for path in (options.out / name for name in INVARIANCE_FILES):
            if path.exists() and path.samefile(options.data):
                raise OutputError(f"{path} would replace the data that are read", todo="choose another --out")

    from ..measurement.invariance import invariance_test
    from ..measurement.invariance_search import find_noninvariance
    from ..report.invariance_page import save_invariance
    from ..report.summary import summary

    search: NonInvariance | None = None
    files: tuple[str, ...] = ()
    with (
        short_warnings(quiet=options.quiet),
        progress_bar(1 + options.search, quiet=options.quiet) as progress,
        about_model(options.measurement),
    ):
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
        if options.search:
            search = find_noninvariance(
                test,
                kinds=options.kinds,
                threshold=options.threshold,
                min_share=options.min_share,
                progress=progress,
            )
        if options.out is not None:
            files = tuple(
                save_invariance(
                    test,
                    options.out,
                    search=search,
                    title=options.title,
                    source=options.data.name,
                    command=options.command,
                )
            )
    if options.quiet:
        if options.out is not None:
            print(options.out)
        return
    width = shutil.get_terminal_size((100, 24)).columns
    for shown in (test, search):
        if shown is not None:
            print(_without_warnings(summary(shown)).to_text(width), end="\n\n")
    if files:
        print(f"Results in {options.out}: {', '.join(files)}")


def _without_warnings(shown: Summary) -> Summary:
    """Leave out the warnings: stderr has them already."""
    from ..report.document import Listing

    kept = (p for p in shown.parts if not (isinstance(p, Listing) and p.title == "Warnings"))
    return replace(shown, parts=tuple(kept))


def _read(options: InvarianceOptions) -> Data:
    from ..data.files import read_table
    from ..data.grouped import GroupedData
    from ..data.intake import moments_of
    from ..data.moments import SampleMoments

    items = parse_model(options.measurement.text).indicators
    if options.data.name.lower().endswith(SUFFIXES):
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
