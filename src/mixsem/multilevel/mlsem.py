"""Multilevel SEM with random loadings, variances and regressions: the method MixML-SEM is compared to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..bayes.draws import DEFAULT_SAMPLING, Sampling, check_run
from ..bayes.estimate import compile_posterior, estimate
from ..bayes.posterior import Equal, Posterior, Random, Role
from ..bayes.priors import Priors, as_priors
from ..data.intake import Data, as_moments
from ..data.moments import SampleMoments
from ..errors import Notice, UnusedFactorWarning, notify
from ..measurement.bayes_blocks import Progress
from ..measurement.bayes_checks import bayesian_notices
from ..measurement.bayes_fit import BayesianBlock, ScoreSummary
from ..measurement.random_effects import RANDOM_KINDS, random_rows, require_several_groups
from ..model.matrices import ModelMap
from ..options import Names, as_names
from ..structural.path_model import PathModel, compile_structural
from ..syntax.sem import parse_model
from ..syntax.support import require_measurement_model
from ..syntax.table import ParameterTable, measurement_table
from .fit import MultilevelFit
from .table import full_table

__all__ = ["MLSEM", "compile_mlsem"]

KINDS = (*RANDOM_KINDS, "regressions")
DEFAULT_RANDOM = ("loadings", "residuals", "factor variances", "factor correlations", "regressions")


@dataclass(frozen=True)
class MLSEM:
    r"""Multilevel structural equation model: measurement and regressions at once, both with random effects.

    A random regression is normally distributed over groups, beta_g ~ N(mu, tau^2); random loadings likewise; random
    variances (of items, of exogenous factors, of the residuals of outcomes) normally on the log scale; random factor
    correlations normally on Fisher's z scale. Everything else is equal over groups. Group-specific regressions are
    posterior means: they are drawn towards mu, the more so the smaller a group is.

    Parameters
    ----------
    measurement
        Measurement model in lavaan syntax. The first loading of a factor is its marker, fixed at 1.
    structural
        Regressions ``outcome ~ predictors`` among factors, with the rules of `StructuralMixture`: recursive;
        exogenous factors covary; residuals of factors that are only outcomes covary unless ``y1 ~~ 0*y2`` says
        otherwise. A regression with a label is equal over groups, and so are regressions with the same label.
    random
        Kinds of parameters that are random: ``"loadings"``, ``"residuals"`` (unique variances of items),
        ``"factor variances"`` (of exogenous factors and of the residuals of outcomes), ``"factor correlations"``
        (likewise), ``"regressions"``, ``"residual correlations"`` (of items); single parameters such as
        ``"F3 ~ F1"`` or ``"F =~ x2"``; or both. All others are equal over groups. The default is everything but
        residual correlations.
    priors
        ``"default"``, ``"blavaan"`` or ``"mplus"``, or a `Priors` object.
    means
        ``"free"``: group means are parameters with a flat prior; ``"ignore"``: centred data are taken for
        independent observations, which biases variances by the factor (N - 1)/N.
    method
        ``"nuts"``: the No-U-Turn sampler (default); ``"laplace"``: up to 1000 draws of the same posterior with
        proposals from Laplace approximations, seven to nine times as fast with two factors, for simulation studies.
    sampling
        Chains, draws and tuning.
    missing
        ``"listwise"``: rows without a missing value; ``"ml"``: means and covariances estimated from every answer, see
        `SampleMoments.from_frame`; what follows takes them for those of complete rows.

    Examples
    --------
    >>> import mixsem as mx
    >>> table = mx.data.simulated_survey()
    >>> few = table[table["country"].isin(["C01", "C02", "C03", "C04"])]
    >>> model = MLSEM(
    ...     "security =~ security1 + security2 + security3\ntrust =~ trust1 + trust2 + trust3",
    ...     "trust ~ security",
    ...     random="regressions",
    ...     sampling=mx.Sampling(chains=2, warmup=100, draws=50, cores=1),
    ... )
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # so few draws are for show
    ...     fit = model.fit(few, "country", seed=1)
    >>> fit.regressions[["group", "outcome", "predictor"]].head(2)
      group outcome predictor
    0   C01   trust  security
    1   C02   trust  security

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multilevel SEM vs. multilevel SEM for comparing structural relations
    across groups in presence of measurement non-invariance. Frontiers in Psychology 16, "Comparison to ML-SEM".
    https://doi.org/10.3389/fpsyg.2025.1463790
    """

    measurement: str
    structural: str
    random: Names = DEFAULT_RANDOM
    priors: Priors | str = "default"
    means: str = "free"
    method: str = "nuts"
    sampling: Sampling = DEFAULT_SAMPLING
    missing: str = "listwise"

    def fit(
        self, data: Data, group: str | None = None, *, seed: int | None = None, progress: Progress | None = None
    ) -> MultilevelFit:
        """Sample the posterior of the whole model.

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
        MultilevelFit

        Raises
        ------
        ModelSyntaxError, ModelError, UnsupportedModelError
            If the models cannot be read or used; non-recursive models are refused.
        OptionError
            If an option is not known, `random` names what is not a parameter, or one that is fixed or equal by a
            label, or a flat prior on a spread meets too few groups.
        DataError
            If the data cannot be used or have a single group.
        """
        check_run(self.sampling, seed, progress)
        moments, path, table, posterior = compile_mlsem(self, data, group)
        total = self.sampling.chains * (self.sampling.warmup + self.sampling.draws)

        def report(done: int, _: int) -> None:
            if progress is not None:
                progress("multilevel SEM", done, total)

        seeds = np.random.SeedSequence(seed)
        watched = report if progress is not None else None
        draws, average = estimate(posterior, self.method, self.sampling, seeds, watched)
        if progress is not None:
            progress("multilevel SEM", total, total)
        scores = ScoreSummary(average.mean_A, average.cov_A, average.mean_V)
        block = BayesianBlock(
            table.factors, table.observed, table, posterior, draws, average.values, scores, average.loglik
        )
        left_out = _left_out(self, path)
        found = bayesian_notices((block,), moments.groups, as_priors(self.priors), self.method, clustered=False)
        notices = (*moments.notices, *left_out, *found)
        notify(notices)
        return MultilevelFit(self, moments, path, block, notices)


def compile_mlsem(
    spec: MLSEM, data: Data, group: str | None = None
) -> tuple[SampleMoments, PathModel, ParameterTable, Posterior]:
    """Everything before sampling: moments of the items used, structural model, parameters, posterior."""
    priors = as_priors(spec.priors)
    syntax = parse_model(spec.measurement)
    require_measurement_model(syntax)
    path = compile_structural(spec.structural, syntax.factors)
    used = {t.rhs for t in syntax.terms if t.op == "=~" and t.lhs in path.factors}
    moments = as_moments(data, [x for x in syntax.indicators if x in used], group, missing=spec.missing)
    require_several_groups(moments)
    table = full_table(measurement_table(syntax, groups=moments.groups), path)
    names = random_rows(table, as_names(spec.random, "random"), KINDS)

    def role_of(model: ModelMap, e: int) -> Role:
        return Random() if model.entries[e] in names else Equal()

    return moments, path, table, compile_posterior(table, moments, role_of, priors, spec.means)


def _left_out(spec: MLSEM, path: PathModel) -> tuple[Notice, ...]:
    """Say which factors are measured but not used."""
    unused = [f for f in parse_model(spec.measurement).factors if f not in path.factors]
    text = f"{', '.join(unused)}: measured, but in no regression; left out of the model, with the items."
    return (Notice(UnusedFactorWarning, text),) if unused else ()
