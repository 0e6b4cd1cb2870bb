"""Which number of clusters is shown first, and why: a rule that is said aloud, not a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from .fit import MixtureFit
from .select import MixtureSelection

__all__ = ["Choice", "choose_clusters"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A number of clusters and the reason for it.

    Attributes
    ----------
    k
        Number of clusters.
    rule
        ``"asked"``, ``"only"`` (one number was fitted), ``"chull"`` or ``"bic_g"``.
    reason
        One sentence for readers.
    """

    k: int
    rule: str
    reason: str


def choose_clusters(fits: MixtureFit | MixtureSelection, k: int | None = None) -> Choice:
    """Choose the number of clusters to show.

    The number asked for; otherwise CHull on the log-likelihood of the factors; where CHull cannot choose,
    because fewer than three solutions lie on the hull, BIC_G on the same log-likelihood.

    Parameters
    ----------
    fits
        The fits to choose from.
    k
        A number of clusters to take whatever the criteria say.

    Raises
    ------
    OptionError
        If there is no fit with `k` clusters.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> fits = StructuralMixture("y ~ x", k=(1, 2)).fit(moments, seed=1)
    >>> choose_clusters(fits)
    Choice(k=2, rule='bic_g', reason='BIC_G prefers it ...; CHull had too few solutions to choose from')
    >>> choose_clusters(fits, 1).reason
    'this number was asked for'

    References
    ----------
    Perez Alonso, Vermunt, Rosseel & De Roover (2025), Methodology 21, 1-26, who recommend CHull together with
    another criterion.
    """
    if isinstance(fits, MixtureFit):
        fits = MixtureSelection((fits,))
    if k is not None:
        return Choice(fits[k].k, "asked", "this number was asked for")
    if len(fits) == 1:
        return Choice(fits.fits[0].k, "only", "no other number of clusters was fitted")
    hull = fits.hull
    if hull.chosen is not None:
        best = fits.fits[hull.chosen].k
        remark = f" ({hull.remark})" if hull.remark else ""
        return Choice(best, "chull", f"CHull prefers it on the log-likelihood of the factors{remark}")
    best = min(fits.fits, key=lambda fit: fit.criteria.bic_g).k
    reason = "BIC_G prefers it on the log-likelihood of the factors; CHull had too few solutions to choose from"
    return Choice(best, "bic_g", reason)
