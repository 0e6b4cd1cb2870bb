"""Mixed models with the cluster means of their predictors: differences within clusters and between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, OptionError, enumerate_briefly
from ..derived.frame_table import FrameTable
from ..derived.refit import unwritten_offset
from ..designs.fixed_part import INTERCEPT
from ..designs.rank import independent_columns
from ..fit import MixedFit
from ..inference.ddf import Asymptotic, inference_of, require_level, t_table
from ..linear import LinearMixedModel
from .fixed_effects import CONSTANT, cluster_means, fit_within
from .source import ClusteredRegression, clustered_regression, refuse_generalised

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WithinBetween", "within_between"]

Array = NDArray[np.float64]

#: Differences from the within estimator below this, in standard errors, are the optimiser's and rounding's.
SAME = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class WithinBetween(FrameTable):
    """Effects within and between clusters.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has name, effect (``"within"``, ``"between"``, ``"contextual"``, or ``""`` for what has no
        parts), estimate, se, df, t, p_value, lower, upper.
    test
        That no predictor has a contextual effect: test, statistic, num_df, den_df, p_value; chi-square in the first
        row, F in the second.
    fit
        The model fitted: the given one with the means of clusters added.
    """

    test: FrameTable
    fit: MixedFit

    def __repr__(self) -> str:
        return f"{self.table!r}\n\n{self.test!r}"

    def _repr_html_(self) -> str:
        return self.table._repr_html_() + self.test._repr_html_()


def within_between(
    model: MixedFit | str,
    data: FrameLike | None = None,
    *,
    cluster: str | None = None,
    reml: bool = True,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    level: float = 0.95,
) -> WithinBetween:
    """Tell effects within clusters from effects between them, by adding the means of clusters (Mundlak's model).

    A random intercept may be correlated with a predictor, which then has another effect between clusters than within
    them; a plain mixed model mixes the two. With the cluster means as further predictors, the coefficient of a
    predictor is its effect within clusters, as of `within`, and that of its mean is the *contextual* effect: between
    minus within. The hybrid model, with deviations from the means and the means, is the same model in other
    coefficients: its *between* effect is the sum of the two.

    Parameters
    ----------
    model
        A fit of `lmer`; or its formula, with `data`. A formula without random terms is given a random intercept of
        `cluster`.
    data
        The table of the formula; with a fit only if `cluster` is a column that the fit did not use.
    cluster
        The clustering variable. By default the only grouping factor, or the one in which all others are nested.
    reml, weights, offset
        Of a formula, as in `lmer`; as before if a fit is given. With weights the means of clusters are weighted ones.
    level
        Confidence level of the limits.

    Returns
    -------
    WithinBetween
        Prints as two tables: the effects, and the test that contextual effects are zero (Hausman's question).

    Raises
    ------
    DataError
        If no predictor varies both within and between clusters, beyond what others say, or the table is not that of
        the fit.
    OptionError
        If an argument is none of what is allowed; with crossed factors, if `cluster` is not named.
    ModelError
        If the fit is none of `lmer`.

    Notes
    -----
    Mundlak (1978), Econometrica 46, 69-85. Bell, Fairbrother & Jones (2019), Quality & Quantity 53, 1051-1074, doi
    10.1007/s11135-018-0802-x. Columns of factors and interactions have means too.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> g = np.repeat(np.arange(50), 4)
    >>> u = rng.normal(size=50)
    >>> x = u[g] + rng.normal(size=200)
    >>> found = within_between("y ~ x", {"y": x + 2 * u[g] + rng.normal(size=200), "x": x, "g": g}, cluster="g")
    >>> found.frame[["name", "effect", "estimate", "se"]].round(2)
              name      effect  estimate    se
    0  (Intercept)                  0.18  0.11
    1            x      within      1.01  0.08
    2            x     between      2.76  0.11
    3            x  contextual      1.75  0.13
    """
    level = require_level(level)
    refuse_generalised(
        model,
        "within_between",
        "it adds means to linear models only",
        "add the cluster means to the table, and fit again with them as predictors",
    )
    source = clustered_regression(model, data, cluster, weights=weights, offset=offset)
    means, balanced, lost = _means(source)
    fit = _fit_with(source, model if isinstance(model, MixedFit) else None, means, reml)
    kept = list(means)
    frame = _frame(fit, kept, level)
    notes = (*_notes(source, fit, kept, balanced, lost), *source.notes)
    return WithinBetween(f"Within and between {source.cluster.name}", frame, notes, _test(fit, kept), fit)


def _means(source: ClusteredRegression) -> tuple[dict[str, Array], list[str], list[str]]:
    """Cluster means that say something new; columns with equal means, and those whose means follow from others."""
    X, names = source.design.X, source.names
    means = cluster_means(X, source)
    size = np.linalg.norm(X, axis=0)
    inside = np.linalg.norm(X - means, axis=0) > CONSTANT * size
    across = np.linalg.norm(means - means.mean(axis=0), axis=0) > CONSTANT * size
    both = np.flatnonzero(inside & across)
    places = independent_columns(np.column_stack([X, means[:, both]]), intercept=names[:1] == (INTERCEPT,))
    new = [j for i, j in enumerate(both.tolist()) if len(names) + i in places]
    name = source.cluster.name
    if not len(both):
        raise DataError(
            f"no predictor varies both within {name} and between its levels",
            allowed="one or more predictors whose means differ between clusters",
            todo="effects are within or between already: the model given needs no means",
        )
    lost = [names[j] for j in both if j not in new]
    if not new:
        raise DataError(
            f"the means by {name} of {enumerate_briefly(lost)} follow from other predictors of the model",
            allowed="one or more predictors whose means say something new of clusters",
            todo="effects are within or between already: the model given needs no means",
        )
    return (
        {names[j]: means[:, j] for j in new},
        [n for n, a, b in zip(names, inside, across, strict=True) if a and not b],
        lost,
    )


def _mean(name: str) -> str:
    return f"mean({name})"


def _fit_with(source: ClusteredRegression, fit: MixedFit | None, means: dict[str, Array], reml: bool) -> MixedFit:
    """The model with the means as further columns."""
    design = source.design
    taken = [_mean(name) for name in means if _mean(name) in design.frame.columns]
    if taken:
        raise OptionError(f"the table has columns {enumerate_briefly(taken)}", todo="give them other names")
    text = " + ".join([design.formula.text, *(f"`{_mean(name)}`" for name in means)])
    frame = design.frame.assign(**{_mean(name): values for name, values in means.items()})
    specification = LinearMixedModel(text, reml) if fit is None else replace(fit.specification, formula=text)
    return specification.fit(frame, weights=design.weights, offset=unwritten_offset(design))


def _frame(fit: MixedFit, kept: Sequence[str], level: float) -> pd.DataFrame:
    """Within, between and contextual effects of columns with means, the coefficients of the others."""
    names = fit.design.fixed_names
    place = {name: np.eye(len(names))[j] for j, name in enumerate(names)}
    rows: list[tuple[str, str, Array]] = []
    for name in names:
        if name in kept:
            extra = place[_mean(name)]
            rows += [
                (name, "within", place[name]),
                (name, "between", place[name] + extra),
                (name, "contextual", extra),
            ]
        elif name not in map(_mean, kept):
            rows.append((name, "", place[name]))
    frame = t_table(inference_of(fit), np.array([row for _, _, row in rows]), level)
    frame.insert(0, "effect", [effect for _, effect, _ in rows])
    frame.insert(0, "name", [name for name, _, _ in rows])
    return frame


def _test(fit: MixedFit, kept: Sequence[str]) -> FrameTable:
    """Wald test that all contextual effects are zero."""
    import pandas as pd
    from scipy.stats import chi2
    from scipy.stats import f as fisher

    names = fit.design.fixed_names
    L = np.eye(len(names))[[names.index(_mean(name)) for name in kept]]
    zero = np.zeros(len(L))
    wald, q, _ = Asymptotic(fit.beta, fit.sigma**2 * fit.state.unscaled_vcov).joint(L, zero)
    f, num, den = inference_of(fit).tests.joint(L, zero)
    records = [
        {"test": "chi-square (Wald)", "statistic": q * wald, "num_df": q, "p_value": float(chi2.sf(q * wald, q))},
        {"test": "F (Satterthwaite)", "statistic": f, "num_df": num, "den_df": den, "p_value": fisher.sf(f, num, den)},
    ]
    columns = ["test", "statistic", "num_df", "den_df", "p_value"]
    notes = (
        f"Hypothesis: no contextual effects, {', '.join(map(_mean, kept))} = 0 (Hausman's question: are effects within"
        " and between clusters the same?). Where they are not, a model without the means mixes the two.",
    )
    return FrameTable("Test of the cluster means", pd.DataFrame(records, columns=columns), notes)


def _notes(
    source: ClusteredRegression, fit: MixedFit, kept: Sequence[str], balanced: Sequence[str], lost: Sequence[str]
) -> Iterator[str]:
    name = source.cluster.name
    yield (
        f"within: rows of one level of {name} compared; between: its levels compared; contextual: the difference, the"
        " coefficient of the mean in Mundlak's model. The hybrid model has within and between as its coefficients."
    )
    if source.design.weights is not None:
        yield f"Means of {name} are weighted by the weights of the rows, as within() weighs them."
    alone = fit_within(source, "classical")
    estimate = dict(zip(alone.names, alone.solution.beta.tolist(), strict=True))
    se = fit.se
    gaps = {n: abs(float(fit.fixef[n]) - estimate[n]) / float(se[n]) for n in kept if n in estimate}
    if gaps:
        worst = max(gaps, key=gaps.__getitem__)
        if gaps[worst] < SAME:
            yield "The within effects are those of the fixed effects estimator."
        else:
            yield (
                f"The within effects differ from those of the fixed effects estimator by up to {gaps[worst]:.2g}"
                f" standard errors ({worst}): random slopes or further grouping factors weigh clusters otherwise."
            )
    if balanced:
        yield (
            f"{enumerate_briefly(list(balanced))}: the same mean in all levels of {name}, so within effects already."
        )
    if lost:
        yield f"No contextual effect of {enumerate_briefly(list(lost))}: the means follow from other predictors."
