"""How far the loadings of each group are from the common ones: after a configural model, and in a Bayesian one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..kernels.problem import LAMBDA as BAYES_LAMBDA
from .bayes_fit import BayesianBlock, BayesianFit
from .invariance import InvarianceTest
from .invariance_cells import flagged_cells
from .invariance_rules import SearchRules

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["configural_deviations", "loading_deviations"]

Array = NDArray[np.float64]

#: Ends of the 95% interval.
ENDS = (0.025, 0.975)


def configural_deviations(test: InvarianceTest, rules: SearchRules | None = None) -> pd.DataFrame:
    """Loadings of the configural model less the common ones of the metric model.

    A configural loading is only comparable up to the scale of its factor in that group. Here the scale is the one that
    brings the group's loadings closest to the common ones (least squares), so that no marker is privileged.

    Parameters
    ----------
    test
        With the levels ``"configural"`` and ``"metric"``.
    rules
        Of the score tests that decide what is flagged; the defaults of `find_noninvariance` if None.

    Returns
    -------
    pandas.DataFrame
        One row per loading and group: block, group, factor, item, parameter, loading (rescaled), common, deviation
        (in standard deviations of the item per one of the factor, both of that group), p_adjusted, flagged (False for
        loadings that are free at the metric level).

    Raises
    ------
    OptionError
        If a level is missing.
    """
    import pandas as pd

    rules = rules or SearchRules()
    frames = []
    for block in test.blocks:
        loose, strict = test.fit("configural", block), test.fit("metric", block)
        cells = flagged_cells(strict, "loadings", rules).set_index("parameter")
        own, common = (_loadings(fit) for fit in (loose, strict))
        variance = np.einsum("gqq->gq", strict.implied.Phi)
        sd = np.sqrt(np.einsum("gii->gi", strict.implied.Sigma))
        for q, factor in enumerate(strict.factors):
            rows = np.flatnonzero(np.abs(common[:, :, q]).max(axis=0) > 0)
            a, b = own[:, rows, q], common[:, rows, q]
            names = [f"{factor} =~ {strict.observed[r]}" for r in rows]
            shared = [i for i, name in enumerate(names) if name in cells.index]
            # Items whose loadings are free at the metric level say nothing about the scale.
            x, y = a[:, shared], b[:, shared]
            size = (x * x).sum(axis=1)
            scale = np.where(size > 0, (x * y).sum(axis=1) / np.where(size > 0, size, 1.0), 1.0)
            free = [i for i in range(len(rows)) if i not in shared]
            average = b.copy()
            n = strict.data.moments.n
            average[:, free] = (n @ b[:, free] / n.sum())[None, :]
            loading = a * scale[:, None]
            unit = np.sqrt(np.maximum(variance[:, [q]], 0.0)) / sd[:, rows]
            for i, r in enumerate(rows):
                item = strict.observed[r]
                frame = pd.DataFrame(
                    {
                        "block": block,
                        "group": pd.Series(list(strict.groups), dtype=object),
                        "factor": factor,
                        "item": item,
                        "parameter": f"{factor} =~ {item}",
                        "loading": loading[:, i],
                        "common": average[:, i],
                        "deviation": (loading - average)[:, i] * unit[:, i],
                        "p_adjusted": np.nan,
                        "flagged": False,
                    }
                )
                if i in shared:
                    found = cells.loc[f"{factor} =~ {item}"]  # groups in the order of the fit
                    frame["p_adjusted"] = found["p_adjusted"].to_numpy()
                    frame["flagged"] = found["flagged"].to_numpy()
                frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _loadings(fit: object) -> Array:
    """Loadings of the latent factors, shape (G, p, Q)."""
    from ..equations.fit import SEMFit
    from ..model.matrices import LAMBDA

    assert isinstance(fit, SEMFit)
    return fit.model.values_of(LAMBDA, fit.coef)[:, :, : len(fit.factors)]


def loading_deviations(fit: BayesianFit) -> pd.DataFrame:
    """Deviations of each group's loadings from their average over groups in a Bayesian model, with credible intervals.

    Parameters
    ----------
    fit
        What ``MGBCFA(...).fit()`` or ``MLCFA(...).fit()`` returned.

    Returns
    -------
    pandas.DataFrame
        One row per loading that may differ and group: block, group, factor, item, parameter, loading (posterior mean),
        common (mean over groups, each with the same weight), deviation (posterior mean of the difference), sd, lower,
        upper (95% credible interval), standardized (the deviation in standard deviations of the item per one of the
        factor, both of that group), flagged (the interval leaves out 0).

    Raises
    ------
    OptionError
        If the fit is not Bayesian, or no loading differs between groups.

    Examples
    --------
    >>> import mixsem as mx
    >>> moments = mx.simulate.draw_moments(mx.simulate.draw_truth(mx.simulate.Population(n_groups=6), seed=1), seed=1)
    >>> fit = mx.MLCFA("F =~ V1 + V2 + V3 + V4", method="laplace").fit(moments, seed=1)
    >>> frame = mx.loading_deviations(fit)
    >>> frame["item"].unique().tolist(), len(frame)
    (['V2', 'V3', 'V4'], 18)
    """
    import pandas as pd

    if not isinstance(fit, BayesianFit):
        raise OptionError(
            f"loading_deviations() got a {type(fit).__name__}",
            allowed="what MGBCFA(...).fit() or MLCFA(...).fit() returned",
            todo="after maximum likelihood, use find_noninvariance()",
        )
    frames = [frame for block in fit.blocks for frame in _block_deviations(block, fit)]
    if not frames:
        raise OptionError(
            "no loading differs between groups in this fit", allowed="random or approximately equal loadings"
        )
    return pd.concat(frames, ignore_index=True)


def _block_deviations(block: BayesianBlock, fit: BayesianFit) -> list[pd.DataFrame]:
    import pandas as pd

    from ..bayes.monitored import Monitored, monitored_draws

    problem, G = block.posterior.problem, len(fit.groups)
    Lambda, Theta, Phi, _ = block.matrices
    sd = np.sqrt(np.einsum("gii->gi", Lambda @ Phi @ Lambda.swapaxes(1, 2) + Theta))
    frames = []
    for e, row in enumerate(block.table.rows):
        free = (problem.base[:, e] >= 0) | (problem.deviation[:, e] >= 0)
        same = (problem.base[:, e] == problem.base[0, e]).all() and (
            problem.deviation[:, e] == problem.deviation[0, e]
        ).all()
        if row.op != "=~" or problem.kind[e] != BAYES_LAMBDA or not free.all() or same:
            continue
        empty = ("",) * G
        cells = Monitored(empty, ("group",) * G, empty, np.full(G, e), np.arange(G), np.full(G, -1))
        draws = monitored_draws(block.posterior, cells, block.draws.flat)
        average = draws.mean(axis=1, keepdims=True)
        difference = draws - average
        lower, upper = np.quantile(difference, ENDS, axis=0)
        q, i = block.factors.index(row.lhs), block.items.index(row.rhs)
        mean = difference.mean(axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "block": ", ".join(block.factors),
                    "group": pd.Series(list(fit.groups), dtype=object),
                    "factor": row.lhs,
                    "item": row.rhs,
                    "parameter": f"{row.lhs} =~ {row.rhs}",
                    "loading": draws.mean(axis=0),
                    "common": float(average.mean()),
                    "deviation": mean,
                    "sd": difference.std(axis=0, ddof=1),
                    "lower": lower,
                    "upper": upper,
                    "standardized": mean * np.sqrt(Phi[:, q, q]) / sd[:, i],
                    "flagged": (lower > 0) | (upper < 0),
                }
            )
        )
    return frames
