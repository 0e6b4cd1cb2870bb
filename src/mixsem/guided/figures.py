"""The figures of a report, drawn when a page is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..mixed.fit import MixedFit
from ..mixed.variance.intraclass import icc
from ..mixed.variance.sources import has_slopes
from .estimates import has_icc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..mixed.require import AnyFit

__all__ = ["FigurePlan", "drawn", "figure_plans"]


@dataclass(frozen=True)
class FigurePlan:
    """A figure that can be drawn.

    Attributes
    ----------
    name
        Its anchor in the page.
    title, caption
        What it shows, and how to read it.
    draw
        Draws it.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


def _spread(fit: AnyFit) -> str:
    """What the spread of residuals tells; with two values of the response it follows from their means."""
    if np.unique(fit.design.y).size == 2:
        return "the response has two values, which give two curves of points, and their spread tells little."
    return "a line that rises or falls points to residual variances that differ."


def figure_plans(fit: AnyFit) -> Iterator[FigurePlan]:
    """The figures of a fit, in order."""
    from .. import plots

    linear = isinstance(fit, MixedFit)
    yield FigurePlan(
        "caterpillar",
        "Random effects of each level",
        "Conditional modes with 95% intervals, the largest on top. Filled: the interval leaves out 0. The band is one"
        " standard deviation to either side. Intervals take fixed effects and variances as known.",
        lambda: plots.caterpillar(fit),
    )
    if isinstance(fit, MixedFit):
        yield FigurePlan(
            "shrinkage",
            "What partial pooling does",
            "Arrows lead from the coefficients that the rows of a level give by themselves to those of the model, which"
            " are nearer to the fixed effects: the more so, the less the rows of the level say.",
            lambda: plots.shrinkage(fit),
        )
    against = "fitted values" if linear else "linear predictors"
    yield FigurePlan(
        "residuals",
        f"Residuals and {against}",
        "Residuals in standard deviations. Left: a line that leaves 0 points to a relation that is not straight. Right:"
        f" {_spread(fit)}",
        lambda: plots.mixed_residuals(fit),
    )
    yield FigurePlan(
        "quantiles",
        f"{'Residuals and random' if linear else 'Random'} effects against the normal distribution",
        "Points on the line are normal; 95% of them would be in the band, each by itself.",
        lambda: plots.qq(fit),
    )
    if has_slopes(fit.design.terms) and has_icc(fit):
        yield FigurePlan(
            "icc",
            "Intraclass correlation",
            "Correlation of two rows of a level that have the same value of the predictor. Dots are the values of the"
            " table above.",
            lambda: plots.icc(icc(fit)),
        )


def drawn(plan: FigurePlan) -> str:
    """The figure as it stands in a page, with its caption, or a line that says why it is missing."""
    from ..report.page import figure_html, paragraph
    from ..report.svg import inline_svg

    try:
        svg = inline_svg(plan.draw(), name=plan.name, title=plan.title, description=plan.caption)
    except Exception as error:  # a figure less is no reason to have no report
        return paragraph(
            f"{plan.title}: not drawn ({str(error).splitlines()[0] if str(error) else type(error).__name__})."
        )
    return figure_html(svg, f"{plan.title}. {plan.caption}")
