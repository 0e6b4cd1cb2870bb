"""Which groups are in which cluster? Bias-adjusted three-step regression of membership on variables of the groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.columns import FrameLike
from ..errors import ConvergenceWarning, FewGroupsWarning, Notice, OptionError, SeparationWarning, notify
from ..structural.fit import MixtureFit
from .assignment import assign_groups, require_clusters
from .design import Design, build_design, formula_variables
from .group_table import complete_rows, group_table
from .membership_logit import LogitProblem, LogitSolution, solve_logit
from .membership_model import MembershipModel
from .propagate import PropagatedPosterior

__all__ = ["predictors"]

Array = NDArray[np.float64]

METHODS = ("ml", "bch", "naive")
#: A logit that changes by more than this over one standard deviation of a predictor is no estimate any more.
SEPARATED = 8.0
#: Fewer groups of the smallest cluster per predictor than this are too few.
FEW = 5.0


def predictors(
    fit: MixtureFit,
    data: FrameLike,
    formula: str,
    group: str | None = None,
    *,
    method: str = "ml",
    assignment: str = "modal",
    reference: int = 1,
    posterior: PropagatedPosterior | Array | Sequence[Sequence[float]] | None = None,
    se: str = "robust",
    penalty: float = 0.0,
) -> MembershipModel:
    """Regress the clusters of the groups on variables of the groups, corrected for classification errors.

    Groups are assigned to clusters, the errors of this assignment are estimated from the posterior probabilities, and a
    multinomial logistic regression of the assignments allows for them. Without the correction (``"naive"``)
    coefficients are biased towards zero, the more the less distinct the clusters are.

    Parameters
    ----------
    fit
        A mixture with two clusters or more.
    data
        A table with one row per group, the labels of the groups in one of its columns.
    formula
        Predictors, as in ``"hdi + individualism"``, ``"C(region) + log(gdp)"`` or ``"hdi * individualism"``. Text is
        taken for categories.
    group
        Column of the labels; if left out, that of step 1 or the only one that holds all labels.
    method
        ``"ml"`` (Vermunt, 2010: the likelihood of the assignments given their errors), ``"bch"`` (weights that undo the
        errors; more robust, but less efficient), or ``"naive"`` (assignments taken for the clusters).
    assignment
        ``"modal"``: each group to its most probable cluster; ``"proportional"``: to all, by probability.
    reference
        Cluster that the others are compared with.
    posterior
        Other probabilities than those of the fit, such as ``propagated_posterior(fit)``; shape (G, K).
    se
        ``"robust"`` (sandwich) or ``"information"`` (inverse of the observed information; not for proportional
        assignment and not for ``"bch"``).
    penalty
        Precision of a normal prior around 0 for every coefficient (per standard deviation of its predictor; not the
        intercept). 0 is none; 0.16, a prior SD of 2.5, is weak and keeps estimates finite where clusters are separated.
        A penalised fit says so.

    Returns
    -------
    MembershipModel
        Coefficients, standard errors, odds ratios, a Wald test for each predictor, predicted probabilities.

    Raises
    ------
    OptionError
        If an option is outside what is allowed or the formula cannot be read.
    DataError
        If a group or variable is missing in the table, or a predictor is constant or follows from others.
    ModelError
        If ``"bch"`` weights do not exist.

    Examples
    --------
    >>> import mixsem as mx
    >>> truth = mx.simulate.draw_truth(mx.simulate.Population(n_groups=24, n_clusters=2), seed=1)
    >>> moments = mx.factors.FactorMoments.from_covariances(
    ...     truth.Phi, n=[40] * 24, factors=["F1", "F2", "F3", "F4"], groups=range(24)
    ... )
    >>> fit = mx.StructuralMixture("F3 ~ F1 + F2; F4 ~ F1 + F3", k=2, n_starts=20).fit(moments, seed=1)
    >>> table = {"country": range(24), "hdi": [(7 * g % 24) / 24 + 0.3 * (c == 2) for g, c in enumerate(fit.clusters)]}
    >>> mx.predictors(fit, table, "hdi").to_frame()[["cluster", "term"]]
       cluster       term
    0        2  Intercept
    1        2        hdi

    References
    ----------
    Vermunt (2010), Latent class modeling with covariates: two improved three-step approaches. Political Analysis 18,
    450-469. Bakk, Tekle & Vermunt (2013), Estimating the association between latent class membership and external
    variables using bias-adjusted three-step approaches. Sociological Methodology 43, 272-311.
    """
    mixture, z, groups = require_clusters(fit, posterior, "predictors")
    _check_options(method, assignment, se, penalty, reference, mixture.k)
    parsed, names = formula_variables(formula)
    measurement = mixture.moments.measurement
    usual = None if measurement is None else measurement.moments.group
    table = group_table(data, names, groups, group, usual)
    complete, notices = complete_rows(table, groups)
    design = build_design(parsed, table[complete].reset_index(drop=True))
    assigned = assign_groups(z, assignment)
    weights = assigned.corrected() if method == "bch" else assigned.weights
    X, back = _standardized(design)
    slopes = np.array([column in _slopes(design) for column in range(X.shape[1])])
    problem = LogitProblem(
        X, weights[complete], assigned.errors if method == "ml" else None, reference - 1, penalty * slopes
    )
    solution = _solve(problem)
    V = solution.covariance(robust=se == "robust")
    notices = (
        *notices,
        *_few_groups(z[complete], design),
        *_trouble(solution, V, design, problem.others, float(penalty)),
    )
    notify(notices)
    spread = np.kron(np.eye(problem.others.size), back)
    return MembershipModel(
        fit=mixture,
        formula=formula,
        method=method,
        assignment=assignment,
        se_method=se,
        penalty=float(penalty),
        reference=reference,
        clusters=tuple(int(t) + 1 for t in problem.others),
        columns=design.columns,
        terms=design.terms,
        coefficients=solution.gamma @ back.T,
        vcov=spread @ V @ spread.T,
        errors=assigned.errors,
        groups=tuple(g for g, keep in zip(groups, complete, strict=True) if keep),
        probabilities=np.exp(problem.log_probabilities(solution.gamma)),
        loglik=solution.loglik,
        design=design,
        notices=notices,
    )


def _check_options(method: str, assignment: str, se: str, penalty: object, reference: object, k: int) -> None:
    if method not in METHODS:
        raise OptionError(f"method={method!r}", allowed="'ml', 'bch' or 'naive'", todo="choose one of them")
    if se not in ("robust", "information"):
        raise OptionError(f"se={se!r}", allowed="'robust' or 'information'", todo="leave se out")
    if se == "information" and (method == "bch" or assignment == "proportional"):
        raise OptionError(
            f"se='information' with method={method!r} and assignment={assignment!r}",
            allowed="the inverse information for modal assignment with 'ml' or 'naive'",
            todo="leave se out: robust standard errors hold for all",
        )
    if isinstance(penalty, bool) or not isinstance(penalty, int | float) or not 0 <= penalty < np.inf:
        raise OptionError(f"penalty={penalty!r}", allowed="a number, 0 or more", todo="0.16 is a weak penalty")
    if isinstance(reference, bool) or reference not in range(1, k + 1):
        raise OptionError(
            f"reference={reference!r}", allowed=f"a cluster from 1 to {k}", todo="leave it out for the largest, 1"
        )


def _slopes(design: Design) -> set[int]:
    return {column for at in design.terms.values() for column in at}


def _standardized(design: Design) -> tuple[Array, Array]:
    """Columns with SD 1 and, beside an intercept, mean 0; and the map of coefficients back to the columns given."""
    X = design.X.copy()
    P = X.shape[1]
    back = np.eye(P)
    intercept = [c for c in range(P) if c not in _slopes(design)]
    for c in _slopes(design):
        scale = X[:, c].std() or np.abs(X[:, c]).max()
        centre = X[:, c].mean() if intercept else 0.0
        X[:, c] = (X[:, c] - centre) / scale
        back[c, c] = 1.0 / scale
        if intercept:
            back[intercept[0], c] = -centre / scale
    return X, back


def _solve(problem: LogitProblem) -> LogitSolution:
    """The best of two ways up: the likelihood of uncertain assignments may have several maxima."""
    found = solve_logit(problem)
    if problem.errors is None:
        return found
    plain = solve_logit(LogitProblem(problem.X, problem.weights, None, problem.reference, problem.penalty + 0.1))
    other = solve_logit(problem, plain.gamma)
    return max(found, other, key=lambda s: s.loglik - 0.5 * float((problem.penalty * s.gamma**2).sum()))


def _few_groups(z: Array, design: Design) -> tuple[Notice, ...]:
    """Too few groups of the smallest cluster for so many predictors."""
    sizes, n = z.sum(axis=0), len(_slopes(design))
    if sizes.min() >= FEW * n:
        return ()
    small = int(sizes.argmin())
    text = (
        f"cluster {small + 1} has about {sizes[small]:.0f} groups for {n} predictor{'s' * (n > 1)}, fewer than"
        f" {FEW:.0f} for each: coefficients tend to be too large and their intervals cannot be trusted. Use fewer"
        " predictors, or penalty=0.16."
    )
    return (Notice(FewGroupsWarning, text),)


def _trouble(
    solution: LogitSolution, V: Array, design: Design, others: NDArray[np.int64], penalty: float
) -> tuple[Notice, ...]:
    """Clusters that a predictor separates, and a search that did not end."""
    at = sorted(_slopes(design))
    wild = np.abs(solution.gamma[:, at]) > SEPARATED
    lost = ~np.isfinite(V).all()
    if wild.any() or (lost and not penalty):
        names = [design.columns[at[c]] for c in np.flatnonzero(wild.any(axis=0))] or ["the predictors"]
        rows: Any = np.flatnonzero(wild.any(axis=1)) if wild.any() else range(others.size)
        named = ", ".join(str(int(others[r]) + 1) for r in rows)
        text = (
            f"{', '.join(names)} separate{'s' * (len(names) == 1)} cluster {named} from the reference (almost) without"
            " overlap: the coefficients run to infinity, and their standard errors, intervals and tests mean nothing."
            " Look at the box plots; take the predictor out, or use penalty=0.16."
        )
        return (Notice(SeparationWarning, text),)
    if not solution.converged:
        return (Notice(ConvergenceWarning, "the regression of membership stopped before its maximum."),)
    return ()
