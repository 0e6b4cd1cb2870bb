"""Multilevel Bayesian CFA with random loadings and variances: step 1 of MixML-SEM."""

from __future__ import annotations

from dataclasses import dataclass

from ..bayes.draws import DEFAULT_SAMPLING, Sampling, check_run
from ..bayes.posterior import Equal, Random, Role
from ..bayes.priors import Priors, as_priors
from ..data.intake import Data, as_moments
from ..errors import notify
from ..model.matrices import ModelMap
from ..options import Names, as_names
from ..syntax.blocks import Blocks, partition_factors
from ..syntax.sem import parse_model
from ..syntax.support import require_measurement_model
from ..syntax.table import measurement_table
from .bayes_blocks import Progress, fit_blocks
from .bayes_checks import bayesian_notices
from .bayes_fit import BayesianFit, assemble
from .random_effects import random_rows, require_several_groups

__all__ = ["MLCFA"]

DEFAULT_RANDOM = ("loadings", "residuals", "factor variances", "factor correlations")


@dataclass(frozen=True)
class MLCFA:
    """Multilevel Bayesian CFA (equations 2 to 5): what differs over groups is random, everything else is equal.

    Random loadings are normally distributed over groups, random unique variances and factor variances normally on
    the log scale, random correlations normally on Fisher's z scale. Factor scores and means are integrated out.

    Parameters
    ----------
    measurement
        Measurement model in lavaan syntax. The first loading of a factor is its marker, fixed at 1.
    random
        Kinds of parameters that are random: ``"loadings"``, ``"residuals"``, ``"factor variances"``,
        ``"factor correlations"`` (within a block), ``"residual correlations"``; single parameters such as
        ``"F =~ x2"``, ``"x2 ~~ x2"`` or ``"F ~~ F"``; or both. All others are equal over groups. The default is
        everything but residual correlations. What a label in the model holds equal stays equal; to name such a
        parameter is an error.
    blocks
        Measurement blocks: ``"factor"`` (one per factor, default), ``"joint"``, or a partition of the factors.
    priors
        ``"default"``, ``"blavaan"`` or ``"mplus"``, or a `Priors` object.
    means
        ``"free"``: group means are parameters with a flat prior; ``"ignore"``: centred data are taken for
        independent observations, which biases variances by the factor (N - 1)/N.
    method
        ``"nuts"``: the No-U-Turn sampler (default); ``"laplace"``: up to 1000 draws of the same posterior with
        proposals from Laplace approximations, 10 to 14 times as fast, for simulation studies.
    sampling
        Chains, draws and tuning.
    missing
        ``"listwise"``: rows without a missing value; ``"ml"``: means and covariances estimated from every answer, see
        `SampleMoments.from_frame`; what follows takes them for those of complete rows.

    Examples
    --------
    >>> import mixsem as mx
    >>> population = mx.simulate.Population(n_groups=20, group_size=60, kind="multilevel")
    >>> moments = mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=1), seed=1)
    >>> model = mx.MLCFA("F =~ V1 + V2 + V3 + V4", random=("loadings", "factor variances"), method="laplace")
    >>> fit = model.fit(moments, seed=1)
    >>> fit.Lambda.shape, bool(fit.Theta[0, 0, 0] == fit.Theta[19, 0, 0])  # unique variances are equal
    ((20, 4, 1), True)

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multilevel SEM vs. multilevel SEM for comparing structural relations
    across groups in presence of measurement non-invariance. Frontiers in Psychology 16, equations 1 to 5.
    https://doi.org/10.3389/fpsyg.2025.1463790
    """

    measurement: str
    random: Names = DEFAULT_RANDOM
    blocks: Blocks = "factor"
    priors: Priors | str = "default"
    means: str = "free"
    method: str = "nuts"
    sampling: Sampling = DEFAULT_SAMPLING
    missing: str = "listwise"

    @property
    def method_name(self) -> str:
        """The clustering method this is step 1 of."""
        return "mixml-sem"

    def fit(
        self, data: Data, group: str | None = None, *, seed: int | None = None, progress: Progress | None = None
    ) -> BayesianFit:
        """Sample the posterior of every measurement block.

        Parameters
        ----------
        data
            `SampleMoments`, or any dataframe narwhals takes (one row per person).
        group
            Column that names the group of each person. Not used with moments.
        seed
            The same seed gives the same draws.
        progress
            Called as ``progress(stage, done, total)``.

        Returns
        -------
        BayesianFit
            Draws and averages per block. Trouble with sampling is issued as warnings and kept as ``notices``.

        Raises
        ------
        ModelSyntaxError, ModelError, UnsupportedModelError
            If the model text cannot be read, or is not a measurement model.
        DataError
            If the data lack an item, or have a single group.
        OptionError
            If an option is not known, `random` names what is not a parameter or what a label holds equal, or a flat
            prior on a spread meets too few groups.
        """
        check_run(self.sampling, seed, progress)
        priors = as_priors(self.priors)
        syntax = parse_model(self.measurement)
        require_measurement_model(syntax)
        moments = as_moments(data, syntax.indicators, group, missing=self.missing)
        require_several_groups(moments)
        table = measurement_table(syntax, groups=moments.groups)
        names = random_rows(table, as_names(self.random, "random"))

        def role_of(model: ModelMap, e: int) -> Role:
            return Random() if model.entries[e] in names else Equal()

        blocks = fit_blocks(
            table,
            partition_factors(table, self.blocks),
            moments,
            role_of,
            priors=priors,
            means=self.means,
            method=self.method,
            sampling=self.sampling,
            seed=seed,
            progress=progress,
        )
        notices = (*moments.notices, *bayesian_notices(blocks, moments.groups, priors, self.method))
        notify(notices)
        matrices = assemble(table.factors, table.observed, blocks)
        used = None if seed is None else int(seed)
        return BayesianFit(self, moments, table.factors, table.observed, *matrices, blocks, notices, seed=used)
