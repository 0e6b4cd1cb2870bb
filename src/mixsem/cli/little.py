"""The little commands: ``mixsem show``, ``mixsem explain``, ``mixsem schema``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from .output import print_json

__all__ = ["LittleOptions", "explain", "explain_options", "schema", "schema_options", "show", "show_options"]


@dataclass(frozen=True, slots=True)
class LittleOptions:
    """What is asked about, and whether the answer is JSON."""

    subject: str
    json: bool = False


def show_options(arguments: argparse.Namespace, command: str = "") -> LittleOptions:
    """The file of a fit."""
    return LittleOptions(arguments.file, arguments.json)


def show(options: LittleOptions) -> None:
    """Print what a file holds, and the summary of the fit.

    Raises
    ------
    MixsemError
        If it is no such file, or of a newer version.
    """
    from ..saving import load, read_header

    path = Path(options.subject)
    header = read_header(path)
    if options.json:
        from .documents import document

        content = {"file": str(path), "kind": header.kind, "mixsem": header.mixsem, "rows": header.rows}
        print_json(document("saved", {**content, "file_version": header.version}))
        return
    rows = "with rows of people" if header.rows else "without rows of people"
    print(f"{path.name}: {header.kind}, written by mixsem {header.mixsem}, {rows}\n")
    print(repr(load(path)))


def explain_options(arguments: argparse.Namespace, command: str = "") -> LittleOptions:
    """The identifier of a message."""
    return LittleOptions(arguments.identifier, arguments.json)


def explain(options: LittleOptions) -> None:
    """Print the page of a message."""
    from ..mixed.audit.messages import explain as page

    found = page(options.subject)
    if options.json:
        from .documents import explain_json

        print_json(explain_json(options.subject, str(found)))
    else:
        print(found)


def schema_options(arguments: argparse.Namespace, command: str = "") -> LittleOptions:
    """Nothing to choose."""
    return LittleOptions("fit")


def schema(options: LittleOptions) -> None:
    """Print the JSON schema of ``fit.json``."""
    from ..report.schema import fit_schema_text

    print_json(fit_schema_text())
