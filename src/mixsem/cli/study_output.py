"""What ``mixsem study`` writes: tables, effect sizes, figures, single data sets."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OptionError, OutputError, did_you_mean
from ..report.folder import check_folder
from .documents import tables_json
from .output import print_json
from .step1 import one_of

if TYPE_CHECKING:
    import pandas as pd

    from ..report.table import Table
    from ..studies.results import StudyResults
    from ..studies.work import DataSet

__all__ = ["data_file", "print_effects", "whole", "write_data", "write_figures", "write_tables"]

FORMATS = ("text", "markdown", "latex", "csv")
MEASURES = "a measure of the study with values, such as ari, cc or 'rmse[F4~F1]'"
#: A column of a table: one statistic of one measure, such as ``mean[rmse[F4~F1]]``.
_STATISTIC = re.compile(r"(?P<statistic>\w+)\[(?P<measure>.+)\]")
ROWS, MOMENTS = (".csv", ".parquet"), (".json", ".json.gz")


def write_tables(arguments: argparse.Namespace) -> None:
    """Print the tables of a study, or write them to a file."""
    form = "json" if arguments.json else one_of("--format", arguments.format, FORMATS)
    out = None if arguments.out is None else _file("--out", arguments.out)
    results = _results(arguments.folder)

    from ..studies.tables import study_tables

    text = _as_text(study_tables(results), form)
    if out is None:
        (print_json if form == "json" else print)(text)
        return
    from ..data.archive import write_whole

    write_whole(out, f"{text}\n".encode())
    print(f"Written to {out}")


def _as_text(tables: Sequence[Table], form: str) -> str:
    """All tables in one of the formats."""
    if form == "json":
        return tables_json(tables).rstrip("\n")
    if form == "csv":
        import pandas as pd

        frame = pd.concat([_tidy(table) for table in tables], ignore_index=True)
        return frame.to_csv(index=False).rstrip("\n")
    if form == "markdown":
        return "\n\n".join(table.to_markdown() for table in tables)
    if form == "latex":
        return "\n\n".join(table.to_latex() for table in tables)
    width = shutil.get_terminal_size((100, 24)).columns
    return "\n\n".join(table.to_text(width) for table in tables)


def _tidy(table: Table) -> pd.DataFrame:
    """A table for programs: one row per level and measure, every row with its factor."""
    import pandas as pd

    frame = table.to_pandas()
    frame.insert(0, "table", table.title)
    if "factor" not in frame:
        return frame
    frame["factor"] = frame["factor"].replace("", None).ffill()
    found = [(name, match) for name in frame.columns if (match := _STATISTIC.fullmatch(str(name)))]
    others = [name for name in frame.columns if name not in {column for column, _ in found}]
    parts = []
    for measure in dict.fromkeys(match["measure"] for _, match in found):
        own = {column: match["statistic"] for column, match in found if match["measure"] == measure}
        parts.append(frame[others].assign(measure=measure).join(frame[list(own)].rename(columns=own)))
    return pd.concat(parts, ignore_index=True)


def print_effects(arguments: argparse.Namespace) -> None:
    """Print how much of a measure each factor explains."""
    order = whole("--order", arguments.order, least=1)
    results = _results(arguments.folder)

    from ..studies.anova import anova_table

    table = anova_table(results, arguments.measure, method=arguments.method, variant=arguments.variant, order=order)
    print(table.to_text(shutil.get_terminal_size((100, 24)).columns))


def write_figures(arguments: argparse.Namespace) -> None:
    """Draw the interactions and write them as SVG."""
    folder = check_folder(_path("--out", arguments.out), ())
    results = _results(arguments.folder)

    from ..plots.study_rows import measure_columns
    from ..studies.figures import save_figure, study_figures

    known = [name for name in results.frame.columns if measure_columns(results.frame, name)]
    for measure in arguments.measure or ():
        if not measure_columns(results.frame, measure):
            raise OptionError(f"--measure {measure}", allowed=MEASURES, todo=did_you_mean(measure, known))
    figures = study_figures(results, arguments.measure)
    if not figures:
        raise OptionError("there is nothing to draw", allowed=MEASURES, todo="wait for more results, or name a measure")
    with _written_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, (figure, shows) in figures.items():
            save_figure(figure, folder / f"{name}.svg")
            print(f"{folder / name}.svg: {shows}")


@contextlib.contextmanager
def _written_to(path: Path) -> Iterator[None]:
    """Name the folder or file in what the operating system complains of."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}", todo="check folder and disk") from error


def data_file(text: str) -> Path:
    """Check the name of a file for rows or moments before any work.

    Raises
    ------
    OutputError
        If its suffix says nothing, it exists, or there is no folder for it.
    """
    path = _file("--out", text)
    if not path.name.lower().endswith((*ROWS, *MOMENTS)):
        raise OutputError(
            f"--out {path} has no suffix that says what to write",
            allowed=f"{' or '.join(ROWS)} for rows, {' or '.join(MOMENTS)} for moments",
        )
    if path.exists():
        raise OutputError(f"--out {path} exists", todo="choose another name, or remove it")
    return path


def write_data(data: DataSet, path: Path) -> None:
    """Write the moments that were analysed, or rows that have exactly these moments."""
    if path.name.lower().endswith(MOMENTS):
        data.moments.save(path)
        return
    from ..data.archive import write_whole
    from ..simulate.rows import rows_with_moments

    rows = rows_with_moments(data.moments, data.seed)
    if path.suffix.lower() == ".csv":
        write_whole(path, rows.to_csv(index=False).encode())
    else:
        buffer = io.BytesIO()
        rows.to_parquet(buffer, index=False)
        write_whole(path, buffer.getvalue())


def _results(folder: str) -> StudyResults:
    """Results that have something to show."""
    from ..studies.results import read_results

    results = read_results(folder)
    if not (results.frame["status"] == "done").any():
        raise OptionError(f"{folder} has no results yet", todo=f"mixsem study status {folder} says how far it is")
    return results


def _path(option: str, text: str) -> Path:
    if not text.strip():
        raise OptionError(f"{option} is empty", allowed="a path")
    return Path(text)


def _file(option: str, text: str) -> Path:
    """A file that can be written: its folder is there."""
    path = _path(option, text)
    if path.is_dir():
        raise OutputError(f"{option} {path} is a folder", allowed="a file")
    if not path.parent.is_dir():
        raise OutputError(f"{option} {path}: there is no folder {path.parent}", todo="make it first")
    return path


def whole(option: str, text: str, *, least: int) -> int:
    """Read a whole number.

    Raises
    ------
    OptionError
        If it is none, or too small.
    """
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise OptionError(f"{option} {text}", allowed=f"a whole number, {least} or more")
    return int(text)
