"""Multigroup Bayesian CFA with approximate measurement invariance: step 1 of MixMG-BSEM."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from ..bayes.draws import DEFAULT_SAMPLING, Sampling, check_run
from ..bayes.posterior import Approximate, Equal, Free, Role
from ..bayes.priors import Priors, as_priors
from ..data.intake import Data, as_moments
from ..data.moments import SampleMoments
from ..errors import DataError, FewGroupsWarning, Notice, OptionError, did_you_mean, enumerate_briefly, notify
from ..kernels.problem import LAMBDA
from ..model.matrices import ModelMap
from ..syntax.blocks import Blocks, partition_factors
from ..syntax.sem import parse_model
from ..syntax.support import require_measurement_model
from ..syntax.table import ParameterTable, Row, measurement_table
from .bayes_blocks import Progress, fit_blocks
from .bayes_checks import bayesian_notices
from .bayes_fit import BayesianBlock, BayesianFit, assemble
from .prior_grid import best_of_grid, variance_grid
from .random_effects import tied_rows

__all__ = ["MGBCFA", "PriorVariance"]

#: Prior variance of loading differences: one for all loadings, or by loading or factor, or several to choose from;
#: None for no constraint.
PriorVariance = float | None | Mapping[str, float | None] | Sequence[float | None]

DEFAULT_VARIANCE = 0.01


@dataclass(frozen=True)
class MGBCFA:
    """Multigroup Bayesian CFA whose loadings are approximately equal over groups.

    A loading has a vague prior in the reference group and N(that loading, v) in every other group; unique variances
    and factor (co)variances are free in every group. Factor scores and means are integrated out.

    Parameters
    ----------
    measurement
        Measurement model in lavaan syntax. The first loading of a factor is its marker, fixed at 1.
    prior_variance
        Variance v of the difference between a group's loading and the reference group's, in the items' own units:
        a number for all loadings, 0 for exact invariance, None for none; or a mapping from loadings
        (``"F =~ x3"``) or factors to such numbers, where what is not named has 0.01 and a loading that is fixed or
        equal by a label must not be named; or several numbers, of which
        every block takes the one with the smallest DIC (``fit.prior_choice``; see `choose_prior_variance`).
    symmetric
        Loadings vary with variance v/2 around a common value, so that no group is special. Any two groups then
        differ with variance v.
    reference
        Label of the reference group, of the labels' type; None for the first one. The symmetric form has none, and
        refuses one.
    blocks
        Measurement blocks: ``"factor"`` (one per factor, default), ``"joint"``, or a partition of the factors.
    priors
        ``"blavaan"`` (default), ``"default"`` or ``"mplus"``, or a `Priors` object.
    means
        ``"free"``: group means are parameters with a flat prior; ``"ignore"``: centred data are taken for
        independent observations, which biases variances by the factor (N - 1)/N.
    method
        ``"nuts"``: the No-U-Turn sampler (default); ``"laplace"``: up to 1000 draws of the same posterior with
        proposals from Laplace approximations, 6 to 10 times as fast, for simulation studies.
    sampling
        Chains, draws and tuning.
    missing
        ``"listwise"``: rows without a missing value; ``"ml"``: means and covariances estimated from every answer, see
        `SampleMoments.from_frame`; what follows takes them for those of complete rows.

    Examples
    --------
    >>> import mixsem as mx
    >>> population = mx.simulate.Population(n_groups=12, group_size=100, loading_variance=0.01)
    >>> moments = mx.simulate.draw_moments(mx.simulate.draw_truth(population, seed=1), seed=1)
    >>> model = mx.MGBCFA("F =~ V1 + V2 + V3 + V4", prior_variance={"F": 0.01, "F =~ V4": 0}, method="laplace")
    >>> fit = model.fit(moments, seed=1)
    >>> bool((fit.Lambda[:, 3] == fit.Lambda[0, 3]).all()), bool(0 < fit.Lambda[:, 2].std() < 0.1)  # V4, V3
    (True, True)

    References
    ----------
    Zhao, Vermunt & De Roover (2025), Mixture multigroup Bayesian SEM with approximate measurement invariance for
    comparing structural relations across many groups. Methodology 21(4), 286-312.
    https://doi.org/10.5964/meth.16411

    Muthén & Asparouhov (2012), Bayesian structural equation modeling. Psychological Methods 17, 313-335.
    """

    measurement: str
    prior_variance: PriorVariance = DEFAULT_VARIANCE
    symmetric: bool = False
    reference: Hashable | None = None
    blocks: Blocks = "factor"
    priors: Priors | str = "blavaan"
    means: str = "free"
    method: str = "nuts"
    sampling: Sampling = DEFAULT_SAMPLING
    missing: str = "listwise"

    @property
    def method_name(self) -> str:
        """The clustering method this is step 1 of."""
        return "mixmg-bsem"

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
            If the data lack an item, or `reference` is not a group.
        OptionError
            If an option is not known, or `prior_variance` is negative or names what is not a loading, or one that
            is fixed.
        """
        check_run(self.sampling, seed, progress)
        if self.symmetric and self.reference is not None:
            raise OptionError(
                f"symmetric=True with reference={self.reference!r}",
                allowed="a reference group, or the symmetric form, in which no group is special",
                todo="drop one of them",
            )
        priors = as_priors(self.priors)
        syntax = parse_model(self.measurement)
        require_measurement_model(syntax)
        moments = as_moments(data, syntax.indicators, group, missing=self.missing)
        table = measurement_table(syntax, groups=moments.groups)
        parts = partition_factors(table, self.blocks)
        reference = None if self.symmetric else _reference_index(moments, self.reference)

        def sample(prior_variance: PriorVariance, report: Progress | None) -> tuple[BayesianBlock, ...]:
            variances = loading_variances(table, prior_variance)
            return fit_blocks(
                table,
                parts,
                moments,
                lambda model, e: _role(model, e, variances, reference),
                priors=priors,
                means=self.means,
                method=self.method,
                sampling=self.sampling,
                seed=seed,
                progress=report,
            )

        choice = None
        if isinstance(self.prior_variance, list | tuple):
            grid = variance_grid([_as_variance(v) for v in self.prior_variance])
            blocks, choice = best_of_grid(
                grid, sample, moments.groups, method=self.method, seed=seed, progress=progress
            )
        else:
            blocks = sample(self.prior_variance, progress)
        found = bayesian_notices(blocks, moments.groups, priors, self.method)
        notices = (*moments.notices, *_single_group(moments), *found)
        notify(notices)
        matrices = assemble(table.factors, table.observed, blocks)
        used = None if seed is None else int(seed)
        return BayesianFit(self, moments, table.factors, table.observed, *matrices, blocks, notices, choice, used)


def _role(model: ModelMap, e: int, variances: Mapping[str, float | None], reference: int | None) -> Role:
    """Loadings are approximately equal, everything else is free in every group."""
    variance = variances[model.entries[e]] if model.matrix[e] == LAMBDA else None
    if variance is None:
        return Free()
    return Equal() if variance == 0.0 else Approximate(variance, reference)


def _single_group(moments: SampleMoments) -> tuple[Notice, ...]:
    """One group is an ordinary Bayesian factor analysis, and may be a forgotten option."""
    if moments.n_groups > 1:
        return ()
    text = (
        "the data have a single group: nothing varies over groups, prior_variance= has no effect, and groups cannot be"
        " clustered. Name the column of the groups with group= if there is one."
    )
    return (Notice(FewGroupsWarning, text),)


def loading_variances(table: ParameterTable, prior_variance: PriorVariance) -> dict[str, float | None]:
    """Prior variance of every loading by its name, such as ``"F=~x2"``.

    Raises
    ------
    OptionError
        If a variance is negative or not a number, or a name is neither a loading nor a factor, or a loading that is
        fixed, or equal by a label.
    """
    rows = {row.name: row for row in table.rows if row.op == "=~"}
    loadings = {name: row.lhs for name, row in rows.items()}
    if not isinstance(prior_variance, Mapping):
        return dict.fromkeys(loadings, _as_variance(prior_variance))
    named = {"".join(str(name).split()): _as_variance(variance) for name, variance in prior_variance.items()}
    for name in named:
        if name not in loadings and name not in table.factors:
            raise OptionError(
                f"prior_variance= names {name!r}, which is neither a loading nor a factor",
                allowed=enumerate_briefly([*table.factors, *loadings], 20),
                todo=did_you_mean(name, [*table.factors, *loadings]),
            )
        if name in rows:
            _require_free(table, rows[name], named[name])
    return {name: named.get(name, named.get(factor, DEFAULT_VARIANCE)) for name, factor in loadings.items()}


def _require_free(table: ParameterTable, row: Row, variance: float | None) -> None:
    """A prior variance of one loading that the model fixes, or holds equal, would say nothing."""
    if all(value is not None for value in row.fixed):
        raise OptionError(
            f"prior_variance= names {row.name!r}, which is fixed at {row.fixed[0]:g}"
            if len(set(row.fixed)) == 1
            else f"prior_variance= names {row.name!r}, which is fixed in every group",
            allowed="free loadings; the first loading of a factor is its marker, fixed at 1",
            todo=f"leave it out, or free it with NA*{row.rhs} and fix another loading in its place",
        )
    if variance != 0.0 and row.name in tied_rows(table):
        raise OptionError(
            f"prior_variance= names {row.name!r}, which a label in the model holds equal",
            allowed="loadings without a label",
            todo="remove the label from the model, or the loading from prior_variance=",
        )


def _as_variance(variance: object) -> float | None:
    if variance is None:
        return None
    if not isinstance(variance, int | float) or isinstance(variance, bool):
        raise OptionError(
            f"prior_variance={variance!r}",
            allowed="a number, None, a mapping from loadings or factors to such, or several to choose from",
            todo="start with 0.01, or choose from (0.001, 0.005, 0.01, 0.05, 0.1)",
        )
    if not (math.isfinite(variance) and variance >= 0):
        raise OptionError(
            f"prior_variance={variance!r}",
            allowed="a number that is not negative, or None for no constraint",
            todo="start with 0.01",
        )
    return float(variance)


def _reference_index(moments: SampleMoments, reference: Hashable | None) -> int:
    if reference is None:
        return 0
    if reference in moments.groups:
        return moments.groups.index(reference)
    raise DataError(
        f"reference={reference!r} is not a group",
        allowed=enumerate_briefly(moments.groups),
        todo=_same_label(moments, reference)
        or did_you_mean(str(reference), [str(g) for g in moments.groups])
        or "name one of them",
    )


def _same_label(moments: SampleMoments, reference: Hashable) -> str:
    """Say so if a label is written in the same way but is of another type: ``"3"`` is not 3."""
    same = next((group for group in moments.groups if str(group) == str(reference)), None)
    if same is None:
        return ""
    kinds = f"the labels are of type {type(same).__name__}, not {type(reference).__name__}"
    return f"{kinds}: give reference={same!r}"
