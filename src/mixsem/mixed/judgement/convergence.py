"""Did the search for theta arrive? Judged by the exact gradient, and by what a Newton step would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine.objective import Evaluation
from ..engine.relative import FLAT, RelativeChange
from ..fit import MixedFit
from ..require import require_any_fit

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table
    from ..generalised.fit import GeneralisedFit

__all__ = ["ConvergenceCheck", "check_convergence"]

Array = NDArray[np.float64]

#: Largest harmless effect of a Newton step: on fixed effects in standard errors, and on the criterion.
BETA_TOLERANCE = 0.01
GAIN_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class ConvergenceCheck:
    """Whether a fit is at an optimum.

    Attributes
    ----------
    gradient
        Largest element of the exact gradient by theta, in units in which complete data would have curvature 1.
    gain
        By how much a Newton step would lower the criterion.
    beta_change
        Largest change of a fixed effect by a Newton step, in standard errors.
    eigenvalues
        Of the Hessian in the same units, ascending; 1 is what complete data would have, 0 a direction that is not
        determined, a negative one the way down from a saddle point.
    verdict
        ``"converged"``, ``"not converged"`` or ``"saddle point"``.
    text
        The verdict with its reason.
    """

    gradient: float
    gain: float
    beta_change: float
    eigenvalues: Array
    verdict: str
    text: str

    @property
    def converged(self) -> bool:
        """Whether the verdict is good."""
        return self.verdict == "converged"

    @property
    def frame(self) -> pd.DataFrame:
        """One row per criterion: what, value, limit."""
        import pandas as pd

        rows = [
            ("largest scaled gradient", self.gradient, np.nan),
            ("criterion, fall by a Newton step", self.gain, GAIN_TOLERANCE),
            ("fixed effects, change in SE by a Newton step", self.beta_change, BETA_TOLERANCE),
            ("smallest eigenvalue of the Hessian", float(self.eigenvalues[0]), -FLAT),
            ("largest eigenvalue of the Hessian", float(self.eigenvalues[-1]), np.nan),
        ]
        return pd.DataFrame(rows, columns=["what", "value", "limit"])

    def to_pandas(self) -> pd.DataFrame:
        """As `frame`."""
        return self.frame

    @property
    def table(self) -> Table:
        """As a table to print."""
        from ...report.table import Column, Table

        columns = [Column("what", ""), *(Column(c, c.capitalize(), align="right") for c in ("value", "limit"))]
        rows = [
            {"what": what, "value": f"{value:.2g}", "limit": "" if np.isnan(limit) else f"{limit:.2g}"}
            for what, value, limit in self.frame.itertuples(index=False)
        ]
        return Table.from_records("Convergence", columns, rows, (self.text,))

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def check_convergence(fit: MixedFit | GeneralisedFit) -> ConvergenceCheck:
    """Check that a fit is at an optimum, by the exact gradient and a Hessian of central differences of it.

    Parameters
    ----------
    fit
        The fit.

    Returns
    -------
    ConvergenceCheck
        Prints as a table with the verdict.

    Notes
    -----
    What counts is what a Newton step would change: fixed effects by more than 0.01 standard errors, or the criterion
    by more than 0.001, and the search did not arrive. The gradient alone depends on units and on how much the data
    say. At a variance of 0 the criterion is an even function of its standard deviation: the gradient vanishes, and
    negative curvature shows where the variance wants to be larger.

    Examples
    --------
    >>> import mixsem as mx
    >>> mx.check_convergence(mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())).verdict
    'converged'
    """
    from ..linear import objective_of

    require_any_fit(fit, "check_convergence")
    if not isinstance(fit, MixedFit):
        from ..generalised.convergence import check_generalised

        return check_generalised(fit)
    model, theta_map = fit.model, fit.model.theta_map
    objective = objective_of(fit.specification, model)
    phi = theta_map.from_lambdas(
        [lam[:k, :k] for lam, k in zip(model.inner @ theta_map.stacked(fit.theta), theta_map.sizes, strict=True)]
    )
    here = objective.evaluate(phi)
    change = RelativeChange.around(objective, here)
    gradient = change.slope(here)
    values, vectors = np.linalg.eigh(change.hessian())
    along = vectors.T @ gradient
    curved = np.abs(values) > FLAT
    # Along a flat direction no step is known: the gradient there is rounding, or tells by itself.
    newton = -vectors[:, curved] @ (along[curved] / np.abs(values[curved]))
    gain = float((along[curved] ** 2 / np.abs(values[curved])).sum() / 2.0)
    after = change.moved(newton)
    beta_change = 0.0
    if np.isfinite(after.value) and fit.model.p:
        beta_change = _beta_change(fit, after)
    # A negative eigenvalue may be rounding; what counts is whether the criterion falls.
    fall = here.value - change.lowest_along(vectors[:, 0]).value if values[0] < -FLAT else 0.0
    verdict, text = _verdict(gain, beta_change, fall, values)
    return ConvergenceCheck(float(np.abs(gradient).max()), gain, beta_change, values, verdict, text)


def _beta_change(fit: MixedFit, after: Evaluation) -> float:
    """Largest change of a fixed effect, in standard errors."""
    from ..linear import outer_theta

    state = fit.model.state(outer_theta(fit.model, after.phi))
    change = np.abs(state.beta - fit.beta) / np.asarray(fit.se)
    return float(change.max())


def _verdict(gain: float, beta_change: float, fall: float, values: Array) -> tuple[str, str]:
    what = (
        f"a Newton step would lower the criterion by {gain:.1g} and change a fixed effect by {beta_change:.1g} standard"
        " errors"
    )
    if gain > GAIN_TOLERANCE or beta_change > BETA_TOLERANCE:  # where there is a slope, curvature names no saddle
        return "not converged", f"Not converged: {what}."
    if fall > GAIN_TOLERANCE:
        return "saddle point", (
            f"Saddle point: the gradient is small, but along a direction of negative curvature the criterion falls by"
            f" {fall:.1g} or more. Fit again with other starting values or another optimizer."
        )
    flat = int((values <= FLAT).sum())
    rest = f" {flat} direction{'s' * (flat > 1)} of theta not determined by the data." if flat else ""
    return "converged", f"Converged: {what}.{rest}"
