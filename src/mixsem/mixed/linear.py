"""Linear mixed models: the specification, and what fitting does with it."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..data.columns import FrameLike
from ..errors import DataError, OptionError, notify
from .engine.optimise import Method, Optimizer
from .fit import MixedFit
from .inputs import as_numbers, as_optimizer, require_reml, require_structure
from .memory import memory_in_words
from .penalties.penalty import Penalty, PenaltyKind, as_penalty
from .progress import tell_design, tell_search
from .structure.residual_structure import Residual

if TYPE_CHECKING:
    from .designs.design import Design
    from .engine.model import CompiledMixedModel
    from .engine.objective import Evaluation, Objective
    from .engine.optimise import Trace
    from .structure.residual_products import StructuredProducts

__all__ = ["LinearMixedModel", "fit_model", "lmer", "objective_of"]

Array = NDArray[np.float64]

#: Residual sums of squares below this, relative to that of the response, are what rounding leaves of zero.
ROUNDING = 1e-13
#: Random effects, relative to residuals, that a search may start from.
LARGEST_START = 1e5


@dataclass(frozen=True)
class LinearMixedModel:
    """What `lmer` fits: a formula and options.

    Attributes
    ----------
    formula
        The model.
    reml
        Restricted maximum likelihood, or maximum likelihood.
    optimizer
        How theta is found.
    residual
        The structure of the residuals; None for independent ones with one variance.
    penalty
        A weak penalty on the covariance of the random effects; None for maximum likelihood or REML.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> LinearMixedModel("Reaction ~ Days + (Days | Subject)", reml=False).fit(sleepstudy()).theta.round(3)
    array([0.929, 0.018, 0.223])
    """

    formula: str
    reml: bool = True
    optimizer: Optimizer = field(default_factory=Optimizer)
    residual: Residual | None = None
    penalty: Penalty | None = None

    def __post_init__(self) -> None:
        require_reml(self.reml)
        require_structure(self.residual)
        object.__setattr__(self, "penalty", as_penalty(self.penalty))
        object.__setattr__(self, "optimizer", as_optimizer(self.optimizer))

    def fit(
        self,
        data: FrameLike,
        *,
        weights: str | ArrayLike | None = None,
        offset: str | ArrayLike | None = None,
        start: ArrayLike | None = None,
        verbose: bool = False,
    ) -> MixedFit:
        """Fit the model to a table; see `lmer`."""
        from ..threads import few_threads
        from .designs.design import read_design
        from .engine.model import compile_model

        extra = () if self.residual is None else self.residual.columns
        with memory_in_words(), few_threads(0):  # many rows but few columns: memory is what takes the time
            design = read_design(self.formula, data, weights, offset, extra=extra)
            model = compile_model(design, self.residual)
        if verbose:
            tell_design(design, model.products.layout, len(model.theta_map))
        with memory_in_words():
            fit = fit_model(self, model, start)
        if verbose:
            tell_search(fit.trace)
        notify(fit.notices)
        return fit


def lmer(
    formula: str,
    data: FrameLike,
    *,
    reml: bool = True,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    start: ArrayLike | None = None,
    optimizer: Optimizer | Method | None = None,
    residual: Residual | None = None,
    penalty: Penalty | PenaltyKind | None = None,
    verbose: bool = False,
) -> MixedFit:
    """Fit a linear mixed model.

    Parameters
    ----------
    formula
        Such as ``"y ~ x + (x | g)"``. Random terms: ``(1 | g)``, ``(x | g)`` with correlation, ``(x || g)`` without
        any, ``(1 | a/b)`` for b nested in a, ``(1 | a:b)``, ``(0 + x | g)``.
    data
        Any table: pandas, polars, pyarrow, DuckDB, or columns by name. Rows with missing values are left out.
    reml
        Restricted maximum likelihood; False for maximum likelihood.
    weights
        Name of a column, or numbers, one per row: the residual variance of a row is sigma^2 / weight.
    offset
        Name of a column, or numbers, one per row: part of the mean that is known.
    start
        Where the search for theta starts.
    optimizer
        How theta is found: an `Optimizer`, or the name of its method.
    residual
        The structure of the residuals, such as ``Residual(by="occasion")`` or ``Residual(ar1=("person", "occasion"))``;
        by default they are independent with one variance.
    penalty
        A weak penalty that keeps variances of random effects from being estimated as 0: a `Penalty`, or the name of
        its kind, ``"wishart"`` or ``"gamma"``. The fit is then no maximum of the likelihood, and says so.
    verbose
        Tell rows, levels and memory before the search, and evaluations, time and memory after it.

    Returns
    -------
    MixedFit

    Raises
    ------
    ModelSyntaxError
        If the formula cannot be read.
    ModelError, DataError
        If it is no model for these data.
    OptionError
        If an argument is none of what is allowed.

    Notes
    -----
    The method is that of Bates, Maechler, Bolker & Walker (2015), doi 10.18637/jss.v067.i01, with the cross-products of
    the data computed once and exact gradients.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> fit.fixef.round(4).to_dict()
    {'(Intercept)': 251.4051, 'Days': 10.4673}
    >>> round(fit.sigma, 3), round(fit.objective, 4)
    (25.592, 1743.6283)
    """
    specification = LinearMixedModel(formula, reml, as_optimizer(optimizer), residual, as_penalty(penalty))
    return specification.fit(data, weights=weights, offset=offset, start=start, verbose=verbose)


def fit_model(specification: LinearMixedModel, model: CompiledMixedModel, start: ArrayLike | None = None) -> MixedFit:
    """Fit a compiled model, without a warning."""
    from .judgement.boundary import fit_notices
    from .judgement.continuation import minimise_to_the_end

    _require_residual(model.design, model)
    objective = objective_of(specification, model)
    if model.structured is not None:
        return fit_notices(_fit_structured(specification, model, model.structured, start))
    best, trace = minimise_to_the_end(objective, specification.optimizer, _inner_start(model, start))
    return fit_notices(_fit_at(specification, model, best, trace))


def objective_of(specification: LinearMixedModel, model: CompiledMixedModel) -> Objective:
    """What is minimised: the criterion of independent residuals, with the penalty if there is one."""
    from .engine.objective import Objective
    from .penalties.compiled import compile_penalty

    penalty = compile_penalty(specification.penalty, model)
    return Objective(model.products, model.theta_map, specification.reml, penalty)


def _fit_structured(
    specification: LinearMixedModel,
    model: CompiledMixedModel,
    structured: StructuredProducts,
    start: ArrayLike | None,
) -> MixedFit:
    """Fit theta and the structure of the residuals together."""
    from .engine.objective import Evaluation
    from .structure.residual_search import minimise_jointly, residual_estimate, residual_notices

    found, trace = minimise_jointly(
        structured, model.theta_map, specification.reml, specification.optimizer, _inner_start(model, start)
    )
    structured = structured.at(found.eta)
    model = replace(model, products=structured.products, structured=structured)
    fit = _fit_at(specification, model, Evaluation(found.phi, found.value, found.slope), trace)
    notices = fit.notices + residual_notices(structured, found)
    return replace(fit, residual=residual_estimate(structured, fit.sigma), notices=notices)


def _fit_at(specification: LinearMixedModel, model: CompiledMixedModel, best: Evaluation, trace: Trace) -> MixedFit:
    from ..threads import few_threads

    if not np.isfinite(best.value):
        raise _no_residual()
    theta = outer_theta(model, best.phi)
    with few_threads(len(model.products.tail)):
        state = model.state(theta)
    if state.r2 < ROUNDING * model.products.tail[-1, -1]:
        raise _no_residual()
    for values in (theta, state.theta, state.beta, state.unscaled_vcov, *state.b):
        values.setflags(write=False)  # everything else of a fit follows from them
    df = model.n - (model.p if specification.reml else 0)
    return MixedFit(
        specification=specification,
        model=model,
        theta=theta,
        sigma=float(np.sqrt(state.r2 / df)),
        objective=float(best.value - best.penalty),
        state=state,
        trace=trace,
        notices=model.design.notices,
    )


def _no_residual() -> DataError:
    return DataError(
        "the residual variance is zero: fixed effects and random effects describe every row",
        todo="check whether the response is a function of the predictors, or drop random terms",
    )


def outer_theta(model: CompiledMixedModel, phi: Array) -> Array:
    """Theta of the user's columns from that of the centred and scaled ones."""
    return model.theta_map.from_lambdas(_unstack(model, model.outer @ model.theta_map.stacked(phi)))


def _inner_start(model: CompiledMixedModel, start: ArrayLike | None) -> Array | None:
    if start is None:
        return None
    theta = as_numbers(start)
    wanted = (len(model.theta_map),)
    with np.errstate(over="ignore", invalid="ignore"):
        inner = model.inner @ model.theta_map.stacked(theta) if theta.shape == wanted else np.array(np.nan)
    if not np.isfinite(inner).all() or np.abs(inner).max() > LARGEST_START * model.products.unit:
        raise OptionError(
            f"start={reprlib.repr(start)}",
            allowed=f"{wanted[0]} numbers of moderate size: {', '.join(model.theta_map.names)}",
            todo="leave start= out, or give the theta of a fit of the same model",
        )
    return model.theta_map.from_lambdas(_unstack(model, inner))


def _unstack(model: CompiledMixedModel, stacked: Array) -> list[Array]:
    return [lam[:k, :k] for lam, k in zip(stacked, model.theta_map.sizes, strict=True)]


def _require_residual(design: Design, model: CompiledMixedModel) -> None:
    if model.n <= model.p:
        raise DataError(
            f"{model.n} complete rows for {model.p} fixed effects", todo="use fewer predictors, or more rows"
        )
    if not np.ptp(model.y) > 0.0:
        raise DataError(f"the response {design.formula.response} does not vary", todo="check the column")
