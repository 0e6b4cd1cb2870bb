"""Laplace's approximation beside adaptive quadrature: does it matter here?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, OptionError
from ...options import require_whole
from ..derived.frame_table import FrameTable
from ..inference.ddf import is_generalised
from ..uncertainty.parameters import fitted_values, parameters_of

if TYPE_CHECKING:
    from ..estimates import MixedEstimates
    from ..generalised.fit import GeneralisedFit

__all__ = ["QuadratureCheck", "check_quadrature", "is_scalar"]

#: Changes below these, of fixed effects in standard errors and of standard deviations relatively, hardly matter.
SMALL_CHANGE, SMALL_RATIO = 0.1, 0.05


@dataclass(frozen=True, eq=False, repr=False)
class QuadratureCheck(FrameTable):
    """Estimates by Laplace's approximation and by adaptive quadrature.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has parameter, laplace, quadrature, difference, and in_se: the difference in standard errors.
    fit
        The fit by quadrature.
    """

    fit: GeneralisedFit

    @property
    def largest_change(self) -> float:
        """Largest change of a fixed effect, in standard errors; 0 if there are none."""
        fixed = ~self.frame["parameter"].str.startswith("sd_")
        return float(self.frame.loc[fixed, "in_se"].abs().max()) if fixed.any() else 0.0

    @property
    def sd_ratio(self) -> float:
        """Standard deviation of the random effect by quadrature, relative to that by Laplace's approximation."""
        first = self.frame.iloc[0]
        return float(first["quadrature"] / first["laplace"]) if first["laplace"] > 0.0 else np.inf

    @property
    def matters(self) -> bool:
        """Whether a fixed effect changes by more than a tenth of its SE, or the SD by more than 5 percent."""
        return self.largest_change > SMALL_CHANGE or abs(self.sd_ratio - 1.0) > SMALL_RATIO


def check_quadrature(fit: MixedEstimates, n_agq: int = 11) -> QuadratureCheck:
    """Compare Laplace's approximation with adaptive Gauss-Hermite quadrature.

    Laplace's approximation is poor where groups say little of their random effect: few binary responses per group and a
    large variance, whose estimate is then too small.

    Parameters
    ----------
    fit
        A fit of `glmer` with one random effect of one grouping factor.
    n_agq
        Nodes of the quadrature.

    Returns
    -------
    QuadratureCheck
        Prints as a table; `matters` is its verdict, `fit` the fit by quadrature.

    Raises
    ------
    ModelError
        If there are several random effects, for which there is no quadrature.

    Examples
    --------
    >>> import numpy as np
    >>> from mixsem import glmer
    >>> rng = np.random.default_rng(1)
    >>> g = np.repeat(np.arange(100), 3)
    >>> y = rng.binomial(1, 1 / (1 + np.exp(-2.5 * rng.normal(size=100)[g])))
    >>> found = check_quadrature(glmer("y ~ 1 + (1 | g)", {"y": y, "g": g}, family="binomial"))
    >>> found.matters
    True
    """
    import pandas as pd

    require_whole("n_agq", n_agq, 2)
    if not is_generalised(fit):
        raise OptionError(
            f"check_quadrature() got {type(fit).__name__}",
            allowed="a fit of glmer()",
            todo="linear mixed models need no quadrature: their likelihood is exact",
        )
    if not is_scalar(fit):
        raise ModelError(
            f"quadrature for {', '.join(term.bar.text for term in fit.design.terms)}",
            allowed="one random effect of one grouping factor",
            todo="see how well estimates come back: bootstrap(fit) tells their bias",
        )
    plain = fit if fit.n_agq == 1 else _again(fit, 1)
    better = _again(fit, max(n_agq, fit.n_agq))
    parameters = parameters_of(fit.model)
    old, new = fitted_values(plain, parameters), fitted_values(better, parameters)
    frame = pd.DataFrame(
        {
            "parameter": [p.name for p in parameters],
            "laplace": old,
            "quadrature": new,
            "difference": new - old,
            "in_se": (new - old) / _errors(better, new),
        }
    )
    found = QuadratureCheck("Laplace's approximation and quadrature", frame, (), better)
    return replace(found, notes=(f"Adaptive Gauss-Hermite quadrature with {better.n_agq} nodes.", _verdict(found)))


def is_scalar(fit: GeneralisedFit) -> bool:
    """Whether there is one random effect of one grouping factor."""
    return len(fit.design.terms) == 1 and len(fit.design.terms[0].names) == 1


def _again(fit: GeneralisedFit, n_agq: int) -> GeneralisedFit:
    from ..generalised.glmer import fit_generalised

    if n_agq == fit.n_agq:
        return fit
    return fit_generalised(replace(fit.specification, n_agq=n_agq), fit.model, fit.theta)


def _errors(fit: GeneralisedFit, values: np.ndarray) -> np.ndarray:
    """Standard errors of the standard deviation, the family's parameter, and the fixed effects."""
    n_own = 1 + bool(fit.family.parameter)
    errors = np.concatenate([np.full(n_own, np.nan), np.sqrt(np.diagonal(fit.spread.fixed))])
    if fit.spread.joint is not None:
        joint = np.sqrt(np.diagonal(fit.spread.joint))
        errors[0] = joint[0]
        if n_own == 2:
            errors[1] = values[1] * joint[-1]  # from that of its logarithm
    return errors


def _verdict(found: QuadratureCheck) -> str:
    change, ratio = found.largest_change, found.sd_ratio
    sizes = f"fixed effects change by up to {change:.2g} SE, the SD by a factor of {ratio:.3g}"
    if found.matters:
        return f"It matters: {sizes}. Use n_agq={min(found.fit.n_agq, 9)} or more."
    return f"It hardly matters: {sizes}."
