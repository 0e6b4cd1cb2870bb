"""Bootstrap of a mixture: how sure its regressions, its clusters and their number are.

Importing this module teaches `mixsem.bootstrap` what to do with a `MixtureFit` and a `MixtureSelection`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..equations.bootstrap import bootstrap
from ..errors import (
    ConvergenceWarning,
    DataError,
    MixsemError,
    MixsemWarning,
    Notice,
    OptionError,
    enumerate_briefly,
    notify,
)
from ..simulate.agreement import adjusted_rand_index
from ..structural.choice import choose_clusters
from ..structural.fit import MixtureFit
from ..structural.mixture import Progress
from ..structural.select import MixtureSelection
from .bootstrap_results import MixtureBootstrap, SelectionBootstrap
from .refit import label_order, refit
from .replicates import Record, check_run, fingerprint, replicates
from .resampling import Center, Draw, GroupDraw, Unusable, people_draw, without_step1

__all__ = ["bootstrap", "bootstrap_mixture", "bootstrap_selection"]

Array = NDArray[np.float64]
Kind = Literal["groups", "people"]

#: A cluster whose drawn groups have less than this summed posterior probability was not drawn at all.
ABSENT = 0.5


@dataclass(frozen=True, eq=False)
class MixtureTask:
    """One sample of a bootstrap: draw, fit again, match the clusters."""

    fit: MixtureFit
    draw: Draw
    n_starts: int

    def __call__(self, seed: np.random.SeedSequence) -> Record:
        """Regressions and proportions in the original order of the clusters, and the cluster of each group."""
        fit, rng = self.fit, np.random.default_rng(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixsemWarning)
                moments, index = self.draw(rng)
                begin = fit.posterior[index]
                lost = np.flatnonzero(begin.sum(axis=0) < ABSENT)
                if lost.size:
                    raise Unusable(f"no group of cluster {lost[0] + 1} was drawn")
                found = refit(fit, moments, begin[None], self.n_starts, rng)
        except (MixsemError, Unusable, np.linalg.LinAlgError) as error:
            return {"failure": str(error).splitlines()[0]}
        if not found.starts.converged:
            return {"failure": "EM did not converge"}
        if found.posterior.sum(axis=0).min() < ABSENT:
            return {"failure": "a cluster was left without groups"}
        order = label_order(begin, fit.coefficients, found)
        modal = found.posterior[:, order].argmax(axis=1) + 1
        members = np.zeros(len(fit.groups), dtype=np.int64)
        members[index] = modal  # copies of a group agree: they have the same moments
        drawn = np.unique(index)
        return {
            "failure": "",
            "coefficients": found.coefficients[order].tolist(),
            "proportions": found.proportions[order].tolist(),
            "members": members.tolist(),
            "ari": adjusted_rand_index(fit.clusters[drawn], members[drawn]),
            "loglik": found.loglik,
        }


@dataclass(frozen=True, eq=False)
class SelectionTask:
    """One sample of a bootstrap of the number of clusters: what every criterion chooses."""

    fits: tuple[MixtureFit, ...]
    draw: Draw
    n_starts: int

    def __call__(self, seed: np.random.SeedSequence) -> Record:
        """The choices."""
        rng = np.random.default_rng(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixsemWarning)
                moments, index = self.draw(rng)
                found = [refit(f, moments, f.posterior[index][None], self.n_starts, rng) for f in self.fits]
        except (MixsemError, Unusable, np.linalg.LinAlgError) as error:
            return {"failure": str(error).splitlines()[0]}
        return {"failure": "", "choices": MixtureSelection(tuple(found)).choices}


@bootstrap.register(MixtureFit)
def bootstrap_mixture(
    fit: MixtureFit,
    n: int = 500,
    *,
    kind: Kind = "groups",
    center: Center = "model",
    n_starts: int = 10,
    seed: int = 0,
    workers: int = 1,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> MixtureBootstrap:
    """Fit a mixture again in many samples; called as ``mixsem.bootstrap(fit, ...)``.

    Every sample is clustered from the partition of `fit` and from random starts, and its clusters are matched with the
    original ones (Hungarian algorithm on posterior probabilities, then on regressions).

    Parameters
    ----------
    fit
        A mixture with K clusters.
    n
        Number of samples.
    kind
        ``"groups"``: groups with replacement, with their factor covariances as they are: how much depends on which
        groups are in the data. ``"people"``: new people in the same groups, from Wishart covariances of their items,
        and all three steps again. With a Bayesian step 1, which would take too long, each sample takes a posterior draw
        of the measurement parameters instead; with given factor covariances these are drawn.
    center
        What people are drawn around. ``"model"``: covariances that the measurement model and the mixture imply, each
        group in a cluster drawn with its posterior probabilities, so that groups differ as much as in the data.
        ``"sample"``: covariances of the data, without faith in the clusters; sampling error is then in the groups'
        covariances twice, so that memberships look less sure than they are and standard errors are too large.
    n_starts
        Random starts per sample.
    seed
        The same seed gives the same samples, for any number of workers, and the first ones of a larger `n`.
    workers
        Processes that share the work. Scripts that use more than one need the guard ``if __name__ == "__main__":``.
    store
        A file that finished samples are added to; a run that was stopped goes on from there with the same numbers.
    progress
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    MixtureBootstrap
        Regressions and memberships in all samples.

    Raises
    ------
    OptionError
        If an option is not what is allowed.
    OutputError
        If `store` cannot be used, or holds samples of another bootstrap.
    UnsupportedModelError
        For people of ordered items, and of a Bayesian step 1 with fewer than 50 draws.
    DataError
        If hardly any sample gave estimates.

    Warns
    -----
    ConvergenceWarning
        If samples gave no estimates.

    Examples
    --------
    >>> import mixsem as mx
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = mx.FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> fit = mx.StructuralMixture("y ~ x", k=2).fit(moments, seed=1)
    >>> drawn = mx.bootstrap(fit, 100, kind="people", seed=1)
    >>> drawn.se.shape, drawn.comembership.shape
    ((2, 1), (8, 8))

    References
    ----------
    Efron & Tibshirani (1993), An introduction to the bootstrap. Hennig (2007), Cluster-wise assessment of cluster
    stability. Computational Statistics & Data Analysis 52, 258-271.
    """
    check_run(n, seed, workers, n_starts)
    draw = _draw(fit, kind, center)
    task = MixtureTask(without_step1(fit), draw, n_starts)
    identity = _identity((fit,), kind, center, n_starts, seed)
    found = list(replicates(task, n, seed=seed, workers=workers, store=store, identity=identity, progress=progress))
    failures = _failures(found, n)
    shape = (n, *fit.coefficients.shape)
    coefficients, proportions = np.full(shape, np.nan), np.full(shape[:2], np.nan)
    members, ari, loglik = np.zeros((n, len(fit.groups)), dtype=np.int64), np.full(n, np.nan), np.full(n, np.nan)
    for i, record in enumerate(found):
        if not record["failure"]:
            coefficients[i], proportions[i] = record["coefficients"], record["proportions"]
            members[i], ari[i], loglik[i] = record["members"], record["ari"], record["loglik"]
    notices = _notices(failures, n)
    notify(notices)
    return MixtureBootstrap(fit, kind, center, coefficients, proportions, members, ari, loglik, failures, notices)


@bootstrap.register(MixtureSelection)
def bootstrap_selection(
    fits: MixtureSelection,
    n: int = 200,
    *,
    kind: Kind = "groups",
    center: Center = "model",
    n_starts: int = 20,
    seed: int = 0,
    workers: int = 1,
    store: str | Path | None = None,
    progress: Progress | None = None,
) -> SelectionBootstrap:
    """Choose the number of clusters again in many samples; called as ``mixsem.bootstrap(fits, ...)``.

    Parameters
    ----------
    fits
        Fits for several numbers of clusters.
    n, kind, center, n_starts, seed, workers, store, progress
        As for one mixture, see `bootstrap_mixture`. With ``center="model"`` people are drawn around the fit that
        `choose_clusters` chooses, so that the result tells how often its number of clusters is found again.

    Returns
    -------
    SelectionBootstrap
        What every criterion chose in all samples.

    Raises
    ------
    OptionError, OutputError, UnsupportedModelError, DataError
        As for one mixture.
    """
    check_run(n, seed, workers, n_starts)
    if len(fits) < 2:
        raise OptionError("one number of clusters", allowed="a selection of several", todo="fit k=range(1, 7), say")
    draw = _draw(fits[choose_clusters(fits).k], kind, center)
    task = SelectionTask(tuple(without_step1(f) for f in fits.fits), draw, n_starts)
    identity = _identity(fits.fits, kind, center, n_starts, seed)
    found = list(replicates(task, n, seed=seed, workers=workers, store=store, identity=identity, progress=progress))
    failures = _failures(found, n)
    names = tuple(fits.choices)
    chosen = np.full((n, len(names)), np.nan)
    for i, record in enumerate(found):
        if not record["failure"]:
            chosen[i] = [np.nan if record["choices"][name] is None else record["choices"][name] for name in names]
    notices = _notices(failures, n)
    notify(notices)
    return SelectionBootstrap(fits, kind, center, names, chosen, failures, notices)


def _draw(fit: MixtureFit, kind: str, center: str) -> Draw:
    if kind not in ("groups", "people"):
        raise OptionError(f"kind={kind!r}", allowed="'groups' or 'people'")
    if center not in ("model", "sample"):
        raise OptionError(f"center={center!r}", allowed="'model' or 'sample'")
    if kind == "groups":
        return GroupDraw(replace(fit.moments, measurement=None))
    return people_draw(fit, "model" if center == "model" else "sample", fit.posterior)


def _identity(fits: Sequence[MixtureFit], kind: str, center: str, n_starts: int, seed: int) -> str:
    moments = fits[0].moments
    arrays = [moments.n, moments.Phi, moments.observed, *(() if moments.means is None else (moments.means,))]
    arrays += [a for f in fits for a in (f.coefficients, f.posterior)]
    about = center if kind == "people" else ""
    return fingerprint("bootstrap", kind, about, n_starts, seed, [f.path.names for f in fits], *arrays)


def _failures(found: list[Record], n: int) -> tuple[str, ...]:
    failures = tuple(record["failure"] for record in found if record["failure"])
    if len(failures) > n - 2:
        raise DataError(
            f"{len(failures)} of {n} samples gave no estimates: {failures[0]}",
            allowed="mixtures that can be fitted in samples of the data",
            todo="choose fewer clusters, or kind='people' if a cluster has very few groups",
        )
    return failures


def _notices(failures: tuple[str, ...], n: int) -> tuple[Notice, ...]:
    if not failures:
        return ()
    reasons = enumerate_briefly(list(dict.fromkeys(failures)), 3)
    text = (
        f"{len(failures)} of {n} bootstrap samples gave no estimates ({reasons}): everything rests on the others, and"
        " looks surer than it is if the failures are not chance."
    )
    return (Notice(ConvergenceWarning, text),)
