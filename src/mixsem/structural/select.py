"""Choosing the number of clusters: one table with every criterion on both log-likelihoods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..display import Displayed
from ..errors import Notice, OptionError
from ..inference.criteria import HullChoice, convex_hull
from .fit import MixtureFit

if TYPE_CHECKING:
    from ..report.table import Table

__all__ = ["MixtureSelection"]


@dataclass(frozen=True, eq=False, repr=False)
class MixtureSelection(Displayed, Mapping[int, MixtureFit]):
    """Fits for several numbers of clusters, indexed by the number: ``fits[3]``.

    Attributes
    ----------
    fits
        One fit per number of clusters, ascending.
    """

    fits: tuple[MixtureFit, ...]

    def __getitem__(self, k: int) -> MixtureFit:
        for fit in self.fits:
            if fit.k == k:
                return fit
        raise OptionError(
            f"no fit with k={k!r}", allowed=f"k in {', '.join(map(str, self))}", todo="index by the number of clusters"
        )

    def __contains__(self, k: object) -> bool:
        return any(fit.k == k for fit in self.fits)

    def __iter__(self) -> Iterator[int]:
        return (fit.k for fit in self.fits)

    def __len__(self) -> int:
        return len(self.fits)

    @property
    def hull(self) -> HullChoice:
        """CHull on the log-likelihood of the factors."""
        return convex_hull([f.n_params_factors for f in self.fits], [f.loglik for f in self.fits])

    @property
    def hull_observed(self) -> HullChoice:
        """CHull on the log-likelihood of the indicators."""
        return convex_hull([f.n_params for f in self.fits], [f.loglik_observed for f in self.fits])

    @property
    def choices(self) -> dict[str, int | None]:
        """The number of clusters each criterion prefers; None where CHull cannot choose.

        Names ending in ``_observed`` are criteria on the log-likelihood of the indicators.
        """
        chosen: dict[str, int | None] = {}
        for suffix, hull in (("", self.hull), ("_observed", self.hull_observed)):
            for name in ("aic", "aic3", "bic_g", "bic_n", "icl"):
                values = [getattr(_criteria(f, suffix), name) for f in self.fits]
                chosen[name + suffix] = self.fits[values.index(min(values))].k
            chosen["chull" + suffix] = None if hull.chosen is None else self.fits[hull.chosen].k
        return chosen

    def rows(self) -> list[dict[str, float]]:
        """One record per number of clusters: log-likelihoods, parameters, criteria, scree ratios, starts."""
        records = []
        for i, fit in enumerate(self.fits):
            record: dict[str, float] = {
                "k": fit.k,
                "loglik": fit.loglik,
                "n_params_factors": fit.n_params_factors,
                "loglik_observed": fit.loglik_observed,
                "n_params": fit.n_params,
                "entropy_r2": fit.entropy_r2,
            }
            for suffix, hull in (("", self.hull), ("_observed", self.hull_observed)):
                for name in ("aic", "aic3", "bic_g", "bic_n", "icl"):
                    record[name + suffix] = getattr(_criteria(fit, suffix), name)
                record["chull" + suffix] = hull.ratio[i]
            record |= {"n_starts": fit.starts.n_starts, "n_best": fit.starts.n_best}
            records.append(record)
        return records

    @property
    def table(self) -> Table:
        """The selection table, ready to print or to turn into a frame, HTML, Markdown or LaTeX."""
        from ..report.summary import selection_table

        return selection_table(self)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Statistical trouble of all fits, each said once."""
        return tuple(dict.fromkeys(n for fit in self.fits for n in fit.notices))


def _criteria(fit: MixtureFit, suffix: str) -> object:
    return fit.criteria_observed if suffix else fit.criteria
