"""Random effects of a fit: conditional modes and their uncertainty, and coefficients of each level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from ..designs.grouping import GroupingFactor
    from ..estimates import MixedEstimates

__all__ = ["RandomEffects", "level_coefficients", "random_effects"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class RandomEffects:
    """Conditional modes of the random effects, deviations from the fixed effects.

    Attributes
    ----------
    factors
        The grouping factors.
    effects
        Names of the random effects of each factor, those of all its terms.
    modes
        (n_f, k_f) the modes of each factor.
    covariances
        (n_f, k_f, k_f) their covariance matrices given the response, fixed effects and theta taken as known.
    """

    factors: tuple[GroupingFactor, ...]
    effects: tuple[tuple[str, ...], ...]
    modes: tuple[Array, ...]
    covariances: tuple[Array, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the grouping factors."""
        return tuple(factor.name for factor in self.factors)

    @property
    def frame(self) -> pd.DataFrame:
        """All of them, in lme4's order: group, level, effect, estimate, sd (conditional standard deviation)."""
        parts = []
        for factor, effects, modes, covariances in zip(
            self.factors, self.effects, self.modes, self.covariances, strict=True
        ):
            n, k = modes.shape
            levels = np.empty(n, dtype=object)
            levels[:] = factor.levels
            columns = {
                "group": np.repeat(np.array([factor.name], dtype=object), n * k),
                "level": np.tile(levels, k),
                "effect": np.repeat(np.array(effects, dtype=object), n),
                "estimate": modes.T.ravel(),
                "sd": np.sqrt(np.diagonal(covariances, axis1=1, axis2=2)).T.ravel(),
            }
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def to_pandas(self) -> pd.DataFrame:
        """As `frame`."""
        return self.frame

    def wide(self, group: str | None = None) -> pd.DataFrame:
        """Modes of one grouping factor: a row per level, a column per effect.

        Parameters
        ----------
        group
            The factor; may be left out if there is one only.
        """
        f = _position(self.groups, group)
        return _by_level(self.factors[f], self.modes[f], self.effects[f])

    def covariance(self, group: str | None = None) -> Array:
        """Conditional covariance matrices of one grouping factor, (n_f, k_f, k_f), in the order of its levels."""
        return self.covariances[_position(self.groups, group)]

    def __repr__(self) -> str:
        return repr(self.frame)

    def _repr_html_(self) -> str:
        return str(self.frame._repr_html_())  # type: ignore[operator]


def random_effects(fit: MixedEstimates) -> RandomEffects:
    """The random effects of a fit."""
    return RandomEffects(fit.design.factors, _effects(fit), fit.state.b, fit.conditional_covariances)


def level_coefficients(fit: MixedEstimates, group: str | None) -> pd.DataFrame | dict[str, pd.DataFrame]:
    """Fixed plus random effects of each level; see `MixedFit.coef`."""
    names = tuple(factor.name for factor in fit.design.factors)
    if group is None:
        return {name: _coefficients(fit, f) for f, name in enumerate(names)}
    return _coefficients(fit, _position(names, group))


def _coefficients(fit: MixedEstimates, f: int) -> pd.DataFrame:
    effects, fixed = _effects(fit)[f], fit.fixef
    # as in lme4, effects without a fixed one come first
    names = [name for name in effects if name not in fixed.index] + list(fixed.index)
    total = np.tile([fixed.get(name, 0.0) for name in names], (len(fit.design.factors[f].levels), 1))
    total[:, [names.index(name) for name in effects]] += fit.state.b[f]
    return _by_level(fit.design.factors[f], total, names)


def _effects(fit: MixedEstimates) -> tuple[tuple[str, ...], ...]:
    terms = fit.design.terms
    return tuple(
        tuple(name for term in terms if term.factor == f for name in term.names) for f in range(len(fit.design.factors))
    )


def _by_level(factor: GroupingFactor, values: Array, names: list[str] | tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(values, index=pd.Index(list(factor.levels), name=factor.name), columns=list(names))


def _position(groups: tuple[str, ...], group: str | None) -> int:
    if group is None and len(groups) == 1:
        return 0
    if group not in groups:
        raise OptionError(
            f"group={group!r}",
            allowed=", ".join(groups),
            todo=(group is not None and did_you_mean(str(group), groups)) or "name a grouping factor",
        )
    return groups.index(group)
