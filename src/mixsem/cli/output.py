"""Where results go: a folder, a file to load in Python, the terminal. The same options on every command that fits."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OptionError, OutputError

if TYPE_CHECKING:
    from ..report.document import Summary

__all__ = [
    "Output",
    "add_json",
    "add_output",
    "add_quiet",
    "check_output",
    "listed",
    "output_options",
    "print_json",
    "print_outcome",
    "print_paths",
    "refuse_json_with_quiet",
    "save_fit",
    "shown_text",
    "spare_inputs",
]  # fmt: skip

SUFFIX = ".mixsem"


@dataclass(frozen=True, slots=True)
class Output:
    """What shall come out, and how.

    Attributes
    ----------
    out
        Folder of the files; None for none.
    save
        File of the fit, to be loaded in Python.
    title
        Title of the report.
    quiet, json
        Print the paths only; print JSON in the place of the summary.
    command
        The command as it was typed.
    """

    out: Path | None = None
    save: Path | None = None
    title: str = ""
    quiet: bool = False
    json: bool = False
    command: str = ""

    @property
    def paths(self) -> tuple[Path, ...]:
        """What is written."""
        return tuple(path for path in (self.out, self.save) if path is not None)


def add_output(parser: argparse.ArgumentParser, *, required: bool = False, save: bool = True) -> None:
    """Describe the options.

    Parameters
    ----------
    parser
        The command's parser.
    required
        Whether there has to be a folder.
    save
        Whether there is a fit that can be kept.
    """
    parser.add_argument("--out", required=required, metavar="DIR", help="folder for the results; made if needed")
    if save:
        parser.add_argument("--save", metavar="FILE", help=f"keep the fit for mixsem.load in Python ({SUFFIX})")
    parser.add_argument("--title", default="", metavar="TEXT", help="title of the report")
    add_json(parser)
    add_quiet(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Describe ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON document in the place of the summary")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Describe ``--quiet``."""
    parser.add_argument("--quiet", action="store_true", help="print the path of the result and errors, nothing else")


def output_options(arguments: argparse.Namespace, command: str) -> Output:
    """Validate what was typed; nothing is looked up in the file system yet.

    Raises
    ------
    OptionError
        If a path is empty, the file has another suffix, or ``--json`` came with ``--quiet``.
    """
    save = getattr(arguments, "save", None)
    for option, given in (("--out", arguments.out), ("--save", save)):
        if given is not None and not given.strip():
            raise OptionError(f"{option} is empty", allowed="a path")
    if save is not None and not save.lower().endswith(SUFFIX):
        raise OptionError(f"--save {save}", allowed=f"a file whose name ends in {SUFFIX}", todo="change the name")
    refuse_json_with_quiet(arguments)
    return Output(
        out=None if arguments.out is None else Path(arguments.out),
        save=None if save is None else Path(save),
        title=getattr(arguments, "title", ""),
        quiet=arguments.quiet,
        json=arguments.json,
        command=command,
    )


def refuse_json_with_quiet(arguments: argparse.Namespace) -> None:
    """Refuse two answers to what shall be printed.

    Raises
    ------
    OptionError
        If both were given.
    """
    if arguments.json and arguments.quiet:
        raise OptionError("--json came with --quiet", allowed="one of the two", todo="leave one of them out")


def listed(values: list[str] | None) -> tuple[str, ...]:
    """Names apart, whether blanks or commas separate them."""
    return tuple(name.strip() for value in values or () for name in value.split(",") if name.strip())


def require_names(option: str, values: str | list[str] | None) -> None:
    """Refuse an option that was given and names nothing, such as an empty variable of a script."""
    if values is not None and not listed([values] if isinstance(values, str) else values):
        raise OptionError(f"{option} names nothing", allowed="one name or more", todo=f"leave {option} out")


def check_output(output: Output, files: Sequence[str], inputs: Iterable[Path], others: Iterable[Path] = ()) -> None:
    """Refuse before the work what cannot be written after it.

    Parameters
    ----------
    output
        What shall come out.
    files
        Names of the files in the folder.
    inputs
        Files that are read.
    others
        Further files that will be written.

    Raises
    ------
    OutputError
        If something is in the way, or would replace what is read.
    """
    from ..report.folder import check_folder

    written = list(others)
    if output.out is not None:
        check_folder(output.out, files)
        written += [output.out / name for name in files]
    if output.save is not None:
        from ..saving.entry import check_path

        check_folder(check_path(output.save).parent, ())
        written.append(output.save)
    spare_inputs(written, inputs)


def spare_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse to replace a file that is being read.

    Raises
    ------
    OutputError
        With the file.
    """
    read = [path for path in inputs if path.exists()]
    for output in outputs:
        if output.exists() and any(output.samefile(path) for path in read):
            option = "--save" if output.suffix == SUFFIX else "--out"
            raise OutputError(f"{output} would replace the data that are read", todo=f"choose another {option}")


def save_fit(fit: object, output: Output) -> None:
    """Keep the fit, if that was asked for."""
    if output.save is not None:
        from ..saving import save

        save(fit, output.save)


def print_outcome(
    output: Output, files: Sequence[str], shown: Callable[[], Iterable[Summary]], json: Callable[[], str]
) -> None:
    """Print the summaries, or JSON, or where the results are.

    Parameters
    ----------
    output
        What was asked for.
    files
        Names of the files that were written to the folder.
    shown
        Makes the summaries; their warnings are left out, since stderr has them.
    json
        Makes the JSON document.
    """
    if output.json:
        print_json(json())
    elif output.quiet:
        print_paths(output)
    else:
        print("\n\n".join(shown_text(summary) for summary in shown()))
        if output.paths:
            print()
        if output.out is not None:
            print(f"Results in {output.out}: {', '.join(files)}")
        if output.save is not None:
            print(f"Fit in {output.save}: mixsem.load reads it")


def print_json(document: str) -> None:
    """Print a JSON document in UTF-8, whatever the terminal's encoding: programs read it, and no character may go."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="replace")
    sys.stdout.write(document.rstrip("\n") + "\n")


def print_paths(output: Output) -> None:
    """One path per line."""
    for path in output.paths:
        print(path)


def shown_text(summary: Summary) -> str:
    """A summary for the terminal, without warnings."""
    from ..report.document import Listing

    kept = tuple(p for p in summary.parts if not (isinstance(p, Listing) and p.title == "Warnings"))
    return replace(summary, parts=kept).to_text(shutil.get_terminal_size((100, 24)).columns)
