"""Do counts or proportions vary more than the family of a generalised mixed model says?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, OptionError
from ...options import require_whole
from ..derived.frame_table import FrameTable
from ..estimates import MixedEstimates

if TYPE_CHECKING:
    from ..generalised.families import Family

__all__ = ["check_overdispersion"]

Array = NDArray[np.float64]

#: Fitted means below this make the chi-square distribution of Pearson residuals doubtful, in more than the share.
SMALL_MEAN, SHARE = 1.0, 0.5
#: Chance below which more variation than expected is worth advice.
DOUBTFUL = 0.05


def check_overdispersion(fit: Any, simulations: int = 0, seed: int | None = None) -> FrameTable:
    """Compare the Pearson residuals of a generalised mixed model with what its family says.

    Parameters
    ----------
    fit
        A fit of `glmer` with binomial proportions, Poisson or negative binomial counts.
    simulations
        Responses to simulate from the fit and to refit, as a check without the chi-square distribution; 0 for none.
    seed
        Makes them repeatable.

    Returns
    -------
    FrameTable
        Prints as a table. ``.frame`` has method (``"Pearson"``, and ``"simulation"`` if asked for), chisq (sum of
        squared Pearson residuals), df (rows less parameters; for simulations the mean of their sums), ratio and
        p_value.

    Raises
    ------
    OptionError
        If the fit is none of `glmer`.
    ModelError
        If its responses cannot be overdispersed: 0 and 1, or a family that estimates its dispersion.

    Notes
    -----
    Random effects are taken as known, and counted by the parameters of their covariance: the ratio is a little too
    small where levels have few rows. Bolker et al., GLMM FAQ, section on overdispersion.
    """
    family = _require_counts(fit)
    require_whole("simulations", simulations, 0)
    observed, df = _pearson(fit), int(fit.df_residual)
    rows = [("Pearson", observed, float(df), observed / df, _chance(observed, df))]
    if simulations:
        drawn = np.array([_pearson(fit.refit(y)) for y in fit.simulate(simulations, seed).T])
        p = (1.0 + float((drawn >= observed).sum())) / (1.0 + simulations)
        rows.append(("simulation", observed, float(drawn.mean()), observed / float(drawn.mean()), p))
    import pandas as pd

    frame = pd.DataFrame(rows, columns=["method", "chisq", "df", "ratio", "p_value"])
    return FrameTable("Overdispersion", frame, tuple(_notes(fit, family, frame, simulations)))


def _require_counts(fit: object) -> Family:
    family: Family | None = getattr(fit, "family", None)
    if not isinstance(fit, MixedEstimates) or family is None:
        raise OptionError(
            f"check_overdispersion() got {type(fit).__name__}",
            allowed="a fit of glmer() with binomial, Poisson or negative binomial responses",
            todo="a linear mixed model estimates its residual variance: there is nothing to check",
        )
    if family.parameter == "dispersion":
        raise ModelError(
            f"{family.name} responses have a dispersion that is estimated: they cannot have too much of it",
            allowed="binomial, Poisson or negative binomial responses",
            todo="look at the residuals by fitted values instead",
        )
    trials = fit.design.weights
    if family.has_trials and (trials is None or not (trials > 1.0).any()):
        raise ModelError(
            "responses of 0 and 1 cannot be overdispersed: their variance follows from their mean",
            allowed="numbers of successes out of several trials, or counts",
            todo="add up the rows with the same predictors, or check the fit by residuals of groups",
        )
    return family


def _pearson(fit: Any) -> float:
    """Sum of squared residuals, each divided by its variance given the random effects."""
    size = 1.0 if fit.dispersion is None else fit.dispersion
    return float((fit.trials * (fit.design.y - fit.fitted) ** 2 / fit.family.variance(fit.fitted, size)).sum())


def _chance(chisq: float, df: int) -> float:
    from scipy.special import chdtrc

    return float(chdtrc(df, chisq))


def _notes(fit: Any, family: Family, frame: Any, simulations: int) -> list[str]:
    notes = [
        "Random effects count as known and as the parameters of their covariance, so that the p-value of the Pearson"
        " residuals is approximate."
    ]
    means = fit.fitted * (fit.trials if family.has_trials else 1.0)
    if (means < SMALL_MEAN).mean() > SHARE and not simulations:
        notes.append("Most expected counts are below 1, where chi-square is a poor guide: simulations=200 is better.")
    if any(factor.n_levels == fit.nobs for factor in fit.design.factors):
        notes.append(
            "A random effect of every row takes up what varies too much: the ratio is below 1 by construction, and the"
            " SD of that effect tells how much there was."
        )
    if simulations:
        notes.append(f"Simulation: {simulations} responses drawn from the fit, random effects anew, and refitted.")
    if float(frame["p_value"].iloc[-1]) < DOUBTFUL:
        other = ', or family="negative binomial"' if family.name == "poisson" else ""
        notes.append(
            "More variation than the family allows: standard errors are too small. Look for missing predictors first,"
            f" then add an observation-level random effect, (1 | row) with a column that numbers the rows{other}"
            " [MX141]."
        )
    return notes
