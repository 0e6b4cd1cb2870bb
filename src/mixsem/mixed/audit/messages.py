"""Pages of help for every message, by their stable identifiers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ...errors import MixsemWarning, Notice, OptionError, did_you_mean, enumerate_briefly
from ...options import shown

__all__ = ["MessagePage", "explain", "message_pages"]


@dataclass(frozen=True, repr=False)
class MessagePage:
    """The page of a message; prints as its text.

    Attributes
    ----------
    identifier
        Such as ``"MX101"``.
    title
        What the message is about.
    text
        The page, in Markdown: what, where, why, what to do.
    """

    identifier: str
    title: str
    text: str

    def __repr__(self) -> str:
        # links lead to other pages: their words are enough on a console
        return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", self.text).strip()

    def _repr_markdown_(self) -> str:
        return re.sub(r"\[([^\]]+)\]\((?!http)[^)]+\)", r"\1", self.text)


@cache
def message_pages() -> Mapping[str, MessagePage]:
    """All pages by identifier.

    Examples
    --------
    >>> message_pages()["MX101"].title
    'boundary fit (singular fit)'
    """
    pages = {}
    for entry in sorted((files(__package__) / "pages").iterdir(), key=lambda entry: entry.name):
        text = entry.read_text(encoding="utf-8")
        identifier, title = text.splitlines()[0].removeprefix("# ").split(": ", 1)
        pages[identifier] = MessagePage(identifier, title, text)
    return pages


def explain(message: str | Notice | type[MixsemWarning]) -> MessagePage:
    """Show what a message means, why it is likely, and what to do, in which order.

    Parameters
    ----------
    message
        The identifier in square brackets at its end, such as ``"MX101"``; or a notice of a fit, or a warning's class.

    Returns
    -------
    MessagePage
        Prints as its text.

    Raises
    ------
    OptionError
        If there is no such message.

    Examples
    --------
    >>> print(str(explain("MX128")).splitlines()[0])
    # MX128: a random slope without its fixed effect
    """
    pages = message_pages()
    identifier = message if isinstance(message, str) else str(getattr(message, "identifier", ""))
    found = pages.get(identifier.strip().strip("[]").upper())
    if found is None:
        raise OptionError(
            f"no message {shown(identifier or message)}",
            allowed=enumerate_briefly(list(pages), limit=30),
            todo=did_you_mean(identifier, pages) or "give the identifier at the end of the message, such as MX101",
        )
    return found
