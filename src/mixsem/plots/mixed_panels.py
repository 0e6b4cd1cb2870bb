"""What the figures of mixed models share: which panels there are, where they are drawn, which of many points are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import OptionError, did_you_mean
from ..mixed.fit import MixedFit
from ..mixed.require import AnyFit
from ..report.values import one_line
from .style import new_figure, plain

__all__ = [
    "Effect",
    "chosen_effects",
    "draw_panels",
    "evenly",
    "level_names",
    "require_any_mixed",
    "require_mixed",
    "table_rows",
]

ACROSS = 3  # panels in a row
LONGEST = 22  # characters of a level's name


@dataclass(frozen=True)
class Effect:
    """A random effect.

    Attributes
    ----------
    factor
        Position of its grouping factor.
    group
        The factor's name.
    column
        Its place among the effects of the factor.
    name
        Its name.
    """

    factor: int
    group: str
    column: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} by {self.group}"


def require_mixed(fit: object, figure: str) -> MixedFit:
    """Refuse what is no linear mixed model.

    Raises
    ------
    OptionError
        If it is anything else than a `MixedFit`.
    """
    if not isinstance(fit, MixedFit):
        raise OptionError(
            f"{figure}() got a {type(fit).__name__}", allowed="a MixedFit", todo="give what lmer() returned"
        )
    return fit


def require_any_mixed(fit: object, figure: str) -> AnyFit:
    """Refuse what is no mixed model, linear or generalised.

    Raises
    ------
    OptionError
        If it is anything else.
    """
    from ..mixed.require import require_any_fit

    require_any_fit(fit, figure)
    return cast("AnyFit", fit)


def chosen_effects(fit: AnyFit, group: str | None, effect: str | None) -> tuple[Effect, ...]:
    """The random effects of a fit, or those of one grouping factor, or of one name; in the order of the fit.

    Raises
    ------
    OptionError
        If there is no such factor or effect.
    """
    effects, sizes = [], [0] * len(fit.design.factors)
    for term in fit.design.terms:
        for name in term.names:
            effects.append(Effect(term.factor, fit.design.factors[term.factor].name, sizes[term.factor], name))
            sizes[term.factor] += 1
    for what, value, names in (
        ("group", group, [e.group for e in effects]),
        ("effect", effect, [e.name for e in effects if group in (None, e.group)]),
    ):
        if value is not None and value not in names:
            known = list(dict.fromkeys(names))
            raise OptionError(
                f"{what}={value!r}", allowed=", ".join(known), todo=did_you_mean(str(value), known) or "choose one"
            )
    return tuple(e for e in effects if group in (None, e.group) and effect in (None, e.name))


def draw_panels(
    ax: Axes | None,
    names: Sequence[str],
    draw: Callable[[Axes, int], None],
    size: tuple[float, float],
    *,
    todo: str,
) -> Figure | Axes:
    """Draw panels into a new figure, or a single one into given axes.

    Parameters
    ----------
    ax
        The axes, or None.
    names
        What the panels show.
    draw
        Draws a panel, by its number.
    size
        Inches of a panel.
    todo
        How to choose a single panel, for the error.

    Raises
    ------
    OptionError
        If axes were given for several panels.
    """
    if ax is not None:
        if len(names) > 1:
            raise OptionError(f"ax= for {len(names)} panels: {', '.join(names)}", allowed="one panel", todo=todo)
        draw(ax, 0)
        return ax
    across = min(len(names), 2 if len(names) == 4 else ACROSS)
    down = -(-len(names) // across)
    figure = new_figure(size[0] * across + 0.2, size[1] * down + 0.1)
    for i in range(len(names)):
        draw(figure.add_subplot(down, across, i + 1), i)
    return figure


def evenly(n: int, most: int) -> NDArray[np.bool_]:
    """Which of n points in order are drawn, if no more than `most` are: first, last, and others evenly between.

    Examples
    --------
    >>> evenly(5, 9), np.flatnonzero(evenly(1001, 3))
    (array([ True,  True,  True,  True,  True]), array([   0,  500, 1000]))
    """
    drawn = np.zeros(n, dtype=bool)
    drawn[np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))] = True
    return drawn


def table_rows(fit: AnyFit) -> NDArray[np.int64]:
    """Positions of the rows of the fit in the table that was given, (n,)."""
    rows = fit.design.rows
    return np.arange(fit.nobs, dtype=np.int64) if rows is None else rows


def level_names(levels: Iterable[object]) -> list[str]:
    """Labels of levels, cut where they are long."""
    labels = [one_line(level) for level in levels]
    return [plain(label if len(label) <= LONGEST else label[: LONGEST - 1] + "…") for label in labels]
