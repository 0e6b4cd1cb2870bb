"""Whole methods in one call: three steps each."""

from __future__ import annotations

from collections.abc import Sequence

from .data.intake import Data
from .factors.sam import factor_moments
from .measurement.blocks import Blocks
from .measurement.mgcfa import MGCFA
from .options import Names
from .structural.fit import MixtureFit
from .structural.mixture import Progress, StructuralMixture
from .structural.select import MixtureSelection
from .structural.starts import Start

__all__ = ["mmgsem"]


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
    residuals: str = "group",
    equal_regressions: Names = (),
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
    residuals
        ``"group"``: residual variances of each group and cluster; ``"cluster"``: of each cluster.
    equal_regressions
        Regressions that are the same in all clusters (`equal` of `StructuralMixture`).
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
    step1 = MGCFA(measurement, equal=equal, partial=partial, blocks=blocks).fit(data, group)
    if progress is not None:
        progress("measurement", 1, 1)
    mixture = StructuralMixture(
        structural, k, residuals=residuals, equal=equal_regressions, n_starts=n_starts, start=start
    )
    return mixture.fit(factor_moments(step1), seed=seed, progress=progress)
