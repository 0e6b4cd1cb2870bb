"""Figures as SVG files that everybody can read: text as text, a title and a description."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from ..errors import OptionError
from ..report.saving import save_as
from ..report.svg import svg_document

__all__ = ["save_svg"]


def save_svg(figure: Figure, path: str | Path, *, title: str, description: str = "") -> Path:
    """Write a figure to an SVG file, whole or not at all.

    Text stays text: it can be searched and edited, and is set in a sans-serif font of the reader's machine. The same
    figure gives the same bytes.

    Parameters
    ----------
    figure
        What a function of this module returned.
    path
        A name that ends in ``.svg``; a file of this name is replaced.
    title
        What it shows, in a few words: screen readers say it, and browsers show it.
    description
        The same at length, such as the paths of a diagram, for those who cannot see it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OptionError
        If `figure` is no figure, or there is no title.
    OutputError
        If the name does not end in ``.svg``, or the file cannot be written; then nothing has changed.

    Examples
    --------
    >>> import tempfile
    >>> import mixsem as mx
    >>> fit = mx.sem("y1 ~ x1 + x2", mx.simulate_data("y1 ~ .4*x1 + .2*x2", n=100, seed=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = mx.plots.save_svg(mx.plots.paths(fit), f"{folder}/paths.svg", title="Paths")
    ...     "<title" in path.read_text(encoding="utf-8")
    True
    """
    if not isinstance(figure, Figure):
        raise OptionError(
            f"save_svg() got {type(figure).__name__}",
            allowed="a matplotlib Figure",
            todo="give what a function of mixsem.plots returned without ax=; axes have theirs in ax.figure",
        )
    if not isinstance(title, str) or not title.strip():
        raise OptionError(f"title={title!r}", allowed="text", todo="say in a few words what the figure shows")
    return save_as(path, {".svg": lambda: svg_document(figure, title=title, description=description)})
