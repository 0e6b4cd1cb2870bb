"""Principal components of random effects: how many dimensions do they have?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..derived.frame_table import FrameTable
from ..require import require_any_fit

if TYPE_CHECKING:
    from ..estimates import MixedEstimates

__all__ = ["re_pca"]


def re_pca(fit: MixedEstimates) -> FrameTable:
    """Principal components of the random effects of each grouping factor.

    Parameters
    ----------
    fit
        The fit.

    Returns
    -------
    FrameTable
        Prints as a table. ``.frame`` has group, component (from 1), sd (relative to the residual standard deviation),
        proportion and cumulative (of the variance of the random effects of the factor).

    Notes
    -----
    As ``rePCA()`` of lme4: random effects are in the units of the model, so that predictors in other units lead to
    other components. Components with a proportion of 0 are directions without variance, which a simpler random part
    can do without. Bates, Kliegl, Vasishth & Baayen (2015), Parsimonious mixed models, arXiv 1506.04967.

    Examples
    --------
    >>> import mixsem as mx
    >>> pca = mx.re_pca(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy()))
    >>> pca.frame.round(3)
         group  component     sd  proportion  cumulative
    0  Subject          1  0.967       0.946       0.946
    1  Subject          2  0.231       0.054       1.000
    """
    import pandas as pd

    require_any_fit(fit, "re_pca")
    rows: list[tuple[object, ...]] = []
    for factor, lam in zip(fit.design.factors, fit.model.theta_map.lambdas(fit.theta), strict=True):
        sds = np.linalg.svd(lam, compute_uv=False)
        total = float((sds**2).sum())
        shares = sds**2 / total if total > 0.0 else np.full(len(sds), np.nan)
        for i, (sd, share, sum_so_far) in enumerate(zip(sds, shares, np.cumsum(shares), strict=True)):
            rows.append((factor.name, i + 1, float(sd), float(share), float(sum_so_far)))
    frame = pd.DataFrame(rows, columns=["group", "component", "sd", "proportion", "cumulative"])
    note = "SDs relative to the residual SD; random effects in the units of the model."
    return FrameTable("Principal components of the random effects", frame, (note,))
