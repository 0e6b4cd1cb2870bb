"""Parts of a report, each of which may fail without the others."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import MixsemError, MixsemWarning
from ..report.document import Listing, Prose
from ..report.table import Table

__all__ = ["Item", "Part", "attempt", "first_line", "sentence"]

Item: TypeAlias = Table | Listing | Prose


@dataclass(frozen=True)
class Part:
    """One part of a report.

    Attributes
    ----------
    name
        Its anchor in the page.
    title
        Its heading.
    items
        Tables, lists and sentences, in order.
    """

    name: str
    title: str
    items: tuple[Item, ...]


def attempt(what: str, compute: Callable[[], Iterable[Item]]) -> tuple[Item, ...]:
    """What `compute` yields, or a line that says why there is nothing.

    Warnings of the fits that are made on the way are not issued: what they say belongs to these fits, not to the one
    that is reported.

    Parameters
    ----------
    what
        What is computed, to name it where it could not be.
    compute
        Computes it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixsemWarning)
            return tuple(compute())
    except MixsemError as error:
        return (sentence(f"{what}: not computed. {first_line(error)}."),)
    except Exception as error:  # one part must not take the whole report with it; the line shows what happened
        return (sentence(f"{what}: not computed, by a fault of mixsem ({type(error).__name__}: {first_line(error)})."),)


def first_line(error: Exception) -> str:
    """What happened, without what is allowed and what to do; with a capital letter, but for names of functions."""
    line = (str(error).splitlines() or [""])[0].rstrip(".")
    return line if "(" in line.split(" ")[0] else line[:1].upper() + line[1:]


def sentence(text: str) -> Prose:
    """One paragraph."""
    return Prose("", (text,))
