"""Bootstrap of a structural equation model: standard errors, intervals and a test without normal data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import (
    ConvergenceWarning,
    DataError,
    Notice,
    OptionError,
    UnsupportedModelError,
    enumerate_briefly,
    notify,
)
from ..inference.resampled import resampled_limits
from ..workers import processes
from .cells import entry_labels
from .fit import SEMFit
from .inputs import require_level
from .resampling import Replicate, Sampler, rescaled_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Bootstrap", "bootstrap"]

Array = NDArray[np.float64]
BootstrapKind = Literal["rows", "bollen-stine", "parametric"]
IntervalMethod = Literal["percentile", "bc"]


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap(Displayed):
    """Estimates of a model in samples drawn from its rows or from itself; prints as a table of 95% intervals.

    Attributes
    ----------
    fit
        The fit.
    kind
        How samples were drawn.
    estimates
        Free parameters in every sample, shape (n, P), named by ``fit.model.names``; NaN where there are none.
    defined
        Defined parameters in every sample, shape (n, D).
    chisq
        Chi-square statistic in every sample, shape (n,).
    failures
        Why samples gave no estimates, one text each.
    notices
        Trouble with the samples.
    """

    fit: SEMFit
    kind: str
    estimates: Array
    defined: Array
    chisq: Array
    failures: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def n_failed(self) -> int:
        """Samples without estimates."""
        return len(self.failures)

    @cached_property
    def vcov(self) -> Array:
        """Covariance matrix of the free parameters over the samples, shape (P, P)."""
        found = self.estimates[~np.isnan(self.chisq)]
        return np.cov(found, rowvar=False).reshape(found.shape[1], found.shape[1])

    @property
    def standard_errors(self) -> Array:
        """Standard deviations of the free parameters over the samples, shape (P,)."""
        return np.sqrt(np.diagonal(self.vcov))

    @property
    def p_value(self) -> float:
        """Share of samples whose chi-square statistic is at least that of the data.

        The p-value of the model for samples in which it holds: ``"bollen-stine"`` and ``"parametric"``; NaN for
        ``"rows"``.
        """
        if self.kind == "rows":
            return np.nan
        drawn = self.chisq[~np.isnan(self.chisq)]
        return float((drawn >= self.fit.measures.chisq - 1e-9).mean()) if drawn.size else np.nan

    def intervals(self, level: float = 0.95, method: IntervalMethod = "percentile") -> pd.DataFrame:
        """Bootstrap intervals of all free and defined parameters.

        Parameters
        ----------
        level
            Confidence level.
        method
            ``"percentile"``, or ``"bc"``: corrected for the share of samples below the estimate (Efron, 1982).

        Returns
        -------
        DataFrame
            group, lhs, op, rhs, estimate, se, bias, lower, upper; defined parameters come last.

        Raises
        ------
        OptionError
            If `level` or `method` is none of those allowed.
        """
        require_level(level)
        import pandas as pd

        fit, usable = self.fit, ~np.isnan(self.chisq)
        free = fit.model.free.ravel()
        used = free >= 0
        draws = np.hstack([self.estimates[usable][:, free[used]], self.defined[usable]])
        estimate = np.concatenate([fit.coef[free[used]], [value for value, _ in fit.defined.values()]])
        labels = pd.DataFrame(entry_labels(fit))[used]
        added = [("", d.name, ":=", str(d.expression)) for d in fit.constraints.definitions]
        labels = pd.concat([labels, pd.DataFrame(added, columns=labels.columns)], ignore_index=True)
        lower, upper = resampled_limits(draws, estimate, level, method)
        return labels.assign(
            estimate=estimate,
            se=draws.std(axis=0, ddof=1),
            bias=draws.mean(axis=0) - estimate,
            lower=lower,
            upper=upper,
        )


@singledispatch
def bootstrap(
    fit: object, n: int = 1000, *, kind: BootstrapKind = "rows", seed: int = 0, workers: int = 1
) -> Bootstrap:
    """Estimate a model again in many samples.

    Rows are drawn within their groups, and the model is fitted to the moments of each sample from the estimates on.
    A `MixtureFit` or `MixtureSelection` takes other options, see `mixsem.mixtures.bootstrap`, and a fit of `lmer`
    those of `mixsem.mixed.uncertainty.bootstrap.bootstrap_mixed`: data are drawn from the fit.

    Parameters
    ----------
    fit
        A fitted `cfa`, `sem` or `growth`.
    n
        Number of samples.
    kind
        ``"rows"``: rows with replacement, for standard errors and intervals that do not rest on normality.
        ``"bollen-stine"``: rows that were first moved so that the model holds in them, for a p-value that does not.
        ``"parametric"``: normal rows with the moments of the model.
    seed
        The same seed gives the same samples, for any number of workers.
    workers
        Processes that share the work. Scripts that use more than one need the guard ``if __name__ == "__main__":``.

    Returns
    -------
    Bootstrap
        Estimates in all samples; `intervals`, `standard_errors` and `p_value` summarise them.

    Raises
    ------
    OptionError
        If an option is not what is allowed.
    DataError
        If the kind needs rows, or complete rows, and the fit has none.
    UnsupportedModelError
        For fits of other kinds, and for ordered items.

    Warns
    -----
    ConvergenceWarning
        If samples gave no estimates.

    Examples
    --------
    >>> import mixsem as mx
    >>> model = "visual =~ x1 + x2 + x3; speed =~ x7 + x8 + x9; speed ~ visual"
    >>> drawn = mx.bootstrap(mx.sem(model, mx.data.holzinger_swineford_1939()), 200, seed=1)
    >>> drawn.intervals().query("op == '~'")[["lhs", "rhs", "estimate"]].round(3)
         lhs     rhs  estimate
    4  speed  visual     0.368

    References
    ----------
    Bollen & Stine (1992), Bootstrapping goodness-of-fit measures in structural equation models. Sociological Methods &
    Research 21, 205-229. Efron & Tibshirani (1993), An introduction to the bootstrap.
    """
    raise UnsupportedModelError(
        f"bootstrap() got {type(fit).__name__}",
        allowed="a fit of cfa(), sem() or growth(), or of lmer(), a MixtureFit or a MixtureSelection",
    )


@bootstrap.register(SEMFit)
def _sem_bootstrap(
    fit: SEMFit, n: int = 1000, *, kind: BootstrapKind = "rows", seed: int = 0, workers: int = 1
) -> Bootstrap:
    _check(n, kind, workers)
    sampler = _sampler(fit, kind)
    seeds = np.random.SeedSequence(seed).spawn(n)
    found = _run(sampler, seeds, workers)
    estimates = np.array([r.theta for r in found]).reshape(n, fit.model.n_free)
    failures = tuple(r.failure for r in found if r.failure)
    if len(failures) > n - 2:
        raise DataError(
            f"{len(failures)} of {n} samples gave no estimates: {failures[0]}",
            allowed="models that can be estimated in samples of the data",
            todo="simplify the model, or leave out the smallest groups",
        )
    defined = np.full((n, len(fit.constraints.definitions)), np.nan)
    for i, replicate in enumerate(found):
        if not replicate.failure and defined.shape[1]:
            defined[i] = [value for value, _ in fit.constraints.defined(replicate.theta).values()]
    notices = _notices(failures, n)
    notify(notices)
    return Bootstrap(fit, kind, estimates, defined, np.array([r.chisq for r in found]), failures, notices)


def _check(n: int, kind: str, workers: int) -> None:
    if kind not in ("rows", "bollen-stine", "parametric"):
        raise OptionError(f"kind={kind!r}", allowed="'rows', 'bollen-stine' or 'parametric'")
    for name, value, least in (("n", n, 2), ("workers", workers, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise OptionError(f"{name}={value!r}", allowed=f"a whole number of at least {least}")


def _sampler(fit: SEMFit, kind: str) -> Sampler:
    data = fit.data
    if data.ordinal is not None:
        raise UnsupportedModelError(
            "a bootstrap of ordered items", allowed="continuous items", todo="use the robust standard errors of WLSMV"
        )
    if kind != "parametric" and data.values is None:
        raise DataError(
            f"kind={kind!r} for a fit to moments",
            allowed="a fit to rows",
            todo="use kind='parametric', or fit to the table",
        )
    if kind != "rows" and data.patterns is not None:
        raise DataError(
            f"kind={kind!r} for incomplete rows", allowed="kind='rows'", todo="use kind='rows', or missing='listwise'"
        )
    values = data.values if kind == "rows" else rescaled_rows(fit) if kind == "bollen-stine" else None
    means = fit.implied.mu if fit.model.meanstructure else data.moments.means
    return Sampler(
        fit.compiled, fit.coef, values, means, np.asarray(np.linalg.cholesky(fit.implied.Sigma), dtype=float)
    )


def _run(sampler: Sampler, seeds: list[np.random.SeedSequence], workers: int) -> list[Replicate]:
    if workers == 1:
        return sampler.replicates(seeds)
    parts = [[seeds[i] for i in part] for part in np.array_split(np.arange(len(seeds)), workers) if part.size]
    with processes(workers) as pool:
        return [replicate for part in pool.map(sampler.replicates, parts) for replicate in part]


def _notices(failures: tuple[str, ...], n: int) -> tuple[Notice, ...]:
    if not failures:
        return ()
    reasons = enumerate_briefly(list(dict.fromkeys(failures)), 3)
    text = (
        f"{len(failures)} of {n} bootstrap samples gave no estimates ({reasons}): standard errors and intervals rest on"
        " the others, and are too small if the failures are not chance."
    )
    return (Notice(ConvergenceWarning, text),)
