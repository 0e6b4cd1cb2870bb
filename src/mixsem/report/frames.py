"""Fits as data frames: parameters (`tidy`), a line per model (`glance`), group (`clusters`), or row (`augment`)."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np

from ..equations.fit import SEMFit
from ..equations.sam_fit import SAMFit
from ..errors import OptionError
from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import BlockFit, MeasurementFit
from ..mixed.fit import MixedFit
from ..mixed.generalised.fit import GeneralisedFit
from ..mixed.require import AnyFit
from ..mixtures.errors import StandardErrors
from ..mixtures.known import known_errors
from ..mixtures.linear import normal_tests, standard_error
from ..multilevel.fit import MultilevelFit
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .bayesian_frames import bayesian_glance, bayesian_parameters
from .equation_frames import equation_glance, equation_parameters, two_step_glance
from .inputs import no_such_result
from .mixed_frames import mixed_augment, mixed_glance, mixed_parameters
from .multilevel_tables import multilevel_glance, multilevel_parameters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["augment", "clusters", "glance", "mixture_parameters", "tidy"]


@singledispatch
def tidy(fit: object) -> pd.DataFrame:
    """Return the parameters of a fit, one row each, unrounded.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    pandas.DataFrame
        Of a `MeasurementFit`: ``block``, ``group``, ``lhs``, ``op``, ``rhs``, ``estimate``, ``se``, ``z``,
        ``p_value``, ``free``; a parameter that is equal over groups is repeated in each of them.
        Of a `BayesianFit`: ``block``, ``group``, ``lhs``, ``op``, ``rhs``, ``what``, ``scale``, ``estimate`` (posterior
        mean), ``sd``, ``lower``, ``upper`` (95% interval), where ``what`` is ``"group"`` (value in that group; of other
        rows ``group`` is None), ``"equal"`` over groups, ``"fixed"``, or ``"mean"`` or ``"sd"`` over groups; means and
        SDs of random variances and correlations are on the ``scale`` named there.
        Of a `SEMFit` or `SAMFit`: ``group``, ``lhs``, ``op``, ``rhs``, ``label``, ``estimate``, ``se``, ``z``,
        ``p_value``, ``lower``, ``upper`` (95% interval), ``std_all``, ``free``; after the groups, defined parameters
        (``:=``), which belong to none.
        Of a `MixedFit`: ``effect`` (``"fixed"``, or ``"ran_pars"`` for standard deviations and correlations),
        ``group``, ``term`` (as in broom.mixed: ``"sd__Days"``, ``"cor__(Intercept).Days"``, ``"sd__Observation"``),
        ``estimate``, and of fixed effects ``se``, ``df`` (Satterthwaite), ``statistic`` (t), ``p_value``, ``lower``,
        ``upper`` (95%). Of a `GeneralisedFit` the same, with z in the place of t, and the family's ``"dispersion"`` or
        ``"size"``, if it has one, in that of the residual.
        Of a `MixtureFit`: ``cluster``, ``outcome``, ``predictor``, ``estimate``, ``se``, ``z``, ``p_value``,
        ``lower``, ``upper`` (95% interval), ``equal`` (the same in all clusters), ``fixed``, ``group_specific`` (free
        in every group: the estimate is the mean over the cluster's groups); the predictor of an intercept is ``"1"``.
        Standard errors count the estimation of step 1 (two-step). They are missing for what is fixed or
        group-specific, and where they cannot be computed at once: factor covariances that were given, a Bayesian
        step 1, ``residuals="cluster"``, ``meanstructure=True``. Of a `MixtureSelection`: the same with ``k``, the
        number of clusters.
        Of a `MultilevelFit`: ``lhs``, ``op``, ``rhs``, ``what`` (``"equal"`` over groups; ``"mean"`` or ``"sd"`` over
        groups), ``scale`` (of a mean or SD that is not on the parameter's own), ``estimate``, ``sd``, ``lower``,
        ``upper``; the regressions of each group are in ``fit.regressions``.

    Raises
    ------
    OptionError
        If `fit` is anything else.

    Examples
    --------
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> tidy(StructuralMixture("y ~ x", k=2).fit(moments, seed=1)).round(3)[["cluster", "estimate"]]
       cluster  estimate
    0        1       0.1
    1        2       0.5
    """
    raise _unknown(fit, "tidy")


@singledispatch
def glance(fit: object) -> pd.DataFrame:
    """Return how well a model fits, one row per model, unrounded.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    pandas.DataFrame
        Of a `SEMFit` one row with sizes, test, fit measures and their corrected forms, missing where the estimator has
        none; of a `SAMFit` one row with sizes and the test of step 2; of a `MixedFit` one row with sizes, sigma,
        likelihood, information criteria, evaluations, whether it converged and whether it is singular; of a
        `MeasurementFit` one row per measurement block with its fit measures; of a `BayesianFit` the same with fit
        measures from the draws, R-hat and effective sample sizes; of a `MixtureFit` one row
        with log-likelihoods, parameters, information criteria (``_observed``: on the log-likelihood of the
        indicators), entropy R2 and starts; of a `MixtureSelection` one such row per number of clusters; of a
        `MultilevelFit` one row with sizes, draws, the mean log-likelihood and whether there was sampling trouble.

    Raises
    ------
    OptionError
        If `fit` is anything else.
    """
    raise _unknown(fit, "glance")


def augment(fit: AnyFit, *, hat: bool = False) -> pd.DataFrame:
    """Return the rows of a mixed model with what the fit says of each.

    Parameters
    ----------
    fit
        A linear or generalised mixed model.
    hat
        Whether to add leverages, which take a little longer; of linear models only.

    Returns
    -------
    pandas.DataFrame
        The complete rows of the columns in use; then ``.fitted`` (random effects included), ``.residual`` (response
        less that), ``.fixed`` (fixed effects and offset alone), and ``.hat`` if asked for. Of a generalised model
        ``.fitted`` is a mean, ``.fixed`` on the scale of the link, and ``.linear`` the whole linear predictor. The
        index is the position of each row in the table that was given.

    Raises
    ------
    OptionError
        If `fit` is anything else.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> augment(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())).head(2).round(2)
       Reaction  Days Subject  .fitted  .residual  .fixed
    0    249.56     0     308   253.66      -4.10  251.41
    1    258.70     1     308   273.33     -14.63  261.87
    """
    if not isinstance(fit, MixedFit | GeneralisedFit):
        raise no_such_result(fit, "augment", (MixedFit, GeneralisedFit))
    return mixed_augment(fit, hat=hat)


def clusters(fit: MixtureFit) -> pd.DataFrame:
    """Return the cluster of each group.

    Parameters
    ----------
    fit
        A mixture with one number of clusters.

    Returns
    -------
    pandas.DataFrame
        One row per group, in the order of the fit: ``group``, ``n`` (people), ``cluster`` (most probable one),
        ``probability`` (of that cluster), and ``p1`` to ``pK``, the posterior classification probabilities.

    Raises
    ------
    OptionError
        If `fit` is not a `MixtureFit`.
    """
    import pandas as pd

    if not isinstance(fit, MixtureFit):
        raise _unknown(fit, "clusters")
    frame: dict[str, object] = {
        "group": pd.Series(list(fit.groups), dtype=None),
        "n": fit.moments.n,
        "cluster": fit.clusters,
        "probability": fit.posterior.max(axis=1),
    }
    return pd.DataFrame(frame | {f"p{c + 1}": fit.posterior[:, c] for c in range(fit.k)})


@tidy.register(MeasurementFit)
def _tidy_measurement(fit: MeasurementFit) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([_block_frame(block, fit) for block in fit.blocks], ignore_index=True)


def _block_frame(block: BlockFit, fit: MeasurementFit) -> pd.DataFrame:
    """All parameters of one block in all groups, group after group."""
    import pandas as pd
    from scipy.stats import norm

    model, rows = block.model, block.table.rows
    is_free = model.free >= 0
    se = np.where(is_free, np.append(block.standard_errors, np.nan)[model.free], np.nan)
    estimate = model.entry_values(block.coef)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = estimate / se
    repeat = len(fit.groups)
    return pd.DataFrame(
        {
            "block": ", ".join(block.factors),
            "group": [g for g in fit.groups for _ in rows],
            "lhs": [row.lhs for row in rows] * repeat,
            "op": [row.op for row in rows] * repeat,
            "rhs": [row.rhs for row in rows] * repeat,
            "estimate": estimate.ravel(),
            "se": se.ravel(),
            "z": z.ravel(),
            "p_value": 2 * norm.sf(np.abs(z.ravel())),
            "free": is_free.ravel(),
        }
    )


@tidy.register(MixtureFit)
def _tidy_mixture(fit: MixtureFit) -> pd.DataFrame:
    return mixture_parameters(fit, known_errors(fit)[0])


def mixture_parameters(fit: MixtureFit, errors: StandardErrors | None) -> pd.DataFrame:
    """Regressions of the clusters with these standard errors; without, what depends on them is missing."""
    import pandas as pd

    path, size = fit.path, fit.coefficients.size
    se = np.full(size, np.nan) if errors is None else standard_error(np.eye(size), errors.vcov)
    free = np.flatnonzero(path.slot >= 0)
    equal = np.zeros(path.slot.size, dtype=bool)
    equal[free] = path.equal[path.slot[free]]
    return pd.DataFrame(
        {
            "cluster": np.repeat(np.arange(1, fit.k + 1), path.slot.size),
            "outcome": [path.nodes[j] for j in path.outcome] * fit.k,
            "predictor": [path.nodes[i] for i in path.predictor] * fit.k,
            **normal_tests(fit.coefficients.ravel(), se),
            "equal": np.tile(equal, fit.k),
            "fixed": np.tile(path.is_fixed, fit.k),
            "group_specific": np.tile(path.group_specific, fit.k),
        }
    )


@tidy.register(MixtureSelection)
def _tidy_selection(fit: MixtureSelection) -> pd.DataFrame:
    import pandas as pd

    frames = [tidy(one).assign(k=one.k) for one in fit.fits]
    return pd.concat(frames, ignore_index=True)[["k", *frames[0].columns.drop("k")]]


@glance.register(MeasurementFit)
def _glance_measurement(fit: MeasurementFit) -> pd.DataFrame:
    import pandas as pd

    records = [
        {"block": ", ".join(block.factors), **block.measures.to_dict(), "converged": block.optimum.converged}
        for block in fit.blocks
    ]
    return pd.DataFrame(records)


@glance.register(MixtureFit)
def _glance_mixture(fit: MixtureFit) -> pd.DataFrame:
    frame = glance(MixtureSelection((fit,)))
    return frame.drop(columns=["chull", "chull_observed"])


@glance.register(MixtureSelection)
def _glance_selection(fit: MixtureSelection) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(fit.rows())


tidy.register(MultilevelFit, multilevel_parameters)
glance.register(MultilevelFit, multilevel_glance)
tidy.register(BayesianFit, bayesian_parameters)
glance.register(BayesianFit, bayesian_glance)
tidy.register(MixedFit, mixed_parameters)
tidy.register(GeneralisedFit, mixed_parameters)
glance.register(MixedFit, mixed_glance)
glance.register(GeneralisedFit, mixed_glance)
tidy.register(SEMFit, equation_parameters)
tidy.register(SAMFit, equation_parameters)
glance.register(SAMFit, two_step_glance)
glance.register(SEMFit, equation_glance)


def _unknown(fit: object, function: str) -> OptionError:
    if function == "clusters":
        several = isinstance(fit, MixtureSelection)
        return OptionError(
            f"{function}() got {type(fit).__name__}",
            allowed="a MixtureFit",
            todo="choose a number of clusters first, such as fits[3]" if several else "give what .fit() returned",
        )
    return no_such_result(fit, function, (tidy if function == "tidy" else glance).registry)
