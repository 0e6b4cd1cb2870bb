"""Multilevel Bayesian CFA with random loadings and variances: step 1 of MixML-SEM."""

from __future__ import annotations

from dataclasses import dataclass

from ..bayes.draws import DEFAULT_SAMPLING, Sampling
from ..bayes.posterior import Equal, Random, Role
from ..bayes.priors import InverseGamma, Priors, as_priors
from ..data.intake import Data, as_moments
from ..errors import DataError, ModelSyntaxError, OptionError, did_you_mean, enumerate_briefly, notify
from ..model.matrices import ModelMap
from ..options import Names, as_names
from ..syntax.sem import parse_model, parse_parameter
from ..syntax.support import require_measurement_model
from ..syntax.table import ParameterTable, measurement_table
from .bayes_blocks import Progress, fit_blocks
from .bayes_checks import bayesian_notices
from .bayes_fit import BayesianFit, assemble
from .blocks import Blocks, partition_factors

__all__ = ["MLCFA", "RANDOM_KINDS", "random_rows"]

#: Kinds of parameters that may be random.
RANDOM_KINDS = ("loadings", "residuals", "factor variances", "factor correlations", "residual correlations")
#: With a flat prior on the variance of an effect and on its mean, the posterior is proper from this many groups on.
LEAST_FOR_FLAT = 4
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
        everything but residual correlations.
    blocks
        Measurement blocks: ``"factor"`` (one per factor, default), ``"joint"``, or a partition of the factors.
    priors
        ``"default"``, ``"blavaan"`` or ``"mplus"``, or a `Priors` object.
    means
        ``"free"``: group means are parameters with a flat prior; ``"ignore"``: centred data are taken for
        independent observations, which biases variances by the factor (N - 1)/N.
    method
        ``"nuts"``: the No-U-Turn sampler (default); ``"laplace"``: up to 1000 draws with proposals from Laplace
        approximations, ten times as fast, for simulation studies.
    sampling
        Chains, draws and tuning.

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
    """

    measurement: str
    random: Names = DEFAULT_RANDOM
    blocks: Blocks = "factor"
    priors: Priors | str = "default"
    means: str = "free"
    method: str = "nuts"
    sampling: Sampling = DEFAULT_SAMPLING

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
            If an option is not known, or `random` names what is not a parameter.
        """
        priors = as_priors(self.priors)
        syntax = parse_model(self.measurement)
        require_measurement_model(syntax)
        moments = as_moments(data, syntax.indicators, group)
        if moments.n_groups < 2:
            raise DataError(
                "the data have a single group, over which nothing can vary",
                allowed="two groups at least; random effects need about 20 to be estimated well",
                todo="name the column of the groups with group=",
            )
        _require_groups_for(priors, moments.n_groups)
        table = measurement_table(syntax, groups=moments.groups)
        names = random_rows(table, as_names(self.random))

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
        return BayesianFit(self, moments, table.factors, table.observed, *matrices, blocks, notices)


def _require_groups_for(priors: Priors, n_groups: int) -> None:
    """A flat prior on the variance of an effect, with a flat one on its mean, needs groups to be proper."""
    flat = [p for p in (priors.loading_spread, priors.log_variance_spread) if p == InverseGamma(-1.0, 0.0)]
    if flat and n_groups < LEAST_FOR_FLAT:
        raise OptionError(
            f"a flat prior on the variance of random effects over {n_groups} groups leaves the posterior without a"
            " finite total",
            allowed=f"flat priors on variances of random effects with {LEAST_FOR_FLAT} groups or more",
            todo="take priors='default', or a HalfNormal or HalfT prior for the spread",
        )


def random_rows(table: ParameterTable, random: tuple[str, ...], kinds: tuple[str, ...] = RANDOM_KINDS) -> set[str]:
    """Names of the parameters that `random` makes random.

    Raises
    ------
    OptionError
        If an entry is neither a kind nor a parameter that could differ over groups.
    """
    free = {row.name: row for row in table.rows if any(value is None for value in row.fixed)}
    chosen: set[str] = set()
    for entry in random:
        if entry in kinds:
            chosen |= {name for name, row in free.items() if _kind(row.lhs, row.op, row.rhs, table.factors) == entry}
            continue
        try:
            lhs, op, rhs = parse_parameter(entry)
        except ModelSyntaxError:
            lhs, op, rhs = "", "", ""
        orders = ((lhs, rhs), (rhs, lhs)) if op == "~~" else ((lhs, rhs),)
        found = next((f"{a}{op}{b}" for a, b in orders if f"{a}{op}{b}" in free), None)
        if found is None:
            raise OptionError(
                f"random= names {entry!r}, which is neither a kind nor a free parameter of the model",
                allowed=f"kinds {', '.join(map(repr, kinds))}; parameters {enumerate_briefly(list(free), 12)}",
                todo=did_you_mean(entry, [*kinds, *free]),
            )
        chosen.add(found)
    return chosen


def _kind(lhs: str, op: str, rhs: str, factors: tuple[str, ...]) -> str:
    """The kind of a parameter, in the words of `random`."""
    if op == "=~":
        return "loadings"
    if op == "~":
        return "regressions"
    where = "factor" if lhs in factors else "residual"
    if lhs != rhs:
        return f"{where} correlations"
    return "factor variances" if where == "factor" else "residuals"
