"""Marginal and conditional R-squared of a mixed model, with the variances that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import OptionError
from ..fit import MixedFit
from .latent import latent_variance
from .sources import AnyFit, Sources, has_slopes, require_mixed, residual_notes, sources_of, zero_notes
from .tables import VarianceTable

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["MixedR2", "r2_mixed"]


@dataclass(frozen=True, eq=False, repr=False)
class MixedR2(VarianceTable):
    """R-squared of a mixed model; prints with the variances below it.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has source, effects, variance (of a row of the response, averaged over the rows of the fit)
        and share (of the total).
    marginal
        Share of the fixed effects.
    conditional
        Share of fixed and random effects together.
    method
        How the variance of an observation was found; None for linear models, which have one.
    """

    marginal: float
    conditional: float
    method: str | None


def r2_mixed(fit: AnyFit, method: str | None = None) -> MixedR2:
    """Marginal and conditional R-squared of a mixed model.

    Parameters
    ----------
    fit
        A fit of `lmer` or `glmer`.
    method
        Of generalised models only, where it has to be named: what one observation adds to the variance is a
        convention there. ``"theoretical"`` (binomial: pi^2/3 for logit links, 1 for probit, pi^2/6 for cloglog),
        ``"delta"``, and for log links ``"lognormal"`` and ``"trigamma"``. The last three need a mean, which is that of
        the null model, over the distribution of the random effects; binomial responses count as single trials.

    Returns
    -------
    MixedR2
        With the table of variances: fixed effects (sample variance of X beta, offsets left out), each random term,
        residual (averaged over the rows where they differ).

    Raises
    ------
    ModelError
        For a generalised model, if the method is not named or not for its family and link.
    OptionError
        If `fit` is no mixed model, or a method is named for a linear one.

    Notes
    -----
    Random slopes add z' Sigma z to the variance of a row, which is averaged over the rows of the fit (Johnson 2014).
    Variances estimated as 0 count as 0. In generalised models a random effect of every single row is overdispersion
    and counts as residual.

    References
    ----------
    Nakagawa & Schielzeth (2013), doi 10.1111/j.2041-210x.2012.00261.x; Johnson (2014), doi 10.1111/2041-210X.12225;
    Nakagawa, Johnson & Schielzeth (2017), doi 10.1098/rsif.2017.0213. Numbers are those of R's
    ``performance::r2_nakagawa``, which however takes sigma^2 as the residual variance of weighted rows, and whose
    versions before 2024 leave out slopes of ``||`` terms and return NA where a variance is 0.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = r2_mixed(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> round(found.marginal, 3), round(found.conditional, 3)
    (0.279, 0.799)
    >>> found.frame.round(3)
              source            effects  variance  share
    0  Fixed effects               Days   908.953  0.279
    1        Subject  (Intercept), Days  1698.071  0.521
    2       Residual               <NA>   654.941  0.201
    """
    require_mixed(fit, "r2")
    latent, how = None, ""
    if not isinstance(fit, MixedFit):
        latent, how = latent_variance(fit, method, "r2")
    elif method is not None:
        raise OptionError(
            f"method={method!r} for a linear mixed model", allowed="method= for fits of glmer()", todo="leave it out"
        )
    sources = sources_of(fit, latent)
    marginal, conditional = sources.fixed / sources.total, (sources.fixed + sources.random) / sources.total
    title = f"Marginal R² {marginal:.3f}, conditional R² {conditional:.3f}"
    notes = (*_notes(fit, sources), *_latent_notes(fit, how))
    return MixedR2(title, _frame(fit, sources), notes, marginal, conditional, method)


def _frame(fit: AnyFit, sources: Sources) -> pd.DataFrame:
    import pandas as pd

    predictors = ", ".join(name for name in fit.design.fixed_terms if name != "(Intercept)")
    rows: list[tuple[object, ...]] = [("Fixed effects", predictors or None, sources.fixed)]
    rows += [(term.group, ", ".join(term.names), term.mean_variance) for term in sources.terms]
    rows.append(("Residual" if isinstance(fit, MixedFit) else "Single observation", None, sources.residual))
    frame = pd.DataFrame(rows, columns=["source", "effects", "variance"])
    return frame.astype({"effects": "string"}).assign(share=frame["variance"] / sources.total)


def _notes(fit: AnyFit, sources: Sources) -> Iterator[str]:
    design = fit.design
    yield "Marginal: fixed effects alone. Conditional: fixed and random effects (Nakagawa & Schielzeth 2013)."
    yield (
        "With several sources of variance no single number is the explained variance: the table says where it is. Both"
        " figures are biased, most with few clusters, and no threshold makes one good."
    )
    if has_slopes(design.terms):
        yield (
            "What random slopes add differs between rows, and is averaged over the observed ones (Johnson 2014): with"
            " other values of the predictors R² is another."
        )
    loose = _uncorrelated(fit)
    if loose:
        yield (
            f"Random effects of {', '.join(loose)} have no covariance in this model: after centring a predictor it is"
            " another model, with another R²."
        )
    yield from zero_notes(sources.terms, fit.sigma)
    if design.offset is not None:
        yield "The offset is known, and belongs to none of the sources."
    yield from residual_notes(fit)


def _latent_notes(fit: AnyFit, how: str) -> Iterator[str]:
    if isinstance(fit, MixedFit):
        return
    yield (
        f"On the scale of the linear predictor. The variance of a single observation is {how}: a convention, so that"
        " other methods give another R²."
    )
    if fit.family.has_trials and fit.design.weights is not None:
        yield "An observation is a single trial, not the proportion of a row."


def _uncorrelated(fit: AnyFit) -> list[str]:
    """Grouping factors with several random effects of which some have no covariance."""
    design = fit.design
    found = []
    for f, factor in enumerate(design.factors):
        terms = [term for term in design.terms if term.factor == f]
        alone = len(terms) > 1 or any(not t.correlated and len(t.names) > 1 for t in terms)
        if alone and has_slopes(terms):
            found.append(factor.name)
    return found
