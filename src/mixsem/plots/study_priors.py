"""How well loadings are recovered with each prior variance, by how much they differ in truth: a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..errors import OptionError
from .study_rows import StudyLike, level_name, measure_values, study_rows, summarise
from .style import INK, MUTED, dress, new_figure, readable_on

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["study_priors", "study_priors_data"]

TRUTH = "loading_variance"
#: White is as good as with the true prior variance, blue better, red worse.
_COLORS = LinearSegmentedColormap.from_list("loss", ["#0072B2", "#FFFFFF", "#C2410C"])


@overload
def study_priors(results: StudyLike, measure: str = ..., *, method: str | None = ..., ax: None = None) -> Figure: ...
@overload
def study_priors(results: StudyLike, measure: str = ..., *, method: str | None = ..., ax: Axes) -> Axes: ...
def study_priors(
    results: StudyLike, measure: str = "rmse_loading", *, method: str | None = None, ax: Axes | None = None
) -> Figure | Axes:
    """Draw a measure for each true variance of the loadings' differences (rows) and each prior variance (columns).

    Framed cells have the true prior. A cell is red where the measure is larger than with the true prior, blue where it
    is smaller, and empty where nothing was run.

    Parameters
    ----------
    results
        What `run_study` or `read_results` returned, of a study that crosses ``loading_variance``, with a method that
        has several prior variances.
    measure
        What to draw, as in `study_interactions`: the RMSE of loadings, averaged over them, or another.
    method
        Method; the first that has the measure if None.
    ax
        Axes to draw into; without them a figure is made.

    Returns
    -------
    matplotlib Figure or Axes
        The axes that were given, else the new figure.

    Raises
    ------
    OptionError
        If the study does not vary both.
    """
    data = study_priors_data(results, measure, method=method)
    truths, priors = ([float(v) for v in sorted(set(data[name]))] for name in (TRUTH, "prior_variance"))
    values, over = np.full((len(truths), len(priors)), np.nan), np.full((len(truths), len(priors)), np.nan)
    for row in data.to_dict("records"):
        at = truths.index(row[TRUTH]), priors.index(row["prior_variance"])
        values[at], over[at] = row["mean"], row["difference"]
    figure = new_figure(1.7 + 0.75 * len(priors), 0.9 + 0.5 * len(truths)) if ax is None else None
    axes = figure.add_subplot() if figure is not None else ax
    assert axes is not None
    most = float(np.nanmax(np.abs(over), initial=0.0)) if np.isfinite(over).any() else 0.0
    shade = np.where(np.isfinite(values), np.nan_to_num(over), np.nan)
    axes.imshow(shade, cmap=_COLORS, vmin=-(most or 1.0), vmax=most or 1.0, aspect="auto")
    for i, j in zip(*np.nonzero(np.isfinite(values)), strict=True):
        r, g, b = (float(c) for c in _COLORS(0.5 + 0.5 * shade[i, j] / (most or 1.0))[:3])
        color = readable_on((r, g, b))
        axes.text(j, i, f"{values[i, j]:z.3f}", ha="center", va="center", fontsize=8, color=color)
        if truths[i] == priors[j]:
            axes.plot(
                [j - 0.47, j + 0.47, j + 0.47, j - 0.47, j - 0.47], [i - 0.45, i - 0.45, i + 0.45, i + 0.45, i - 0.45],
                color=INK, linewidth=1.0, gid=f"true {i}",
            )  # fmt: skip
    dress(axes)
    axes.spines[:].set_visible(False)
    axes.set_xticks(range(len(priors)), [level_name(v) for v in priors])
    axes.set_yticks(range(len(truths)), [level_name(v) for v in truths])
    axes.tick_params(length=0, colors=MUTED, labelcolor=INK)
    axes.set(xlabel="Prior variance", ylabel="True variance of differences")
    return axes if figure is None else figure


def study_priors_data(results: StudyLike, measure: str = "rmse_loading", *, method: str | None = None) -> pd.DataFrame:
    """Return what `study_priors` draws.

    Returns
    -------
    pandas.DataFrame
        One row per true and applied variance of which there are data sets: ``loading_variance``, ``prior_variance``,
        ``mean``, ``sd``, ``n``, ``se``, and ``difference`` of the mean from that with the true prior (NaN if that was
        not run).
    """
    import pandas as pd

    frame = study_rows(results, measure, method, "all", "study_priors")
    if TRUTH not in frame or not (frame["variant"] != "").any():
        raise OptionError(
            "there are no prior variances to compare",
            allowed="a study that crosses loading_variance, with a method that has several prior variances",
        )
    frame = frame[frame["variant"] != ""]
    values = measure_values(results, frame, measure)
    applied = frame["variant"].astype(float)
    rows: list[dict[str, Any]] = []
    for truth in sorted(set(frame[TRUTH].astype(float))):
        for prior in sorted(set(applied)):
            found = summarise(values[(frame[TRUTH].astype(float) == truth) & (applied == prior)])
            if found["n"]:
                rows.append({TRUTH: truth, "prior_variance": prior, **found})
    diagonal = {r[TRUTH]: r["mean"] for r in rows if r[TRUTH] == r["prior_variance"]}
    return pd.DataFrame([{**r, "difference": r["mean"] - diagonal.get(r[TRUTH], float("nan"))} for r in rows])
