"""``mixsem completion``: the script that lets a shell complete commands, options and files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping

from .glmer_parser import FAMILY_NAMES, LINK_NAMES
from .lmer_parser import CONFINT_METHODS, DDF_METHODS, OPTIMIZERS
from .parser import METHODS, build_parser
from .step1 import one_of

__all__ = ["SHELLS", "completion", "completion_options"]

SHELLS = ("bash", "zsh", "fish", "tcsh")

#: What stands for a path on the command line.
_FILES, _FOLDERS = ("FILE", "DATA", "PLAN", "MODEL", "STUDY"), ("DIR", "FOLDER")
#: Values of options that are words from a list.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "--confint": CONFINT_METHODS,
    "--ddf": DDF_METHODS,
    "--family": tuple(name.replace(" ", "-") for name in FAMILY_NAMES),  # shells split names with blanks
    "--link": LINK_NAMES,
    "--missing": ("listwise", "ml", "pairwise"),
    "--optimizer": OPTIMIZERS,
    "--residuals": ("group", "cluster"),
    "--sampler": ("nuts", "laplace"),
}


def completion_options(arguments: argparse.Namespace, command: str = "") -> str:
    """The shell.

    Raises
    ------
    OptionError
        If there is no script for it.
    """
    return one_of("SHELL", arguments.shell, SHELLS)


def completion(shell: str) -> None:
    """Print the script."""
    import shtab

    parser = build_parser()
    for action in _actions(parser):
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        words = _WORDS.get((action.option_strings or [""])[-1])
        if words is not None:
            action.choices = words
        elif metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif metavar == "METHOD" or "--method" in action.option_strings:
            action.choices = METHODS
    sys.stdout.write(shtab.complete(parser, shell=shell) + "\n")


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of all commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
