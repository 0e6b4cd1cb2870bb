"""What ``mixsem study`` does: run a study, say how far it is, show its results, write one of its data sets."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import MixsemError, OptionError, OutputError
from .console import KEPT, short_warnings
from .documents import status_json
from .output import Output, output_options, print_json
from .study_output import data_file, print_effects, whole, write_data, write_figures, write_tables
from .study_progress import study_progress
from .study_status import earlier_rows, print_status

if TYPE_CHECKING:
    from ..studies.run import StudyState
    from ..studies.study import Study

__all__ = ["run_study_action", "study_action"]

#: Arguments of Python that are options here.
_ARGUMENT = re.compile(r"(?<![\w.\-])(replications?|cells?|seed|workers|dask|method|variant|order)=")


def study_action(arguments: argparse.Namespace, command: str = "") -> argparse.Namespace:
    """Every action validates its own arguments."""
    return arguments


def run_study_action(arguments: argparse.Namespace) -> None:
    """Do what was asked.

    Raises
    ------
    MixsemError
        If an argument is outside what is allowed, or a file cannot be read or written.
    """
    actions = {
        "run": _run,
        "status": _status,
        "show": _show,
        "table": write_tables,
        "anova": print_effects,
        "plot": write_figures,
        "data": _data,
    }
    with _in_options():
        actions[arguments.action](arguments)


def _run(arguments: argparse.Namespace) -> None:
    """Run what is not there yet, and say what came out."""
    changes: dict[str, Any] = {
        name: whole(f"--{name}", getattr(arguments, name), least=0 if name == "seed" else 1)
        for name in ("replications", "cells", "seed")
        if getattr(arguments, name) is not None
    }
    workers = None if arguments.workers is None else whole("--workers", arguments.workers, least=1)
    if arguments.dask is not None and not arguments.dask.strip():
        raise OptionError("--dask is empty", allowed="an address")
    if workers is not None and arguments.dask is not None:
        raise OptionError("--workers with --dask", allowed="one of them: the cluster knows its workers")
    output = output_options(arguments, "")
    study = replace(_read(arguments.study), **changes)
    _run_and_report(study, Path(arguments.out), workers, arguments.dask, retry=arguments.retry, output=output)


def _run_and_report(
    study: Study, folder: Path, workers: int | None, dask: str | None, *, retry: bool, output: Output
) -> None:
    """Run with progress; whatever stops it, say what is safe."""
    from ..studies.run import run_study

    state: StudyState | None = None
    with short_warnings(quiet=output.quiet), study_progress(study.name, _earlier(folder), quiet=output.quiet) as show:

        def report(now: StudyState) -> None:
            nonlocal state
            state = now
            show(now)

        try:
            with _other_study(study, folder), _terminated_as_interrupted():
                results = run_study(study, folder, workers=workers, dask=dask, retry=retry, progress=report)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; {_kept(state, folder)}") from None
        except MixsemError:
            raise
        except Exception as error:
            error.add_note(KEPT + _kept(state, folder))
            raise
    if output.json:
        print_json(status_json(results, folder))
        return
    if output.quiet:
        print(folder)
        return
    print_status(results)
    print(f"\nResults in {folder}; by level: mixsem study table {folder}")


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """End as after Ctrl-C when told to by ``kill``: without it the worker processes would outlive this one for a while.

    Raises
    ------
    KeyboardInterrupt
        When the signal comes.
    """
    if threading.current_thread() is not threading.main_thread():  # where signals cannot be caught
        yield
        return

    def stop(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _earlier(folder: Path) -> Iterator[dict[str, object]]:
    """Rows that are there already, read when somebody looks at them."""
    from ..studies.results import read_results

    if (folder / "study.toml").is_file():
        yield from earlier_rows(read_results(folder).frame)


def _kept(state: StudyState | None, folder: Path) -> str:
    """What an interruption leaves."""
    safe = "what was done" if state is None else f"{state.done:,} of {state.total:,} data sets"
    return f"{safe} {'is' if state is None else 'are'} safe in {folder}, and the same command goes on"


@contextlib.contextmanager
def _other_study(study: Study, folder: Path) -> Iterator[None]:
    """Say which study the folder holds, and what is different, where it is refused.

    Raises
    ------
    OutputError
        In the place of the one that says no more than that it is another.
    """
    from ..studies.toml import read_study, write_study

    try:
        yield
    except OutputError as error:
        if "another study" not in error.got or not (folder / "study.toml").is_file():
            raise
        there = read_study(folder / "study.toml")
        if there.name != study.name:
            got = f"{folder} holds the study {there.name!r}, not {study.name!r}"
        else:
            lines = (_settings(write_study(there)), _settings(write_study(study)))
            differences = "; ".join(
                f"{name} is {lines[0].get(name, 'not set')} there, {lines[1].get(name, 'not set')} here"
                for name in dict.fromkeys([*lines[0], *lines[1]])
                if lines[0].get(name) != lines[1].get(name)
            )
            got = (
                f"{folder} holds the study {study.name!r} with other settings: {differences or 'see study.toml there'}"
            )
        raise OutputError(got, allowed=error.allowed, todo=error.todo) from None


def _settings(text: str) -> dict[str, str]:
    """Settings of a study that must not change, as they are written: what is in which table."""
    table, found = "", {}
    for line in text.splitlines():
        if line.startswith("["):
            table = f"{line} "
        elif " = " in line and not line.startswith(("name ", "title ", "replications ", "cells ")):
            name, _, value = line.partition(" = ")
            found[table + name] = value
    return found


def _status(arguments: argparse.Namespace) -> None:
    from ..studies.results import read_results

    results = read_results(arguments.folder)
    if arguments.json:
        print_json(status_json(results, arguments.folder))
    else:
        print_status(results)


def _show(arguments: argparse.Namespace) -> None:
    from ..studies.toml import write_study

    print(write_study(_read(arguments.study)), end="")


def _data(arguments: argparse.Namespace) -> None:
    """Write one data set, of a study or of a folder with its seed."""
    cell = whole("--cell", arguments.cell, least=0)
    replication = whole("--replication", arguments.replication, least=1)
    out = data_file(arguments.out)
    folder = Path(arguments.study)
    study = _read(folder / "study.toml" if (folder / "study.toml").is_file() else arguments.study)

    from ..studies.work import dataset

    data = dataset(study, cell, replication)
    write_data(data, out)
    levels = ", ".join(f"{name} = {level}" for name, level in study.all_cells[cell].items())
    print(f"{study.name}, cell {cell} ({levels}), replication {replication}, seed {data.seed}")
    print(f"{data.truth!r}, written to {out}")


def _read(source: str | Path) -> Study:
    """Read a preset or a file; settings in errors look as they do in the file.

    Raises
    ------
    OptionError
        If there is none, or it describes no study.
    """
    from ..studies.toml import read_study

    if not str(source).strip():
        raise OptionError("STUDY is empty", allowed="the name of a preset, or a TOML file")
    try:
        return read_study(source if isinstance(source, Path) else source.replace("\n", " "))
    except OptionError as error:
        raise OptionError(re.sub(r"(\w)=(?=\S)", r"\1 = ", error.got), allowed=error.allowed, todo=error.todo) from None


@contextlib.contextmanager
def _in_options() -> Iterator[None]:
    """Name the option, where an error names an argument.

    Raises
    ------
    MixsemError
        Of the same kind, in the words of the command line.
    """
    try:
        yield
    except (OptionError, OutputError) as error:
        texts = (_ARGUMENT.sub(r"--\1 ", text) for text in (error.got, error.allowed, error.todo))
        got, allowed, todo = texts
        raise type(error)(got, allowed=allowed, todo=todo) from error.__cause__
