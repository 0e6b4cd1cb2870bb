"""Tables and texts as files: the suffix says the form, and a file is written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..data.archive import write_whole
from ..errors import OutputError
from .values import escape_html

__all__ = ["save_as", "word_document"]

#: The look of running text in a page that is opened by Word.
_STYLE = "body{font:12pt 'Times New Roman',Times,serif;color:#000}"


def save_as(path: str | Path, forms: Mapping[str, Callable[[], str]]) -> Path:
    """Write one of several forms of a thing to a file, by the suffix of its name.

    Parameters
    ----------
    path
        Where to write; a file of this name is replaced.
    forms
        For each suffix, such as ``".tex"``, what makes the text.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the suffix is none of these, or the file cannot be written; then nothing has changed.
    """
    target = Path(path)
    make = forms.get(target.suffix.lower())
    if make is None:
        suffix = f"the suffix {target.suffix!r}" if target.suffix else "no suffix"
        raise OutputError(
            f"{target} has {suffix}", allowed=", ".join(forms), todo="choose the form by the end of the name"
        )
    if target.is_dir():
        raise OutputError(f"{target} is a folder", todo="choose another name")
    text = make()
    write_whole(target, (text if text.endswith("\n") else f"{text}\n").encode("utf-8", "replace"))
    return target


def word_document(title: str, body: str) -> str:
    """A page of its own that browsers and Word open; what is in it can be pasted into a manuscript."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape_html(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
