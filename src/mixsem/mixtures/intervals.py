"""Confidence intervals of direct, indirect and total effects in every cluster, and of what is defined from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import OptionError
from ..structural.fit import MixtureFit
from .effects import Effect, effect_values, effects_of
from .errors import StandardErrors
from .known import errors_of
from .linear import adjusted_once, normal_tests, require_level, standard_error
from .quantities import evaluate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Intervals", "intervals"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Intervals(Displayed):
    """Effects in every cluster with their confidence intervals.

    Attributes
    ----------
    errors
        The standard errors behind them; ``errors.fit`` is the mixture.
    effects
        One row per effect and cluster: effect (its name, such as ``"indirect(y ~ x)"``), kind (``"direct"``,
        ``"indirect"``, ``"total"``, ``"defined"``), outcome, predictor, cluster (missing for what was defined over
        clusters), estimate, se, z, p_value, lower, upper. Only the estimate is there where everything is fixed.
    differences
        One row per effect and pair of clusters: effect, kind, cluster, other, estimate (the first minus the other),
        se, z, p_value, lower, upper, p_holm, p_fdr; p-values are adjusted over all effects of the same kind.
    level
        Confidence level.
    """

    errors: StandardErrors
    effects: pd.DataFrame
    differences: pd.DataFrame
    level: float

    @property
    def fit(self) -> MixtureFit:
        """The mixture."""
        return self.errors.fit


@dataclass(frozen=True, eq=False, slots=True)
class _Row:
    """One effect: its names, and its values and derivatives in the clusters it is defined for."""

    name: str
    kind: str
    outcome: str | None
    predictor: str | None
    clusters: tuple[int | None, ...]
    values: Array
    gradients: Array


def intervals(
    fit: MixtureFit,
    errors: StandardErrors | None = None,
    *,
    level: float = 0.95,
    define: Mapping[str, str] | None = None,
) -> Intervals:
    """Confidence intervals of regressions, indirect and total effects in every cluster, and of their differences.

    Effects are those of the clusters' regressions B_k: total effects are (I - B_k)^-1 - I, indirect effects what is
    left of them without the regression itself. Their standard errors follow from those of the regressions by the
    delta method with exact derivatives. The intervals are symmetric; the distribution of a product is not where its
    terms are small, and then a bootstrap tells more.

    Parameters
    ----------
    fit
        A mixture with one number of clusters.
    errors
        Its standard errors; `standard_errors` with its defaults if None.
    level
        Confidence level.
    define
        Further quantities by name, what ``:=`` is elsewhere (a label in the structural model makes a regression equal
        over clusters): ``{"ind": "(m ~ x) * (y ~ m)"}`` is computed in every cluster, and
        ``{"gap": "y ~ x[1] - y ~ x[2]"}`` once. ``indirect(y ~ x)`` and ``total(y ~ x)`` may be used, and the functions
        of model syntax.

    Returns
    -------
    Intervals
        Prints as tables; its attributes are data frames. Indirect and total effects are listed for every pair of
        factors joined by a path through others; where there is none, the total effect is the regression.

    Raises
    ------
    OptionError
        If an option is none of those allowed, or `define` names what the model does not have.
    ModelSyntaxError
        If a definition cannot be read.
    ModelError
        If a definition has no value.

    Examples
    --------
    >>> import mixsem as mx
    >>> truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=24, n_clusters=2, beta=0.4), seed=1)
    >>> moments = mx.FactorMoments.from_covariances(
    ...     truth.Phi, n=[200] * 24, factors=["F1", "F2", "F3", "F4"], groups=range(24)
    ... )
    >>> fit = mx.StructuralMixture("F3 ~ F1 + F2; F4 ~ F1 + F3", k=2).fit(moments, seed=1)
    >>> found = mx.intervals(fit)
    >>> sorted(set(found.effects["effect"]) - {"F3 ~ F1", "F3 ~ F2", "F4 ~ F1", "F4 ~ F3"})
    ['indirect(F4 ~ F1)', 'indirect(F4 ~ F2)', 'total(F4 ~ F1)', 'total(F4 ~ F2)']

    References
    ----------
    Sobel (1982), Asymptotic confidence intervals for indirect effects in structural equation models. Sociological
    Methodology 13, 290-312. Bollen (1987), Total, direct, and indirect effects in structural equation models.
    Sociological Methodology 17, 37-69.
    """
    level = require_level(level)
    errors = errors_of(fit, errors, "intervals")
    rows = [_of_effect(fit, effect) for effect in effects_of(fit.path)]
    rows += _defined(fit, define, {row.name for row in rows})
    return Intervals(errors, _effects(rows, errors, level), _differences(rows, errors, level), level)


def _of_effect(fit: MixtureFit, effect: Effect) -> _Row:
    values, gradients = effect_values(fit, effect)
    names = fit.path.nodes
    clusters = tuple(range(1, fit.k + 1))
    return _Row(effect.name, effect.kind, names[effect.outcome], names[effect.predictor], clusters, values, gradients)


def _defined(fit: MixtureFit, define: Mapping[str, str] | None, taken: set[str]) -> list[_Row]:
    """The rows of what was defined."""
    if define is None:
        return []
    if not isinstance(define, Mapping):
        raise OptionError(
            f"define= is a {type(define).__name__}",
            allowed="names and expressions, such as {'ind': '(m ~ x) * (y ~ m)'}",
        )
    rows = []
    for name, text in define.items():
        if not isinstance(name, str) or not name.strip() or name in taken:
            raise OptionError(f"define= names {name!r}", allowed="names that no effect of the model has")
        found = evaluate(fit, text)
        values, gradients = np.array([q.value for q in found]), np.array([q.gradient for q in found])
        rows.append(_Row(name, "defined", None, None, tuple(q.cluster for q in found), values, gradients))
    return rows


def _effects(rows: list[_Row], errors: StandardErrors, level: float) -> pd.DataFrame:
    import pandas as pd

    values, gradients = np.concatenate([r.values for r in rows]), np.concatenate([r.gradients for r in rows])
    every = [(row, cluster) for row in rows for cluster in row.clusters]
    return pd.DataFrame(
        {
            "effect": [row.name for row, _ in every],
            "kind": [row.kind for row, _ in every],
            "outcome": [row.outcome for row, _ in every],
            "predictor": [row.predictor for row, _ in every],
            "cluster": pd.array([cluster for _, cluster in every], dtype="Int64"),
            **normal_tests(values, standard_error(gradients, errors.vcov), level),
        }
    )


def _differences(rows: list[_Row], errors: StandardErrors, level: float) -> pd.DataFrame:
    import pandas as pd

    several = [row for row in rows if row.clusters[0] is not None]
    every = [(row, a, b) for row in several for a, b in combinations(range(errors.fit.k), 2)]
    values = np.array([row.values[a] - row.values[b] for row, a, b in every])
    gradients = np.array([row.gradients[a] - row.gradients[b] for row, a, b in every])
    se = standard_error(gradients.reshape(len(every), errors.coefficients.size), errors.vcov)
    # What is equal over clusters, or fixed, does not differ, and that is no test.
    kept = np.flatnonzero(~np.isnan(se)) if np.isfinite(errors.vcov).all() else np.arange(len(every))
    chosen = [every[i] for i in kept]
    tests = normal_tests(values[kept], se[kept], level)
    adjusted = adjusted_once(tests["p_value"], range(len(chosen)), [row.kind for row, _, _ in chosen])
    return pd.DataFrame(
        {
            "effect": [row.name for row, _, _ in chosen],
            "kind": [row.kind for row, _, _ in chosen],
            "cluster": np.array([a + 1 for _, a, _ in chosen], dtype=int),
            "other": np.array([b + 1 for _, _, b in chosen], dtype=int),
            **tests,
            **adjusted,
        }
    )
