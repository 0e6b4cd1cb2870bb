"""What the command line says and where: results on stdout, progress, warnings and errors on stderr."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TextIO

from ..errors import MixsemWarning
from .wording import in_options

__all__ = ["KEPT", "Progress", "print_error", "progress_bar", "short_warnings", "tolerate_any_text"]

Progress = Callable[[str, int, int], None]

#: Begins the note of an unexpected error that says what was written nevertheless.
KEPT = "kept: "


def tolerate_any_text() -> None:
    """A terminal that cannot show a character shows a question mark, and no error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def print_error(message: str) -> None:
    """Print an error as ``mixsem: error: ...``."""
    print(f"mixsem: error: {_harmless(message)}", file=sys.stderr)


def _harmless(text: str) -> str:
    """Text without the characters by which a label could tell a terminal what to do."""
    return "".join(c if c in "\n\t" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@contextlib.contextmanager
def short_warnings(*, quiet: bool) -> Iterator[None]:
    """Print each warning of mixsem once, on one line; those of other libraries are not for users."""
    said: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        text = _harmless(in_options(" ".join(str(message).split())))
        if not quiet and text not in said:
            said.add(text)
            print(f"warning: {category.__name__}: {text}", file=sys.stderr)

    for library in ("matplotlib", "arviz"):  # "building the font cache" and the like
        logging.getLogger(library).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MixsemWarning)
        warnings.showwarning = show
        yield


@contextlib.contextmanager
def progress_bar(n_stages: int, *, quiet: bool, first: float = 1.0) -> Iterator[Progress]:
    """Show a bar on stderr that vanishes at the end; nothing if stderr is not a terminal.

    Parameters
    ----------
    n_stages
        How many stages the whole will report.
    quiet
        Show nothing.
    first
        Length of the first stage, in units of the others'.

    Yields
    ------
    callable
        ``progress(stage, done, total)``.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TimeElapsedColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=n_stages - 1 + first)
        stages: list[str] = []

        def report(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages.append(stage)
            part = done / max(total, 1)
            completed = first * part if len(stages) == 1 else first + len(stages) - 2 + part
            said = f"{stage}: {done:,} of {total:,} draws" if stage == "measurement" and total > 1 else stage
            bar.update(task, description=said, completed=completed)

        yield report
