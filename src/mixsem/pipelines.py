"""Whole methods in one call: three steps each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from .bayes.draws import DEFAULT_SAMPLING, Sampling
from .data.intake import Data, as_moments
from .factors.sam import factor_moments
from .measurement.mgcfa import MGCFA
from .options import Names, as_names, require_progress
from .structural.fit import MixtureFit
from .structural.mixture import Progress, StructuralMixture
from .structural.options import check_options, cluster_numbers
from .structural.path_model import compile_structural
from .structural.select import MixtureSelection
from .structural.starts import Start, starting_partitions
from .syntax.blocks import Blocks
from .syntax.sem import parse_model
from .syntax.support import require_measurement_model

if TYPE_CHECKING:
    from .bayes.priors import Priors
    from .measurement.mgbcfa import MGBCFA, PriorVariance
    from .measurement.mlcfa import MLCFA

__all__ = ["mixmg_bsem", "mixml_sem", "mmgsem"]


def mmgsem(
    measurement: str,
    structural: str,
    data: Data,
    group: str | None = None,
    *,
    k: int | Sequence[int],
    equal: Names = ("loadings",),
    partial: Names = (),
    blocks: Blocks = "factor",
    missing: str = "listwise",
    ordered: Names | Literal[True] = (),
    residuals: str = "group",
    equal_regressions: Names = (),
    group_specific: Names = (),
    meanstructure: bool = False,
    n_starts: int = 200,
    start: Start = "hard",
    seed: int | None = None,
    progress: Progress | None = None,
) -> MixtureFit | MixtureSelection:
    """Mixture multigroup SEM: which groups share the same relations among factors?

    Step 1 fits a multigroup CFA (`MGCFA`), step 2 maps it to factor covariances (`factor_moments`), step 3
    clusters the groups on the regressions among factors (`StructuralMixture`).

    Parameters
    ----------
    measurement
        Measurement model in lavaan syntax.
    structural
        Structural model in lavaan syntax.
    data
        A dataframe (pandas, polars, pyarrow, DuckDB), one row per person, or `SampleMoments`.
    group
        Column that names the group of each person. Not used with moments.
    k
        Number of clusters, or several to choose from, such as ``range(1, 7)``.
    equal
        Kinds of parameters that are equal over groups, see `MGCFA`.
    partial
        Single parameters exempt from `equal`, such as ``("narcissism =~ cnarc3",)``.
    blocks
        Measurement blocks: ``"factor"``, ``"joint"`` or a partition of the factors.
    missing
        ``"listwise"``: rows without a missing value; ``"ml"``: moments estimated from every answer, see `MGCFA`.
    ordered
        Names of items with ordered categories, or True for all, see `MGCFA`.
    residuals
        ``"group"``: residual variances of each group and cluster; ``"cluster"``: of each cluster.
    equal_regressions
        Regressions that are the same in all clusters (`equal` of `StructuralMixture`).
    group_specific, meanstructure
        Regressions of single groups, and clustering on factor means, see `StructuralMixture`; the latter needs
        ``equal=("loadings", "intercepts")``.
    n_starts
        Random starts per number of clusters.
    start
        ``"hard"``, ``"soft"``, or a partition to start from.
    seed
        Seed of the random starts.
    progress
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    MixtureFit or MixtureSelection
        One fit if `k` is a number, a mapping from k to fits with a selection table if it is several.

    Raises
    ------
    ModelSyntaxError, ModelError, DataError, OptionError
        As the three steps do.

    Examples
    --------
    >>> import mixsem as mx
    >>> survey = mx.data.simulated_survey()
    >>> measurement, structural = mx.data.survey_models()
    >>> fits = mx.mmgsem(measurement, structural, survey, group="country", k=range(1, 6), seed=1)
    >>> fits.choices["chull"]
    4

    References
    ----------
    Perez Alonso, Rosseel, Vermunt & De Roover (2024), Mixture multigroup structural equation modeling: A novel
    method for comparing structural relations across many groups. Psychological Methods.
    """
    require_progress(progress)
    model = MGCFA(measurement, equal=equal, partial=partial, blocks=blocks, missing=missing, ordered=ordered)
    step1 = model.fit(data, group)
    if progress is not None:
        progress("measurement", 1, 1)
    mixture = StructuralMixture(
        structural, k, residuals, equal_regressions, n_starts, start,
        group_specific=group_specific, meanstructure=meanstructure,
    )  # fmt: skip
    return mixture.fit(factor_moments(step1), seed=seed, progress=progress)


def mixml_sem(
    measurement: str,
    structural: str,
    data: Data,
    group: str | None = None,
    *,
    k: int | Sequence[int],
    random: Names = ("loadings", "residuals", "factor variances", "factor correlations"),
    blocks: Blocks = "factor",
    priors: Priors | str = "default",
    method: str = "nuts",
    sampling: Sampling = DEFAULT_SAMPLING,
    missing: str = "listwise",
    residuals: str = "group",
    equal_regressions: Names = (),
    group_specific: Names = (),
    n_starts: int = 200,
    start: Start = "hard",
    seed: int | None = None,
    progress: Progress | None = None,
) -> MixtureFit | MixtureSelection:
    """Mixture multilevel SEM: clusters of groups when loadings vary at random over many, possibly small groups.

    Step 1 samples a multilevel CFA (`MLCFA`), step 2 takes its factor scores as single indicators of the factors
    (`factor_moments`), step 3 clusters the groups on the regressions among factors (`StructuralMixture`).

    Parameters
    ----------
    measurement, structural, data, group, k
        Models in lavaan syntax, data, column of the group, and number (or numbers) of clusters, as in `mmgsem`.
    random
        Kinds of parameters, or single ones, that vary over groups, see `MLCFA`; all others are equal.
    blocks
        Measurement blocks: ``"factor"``, ``"joint"`` or a partition of the factors.
    priors
        Name of a set of priors, or a `Priors` object, see `MLCFA`.
    method
        ``"nuts"``: the No-U-Turn sampler; ``"laplace"``: up to 1000 draws of the same posterior with proposals from
        Laplace approximations, several times as fast, for simulation studies.
    sampling
        Chains, draws and tuning of step 1.
    missing
        ``"listwise"`` or ``"ml"``, as in `mmgsem`.
    residuals, equal_regressions, group_specific, n_starts, start, progress
        Of step 3, as in `mmgsem`; step 1 reports its progress as the stage ``"measurement"``.
    seed
        Seed of the posterior draws and of the random starts.

    Returns
    -------
    MixtureFit or MixtureSelection
        One fit if `k` is a number, a mapping from k to fits with a selection table if it is several. The fitted
        measurement model is ``.moments.measurement`` of a fit.

    Raises
    ------
    ModelSyntaxError, ModelError, DataError, OptionError
        As the three steps do.

    Examples
    --------
    With the fast method in the place of the No-U-Turn sampler:

    >>> import mixsem as mx
    >>> survey = mx.data.simulated_survey()
    >>> measurement, structural = mx.data.survey_models()
    >>> quick = mx.Sampling(draws=100)
    >>> fit = mx.mixml_sem(
    ...     measurement, structural, survey, "country", k=4, n_starts=20, method="laplace", sampling=quick, seed=1
    ... )
    >>> fit.moments.method, round(fit.entropy_r2, 2)
    ('mixml-sem', 0.99)

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multilevel SEM vs. multilevel SEM for comparing structural relations
    across groups in presence of measurement non-invariance. Frontiers in Psychology 16.
    https://doi.org/10.3389/fpsyg.2025.1463790
    """
    from .measurement.mlcfa import MLCFA

    model = MLCFA(
        measurement, random=random, blocks=blocks, priors=priors, method=method, sampling=sampling, missing=missing
    )
    mixture = StructuralMixture(
        structural, k, residuals, equal_regressions, n_starts, start, group_specific=group_specific
    )
    return _sample_and_cluster(model, mixture, data, group, seed, progress)


def mixmg_bsem(
    measurement: str,
    structural: str,
    data: Data,
    group: str | None = None,
    *,
    k: int | Sequence[int],
    prior_variance: PriorVariance = 0.01,
    symmetric: bool = False,
    reference: Hashable | None = None,
    blocks: Blocks = "factor",
    priors: Priors | str = "blavaan",
    method: str = "nuts",
    sampling: Sampling = DEFAULT_SAMPLING,
    missing: str = "listwise",
    residuals: str = "group",
    equal_regressions: Names = (),
    group_specific: Names = (),
    n_starts: int = 200,
    start: Start = "hard",
    seed: int | None = None,
    progress: Progress | None = None,
) -> MixtureFit | MixtureSelection:
    """Mixture multigroup Bayesian SEM: clusters of groups whose loadings are approximately equal.

    Step 1 samples a multigroup CFA with small-variance priors on loading differences (`MGBCFA`), step 2 takes its
    factor scores as single indicators of the factors (`factor_moments`), step 3 clusters the groups on the
    regressions among factors (`StructuralMixture`).

    Parameters
    ----------
    measurement, structural, data, group, k
        Models in lavaan syntax, data, column of the group, and number (or numbers) of clusters, as in `mmgsem`.
    prior_variance
        Prior variance of the difference between a group's loading and the reference group's, or several to choose
        from, see `MGBCFA`.
    symmetric
        Loadings vary around a common value instead of the reference group's.
    reference
        Label of the reference group; None for the first one.
    blocks
        Measurement blocks: ``"factor"``, ``"joint"`` or a partition of the factors.
    priors
        Name of a set of priors, or a `Priors` object, see `MGBCFA`.
    method
        ``"nuts"``: the No-U-Turn sampler; ``"laplace"``: up to 1000 draws of the same posterior with proposals from
        Laplace approximations, several times as fast, for simulation studies.
    sampling
        Chains, draws and tuning of step 1.
    missing
        ``"listwise"`` or ``"ml"``, as in `mmgsem`.
    residuals, equal_regressions, group_specific, n_starts, start, progress
        Of step 3, as in `mmgsem`; step 1 reports its progress as the stage ``"measurement"``.
    seed
        Seed of the posterior draws and of the random starts.

    Returns
    -------
    MixtureFit or MixtureSelection
        One fit if `k` is a number, a mapping from k to fits with a selection table if it is several. The fitted
        measurement model is ``.moments.measurement`` of a fit.

    Raises
    ------
    ModelSyntaxError, ModelError, DataError, OptionError
        As the three steps do.

    Examples
    --------
    With the fast method in the place of the No-U-Turn sampler:

    >>> import mixsem as mx
    >>> survey = mx.data.simulated_survey()
    >>> measurement, structural = mx.data.survey_models()
    >>> quick = mx.Sampling(draws=100)
    >>> fit = mx.mixmg_bsem(
    ...     measurement, structural, survey, "country", k=4, n_starts=20, method="laplace", sampling=quick, seed=1
    ... )
    >>> fit.moments.method, round(fit.entropy_r2, 2)
    ('mixmg-bsem', 0.99)

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multigroup Bayesian SEM with approximate measurement invariance for
    comparing structural relations across many groups. Methodology 21(4), 286-312.
    https://doi.org/10.5964/meth.16411
    """
    from .measurement.mgbcfa import MGBCFA

    model = MGBCFA(
        measurement,
        prior_variance=prior_variance,
        symmetric=symmetric,
        reference=reference,
        blocks=blocks,
        priors=priors,
        method=method,
        sampling=sampling,
        missing=missing,
    )
    mixture = StructuralMixture(
        structural, k, residuals, equal_regressions, n_starts, start, group_specific=group_specific
    )
    return _sample_and_cluster(model, mixture, data, group, seed, progress)


def _sample_and_cluster(
    model: MLCFA | MGBCFA,
    mixture: StructuralMixture,
    data: Data,
    group: str | None,
    seed: int | None,
    progress: Progress | None,
) -> MixtureFit | MixtureSelection:
    """The three steps; what can be wrong with the third is looked for before minutes go into the first."""
    syntax = parse_model(model.measurement)
    require_measurement_model(syntax)
    check_options(mixture, seed)
    equal, own = as_names(mixture.equal, "equal"), as_names(mixture.group_specific, "group_specific")
    compile_structural(mixture.structural, syntax.factors, equal=equal, group_specific=own)
    moments = as_moments(data, syntax.indicators, group, missing=model.missing)
    for k in cluster_numbers(mixture.k, moments.n_groups):
        starting_partitions(mixture.start, moments.groups, k, 1, np.random.default_rng(0))
    step1 = model.fit(moments, seed=seed, progress=progress)
    return mixture.fit(factor_moments(step1), seed=seed, progress=progress)
