"""Is there one cluster more? A likelihood-ratio test whose reference distribution is simulated."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..errors import (
    ConvergenceWarning,
    DataError,
    FewStartsWarning,
    MixsemError,
    MixsemWarning,
    Notice,
    OptionError,
    enumerate_briefly,
    notify,
)
from ..factors.moments import FactorMoments
from ..kernels.mixture import class_log_densities, residual_matrices, residual_products, responsibilities
from ..structural.fit import SAME_SOLUTION, MixtureFit
from ..structural.mixture import Progress, StructuralMixture, em_data
from ..structural.select import MixtureSelection
from .refit import divided, refit
from .replicates import Record, check_run, fingerprint, replicates
from .resampling import Draw, FactorDraw, Unusable, people_draw, without_step1

__all__ = ["ClusterTest", "bootstrap_lrt"]

Array = NDArray[np.float64]
Level = Literal["factors", "items"]


@dataclass(frozen=True, eq=False, repr=False)
class ClusterTest(Displayed):
    """A test of K against more clusters.

    Attributes
    ----------
    null, alternative
        The two fits to the data.
    level
        What was simulated: ``"factors"`` or ``"items"``.
    simulated
        Statistics of the samples with estimates, in their order; those after an early stop are not among them.
    n
        Samples at most.
    stop_after
        Samples as extreme as the data after which the test stopped; None if it was to go on to the end.
    failures
        Why samples gave no statistic, one text each.
    notices
        Trouble with the starts and with the samples.
    """

    null: MixtureFit
    alternative: MixtureFit
    level: str
    simulated: Array
    n: int
    stop_after: int | None = None
    failures: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def statistic(self) -> float:
        """Twice the gain in the log-likelihood of the factors."""
        return 2.0 * (self.alternative.loglik - self.null.loglik)

    @property
    def n_exceeding(self) -> int:
        """Samples whose statistic is at least that of the data."""
        return int((self.simulated >= self.statistic - 1e-9).sum())

    @property
    def stopped(self) -> bool:
        """Whether the test stopped early."""
        return self.stop_after is not None and self.n_exceeding >= self.stop_after

    @property
    def p_value(self) -> float:
        """(1 + samples at least as extreme) / (1 + samples); after an early stop their share."""
        if self.stopped:
            return self.n_exceeding / self.simulated.size
        return (1 + self.n_exceeding) / (1 + self.simulated.size)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What the p-value does not take into account."""
        texts = [
            "Groups whose regressions vary smoothly also ask for more clusters, the more so the more people they have."
        ]
        if self.level == "factors" and self.null.moments.n_measurement:
            texts.insert(
                0,
                "Factor covariances are treated as observed. They were estimated from items, and vary more than the"
                " simulated ones, so that the test finds one cluster more too easily; level='items' simulates items.",
            )
        return tuple(texts)


@dataclass(frozen=True, eq=False)
class LRTTask:
    """One sample of the null hypothesis: draw, fit both, compare."""

    null: MixtureFit
    alternative: MixtureFit
    draw: Draw
    n_starts: int

    def __call__(self, seed: np.random.SeedSequence) -> Record:
        """The statistic."""
        rng = np.random.default_rng(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixsemWarning)
                moments, _ = self.draw(rng)
                starts = expected_clusters(self.null, moments)[None]
                found = refit(self.null, moments, starts, self.n_starts, rng, thorough=True)
                loglik = found.loglik
                while found.k < self.alternative.k:
                    starts = divided(found, moments, rng)
                    found = refit(self.alternative, moments, starts, self.n_starts, rng, thorough=True)
        except (MixsemError, Unusable, np.linalg.LinAlgError) as error:
            return {"failure": str(error).splitlines()[0]}
        return {"failure": "", "statistic": 2.0 * (found.loglik - loglik)}


def expected_clusters(fit: MixtureFit, moments: FactorMoments) -> Array:
    """Posterior probabilities (G, K) of groups with other moments, under the regressions of a fit."""
    data = em_data(fit.path, moments, by_group=True, floor=fit.specification.residual_floor)
    products = residual_products(data, fit.coefficients[None])
    densities = class_log_densities(data, products, residual_matrices(data, products, None))
    return np.asarray(responsibilities(densities, np.maximum(fit.proportions, 1e-6)[None])[0][0].T)


def bootstrap_lrt(
    fits: MixtureSelection | MixtureFit | FactorMoments,
    k0: int,
    k1: int | None = None,
    n: int = 99,
    *,
    model: StructuralMixture | str | None = None,
    level: Level = "factors",
    n_starts: int = 20,
    stop_after: int | None = None,
    seed: int = 0,
    workers: int = 1,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> ClusterTest:
    """Test k0 clusters against k1 by a parametric bootstrap of the likelihood-ratio statistic.

    The statistic has no chi-square distribution, because under k0 clusters the parameters of one more are not
    identified. So samples are simulated from the fit with k0 clusters (each group in a cluster drawn with the
    proportions, with its own exogenous and residual covariances and the regressions of that cluster), and both numbers
    of clusters are fitted to each, from random starts, divided clusters and split-and-merge moves.

    Parameters
    ----------
    fits
        A selection, or one fit: what it lacks is fitted with its options; or factor moments, with `model`.
    k0, k1
        Numbers of clusters; `k1` is `k0` + 1 if it is left out.
    n
        Samples.
    model
        For factor moments: the `StructuralMixture`, or the text of the structural model.
    level
        ``"factors"``: factor covariances are drawn from Wishart distributions, as if factors were observed (seconds).
        ``"items"``: item covariances are, and steps 1 and 2 are done again in every sample.
    n_starts
        Random starts per sample and number of clusters.
    stop_after
        Stop when so many samples are as extreme as the data (Besag & Clifford, 1991): then the p-value is their share,
        and large p-values come early. 10 is usual. None: draw all samples.
    seed
        The same seed gives the same samples, for any number of workers.
    workers
        Processes that share the work. Scripts that use more than one need the guard ``if __name__ == "__main__":``.
    store
        A file that finished samples are added to; a run that was stopped goes on from there with the same numbers.
    progress
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    ClusterTest
        Statistic, simulated statistics and p-value.

    Raises
    ------
    OptionError
        If an option is not what is allowed.
    DataError
        If hardly any sample gave a statistic.

    Warns
    -----
    FewStartsWarning
        If more clusters fitted worse in the data or in samples, which more starts would mend.
    ConvergenceWarning
        If samples gave no statistic.

    Examples
    --------
    >>> import mixsem as mx
    >>> truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=12, n_clusters=2), seed=1)
    >>> names = ["F1", "F2", "F3", "F4"]
    >>> moments = mx.FactorMoments.from_covariances(truth.Phi, n=[500] * 12, factors=names, groups=range(12))
    >>> test = bootstrap_lrt(moments, 1, n=19, model="F3 ~ F1 + F2; F4 ~ F1 + F3", seed=1)
    >>> test.p_value
    0.05

    References
    ----------
    McLachlan (1987), On bootstrapping the likelihood ratio test statistic for the number of components in a normal
    mixture. Applied Statistics 36, 318-324. Besag & Clifford (1991), Sequential Monte Carlo p-values. Biometrika 78,
    301-304.
    """
    check_run(n, seed, workers, n_starts)
    k1 = k0 + 1 if k1 is None else k1
    _check(k0, k1, level, stop_after)
    null, alternative = _fitted(fits, model, (k0, k1), seed)
    shares = np.tile(null.proportions, (len(null.groups), 1))
    draw: Draw = FactorDraw(without_step1(null), "model", shares)
    if level == "items":
        draw = people_draw(null, "model", shares)
    task = LRTTask(without_step1(null), without_step1(alternative), draw, n_starts)
    identity = fingerprint(
        "lrt", k0, k1, level, n_starts, seed, null.path.names, null.coefficients, null.moments.Phi, null.moments.n
    )
    observed = 2.0 * (alternative.loglik - null.loglik)
    simulated: list[float] = []
    failures: list[str] = []
    exceeding = 0
    for record in replicates(task, n, seed=seed, workers=workers, store=store, identity=identity, progress=progress):
        if record["failure"]:
            failures.append(record["failure"])
            continue
        simulated.append(record["statistic"])
        exceeding += record["statistic"] >= observed - 1e-9
        if stop_after is not None and exceeding >= stop_after:
            break
    if len(simulated) < 2:
        raise DataError(
            f"{len(failures)} samples gave no statistic: {enumerate_briefly(failures, 1)}",
            allowed="mixtures that can be fitted in samples of the data",
            todo="choose fewer clusters",
        )
    notices = _notices(observed, simulated, failures)
    notify(notices)
    return ClusterTest(null, alternative, level, np.array(simulated), n, stop_after, tuple(failures), notices)


def _check(k0: object, k1: object, level: str, stop_after: object) -> None:
    for name, value, least in (("k0", k0, 1), ("k1", k1, 2), ("stop_after", stop_after, 1)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not (whole and value >= least) and not (name == "stop_after" and value is None):  # type: ignore[operator]
            raise OptionError(f"{name}={value!r}", allowed=f"a whole number of at least {least}")
    if not k0 < k1:  # type: ignore[operator]
        raise OptionError(f"k0={k0}, k1={k1}", allowed="more clusters in k1 than in k0")
    if level not in ("factors", "items"):
        raise OptionError(f"level={level!r}", allowed="'factors' or 'items'")


def _fitted(
    fits: MixtureSelection | MixtureFit | FactorMoments,
    model: StructuralMixture | str | None,
    numbers: Sequence[int],
    seed: int,
) -> list[MixtureFit]:
    """The fits with these numbers of clusters; what is missing is fitted."""
    known: dict[int, MixtureFit] = {}
    if isinstance(fits, FactorMoments):
        if model is None:
            raise OptionError("factor moments without model=", todo="give the StructuralMixture, or its model text")
        moments, spec = fits, model if isinstance(model, StructuralMixture) else StructuralMixture(model, 1)
    elif isinstance(fits, MixtureFit | MixtureSelection):
        if model is not None:
            raise OptionError("model= with fits that have theirs", todo="leave model= out, or give factor moments")
        known = dict(fits) if isinstance(fits, MixtureSelection) else {fits.k: fits}
        first = next(iter(known.values()))
        moments, spec = first.moments, first.specification
    else:
        raise OptionError(
            f"bootstrap_lrt() got {type(fits).__name__}", allowed="a MixtureSelection, MixtureFit or FactorMoments"
        )
    found = []
    for k in numbers:
        start = spec.start if isinstance(spec.start, str) else "hard"
        fitted = known[k] if k in known else replace(spec, k=int(k), start=start).fit(moments, seed=seed)
        assert isinstance(fitted, MixtureFit)
        found.append(fitted)
    return found


def _notices(observed: float, simulated: list[float], failures: list[str]) -> tuple[Notice, ...]:
    notices = []
    negative = sum(value < -2.0 * SAME_SOLUTION for value in simulated)
    if observed < -2.0 * SAME_SOLUTION:
        text = "more clusters fit the data worse than fewer: better solutions exist. Fit them with more starts."
        notices.append(Notice(FewStartsWarning, text))
    if negative:
        text = f"more clusters fitted worse in {negative} of {len(simulated)} samples. Raise n_starts."
        notices.append(Notice(FewStartsWarning, text))
    if failures:
        reasons = enumerate_briefly(list(dict.fromkeys(failures)), 3)
        text = f"{len(failures)} samples gave no statistic ({reasons}); the p-value rests on the others."
        notices.append(Notice(ConvergenceWarning, text))
    return tuple(notices)
