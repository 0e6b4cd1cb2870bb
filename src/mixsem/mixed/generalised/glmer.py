"""Generalised linear mixed models: the specification, and what fitting does with it."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.columns import FrameLike
from ...errors import DataError, ModelError, OptionError, notify
from ...options import require_whole
from ..engine.optimise import Method, Optimizer
from ..inputs import as_numbers, as_optimizer
from ..memory import memory_in_words
from ..progress import tell_design, tell_search
from .families import Family
from .family_choice import as_family
from .links import Link, LinkName

if TYPE_CHECKING:
    from .fit import GeneralisedFit
    from .model import CompiledGeneralisedModel

__all__ = ["GeneralisedMixedModel", "fit_generalised", "glmer"]

Array = NDArray[np.float64]

#: Most nodes of the quadrature.
MOST_NODES = 100


@dataclass(frozen=True)
class GeneralisedMixedModel:
    """What `glmer` fits: a formula, a family and options.

    Attributes
    ----------
    formula
        The model.
    family
        The family with its link.
    n_agq
        Nodes of the quadrature: 0, 1 (Laplace), or more.
    optimizer
        How the estimates are found.

    Examples
    --------
    >>> from mixsem.mixed.generalised.family_choice import as_family
    >>> GeneralisedMixedModel("y ~ x + (1 | g)", as_family("poisson")).family
    poisson(log)
    """

    formula: str
    family: Family
    n_agq: int = 1
    optimizer: Optimizer = field(default_factory=Optimizer)

    def __post_init__(self) -> None:
        require_whole("n_agq", self.n_agq, 0)
        if self.n_agq > MOST_NODES:
            raise OptionError(f"n_agq={self.n_agq}", allowed=f"0 to {MOST_NODES}", todo="25 nodes are plenty")
        object.__setattr__(self, "optimizer", as_optimizer(self.optimizer))
        if self.family.name == "gaussian" and self.family.link.name == "identity":
            raise OptionError(
                "family='gaussian' with the identity link", allowed="another family or link", todo="use lmer()"
            )

    @property
    def reml(self) -> bool:
        """False: generalised models are fitted by maximum likelihood."""
        return False

    @property
    def residual(self) -> None:
        """None: residuals have no structure of their own."""
        return None

    def compile(
        self, data: FrameLike, weights: str | ArrayLike | None = None, offset: str | ArrayLike | None = None
    ) -> CompiledGeneralisedModel:
        """Read a table and prepare what every evaluation of the likelihood needs.

        Parameters
        ----------
        data, weights, offset
            As in `glmer`.

        Raises
        ------
        DataError, ModelError
            As `glmer`.
        """
        from ..designs.design import read_design
        from .model import compile_generalised
        from .responses import check_response, response_reader

        design = read_design(self.formula, data, weights, offset, check=False, response=response_reader(self.family))
        check_response(design, self.family)
        scalar = len(design.terms) == 1 and len(design.terms[0].names) == 1
        if self.n_agq > 1 and not scalar:
            raise ModelError(
                f"n_agq={self.n_agq} with {', '.join(term.bar.text for term in design.terms)}",
                allowed="adaptive quadrature with one random effect of one grouping factor; n_agq=0 or 1 otherwise",
                todo="leave n_agq out",
            )
        if design.p >= design.n:
            raise DataError(
                f"{design.p:,} fixed effects for {design.n:,} rows",
                allowed="fewer fixed effects than rows",
                todo="simplify the formula",
            )
        return compile_generalised(design, self.family)

    def fit(
        self,
        data: FrameLike,
        *,
        weights: str | ArrayLike | None = None,
        offset: str | ArrayLike | None = None,
        start: ArrayLike | None = None,
        verbose: bool = False,
    ) -> GeneralisedFit:
        """Fit the model to a table; see `glmer`."""
        from ...threads import few_threads

        with memory_in_words(), few_threads(0):
            model = self.compile(data, weights, offset)
        if verbose:
            tell_design(model.design, model.rows.layout, len(model.theta_map))
        with memory_in_words():
            fit = fit_generalised(self, model, start)
        if verbose:
            tell_search(fit.trace)
        notify(fit.notices)
        return fit


def glmer(
    formula: str,
    data: FrameLike,
    *,
    family: str | Family,
    link: LinkName | Link | None = None,
    n_agq: int = 1,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    start: ArrayLike | None = None,
    optimizer: Optimizer | Method | None = None,
    verbose: bool = False,
) -> GeneralisedFit:
    """Fit a generalised linear mixed model by maximum likelihood.

    Parameters
    ----------
    formula
        As for `lmer`. A binomial response is a column of 0 and 1, of two categories (the second is the success), of
        proportions with numbers of trials as `weights`, or ``cbind(successes, failures)``.
    data
        Any table: pandas, polars, pyarrow, DuckDB, or columns by name. Rows with missing values are left out.
    family
        ``"binomial"``, ``"poisson"``, ``"negative binomial"``, ``"gamma"``, ``"inverse gaussian"`` or ``"gaussian"``.
    link
        ``"logit"``, ``"probit"``, ``"cloglog"``, ``"cauchit"``, ``"log"``, ``"identity"``, ``"sqrt"``, ``"inverse"`` or
        ``"1/mu^2"``; by default the family's usual one, which for Gamma and inverse Gaussian responses is the log.
    n_agq
        How random effects are integrated out: 1 for Laplace's approximation; more for adaptive Gauss-Hermite
        quadrature with so many nodes, for models with one random effect of one grouping factor; 0 for a fast
        approximation with fixed effects at their joint mode with the random effects.
    weights
        Numbers of trials of binomial proportions; else what the log-likelihood of each row is multiplied by.
    offset
        Known part of the linear predictor, such as the logarithm of an exposure.
    start
        Theta that the search starts from.
    optimizer
        How the estimates are found: an `Optimizer`, or the name of its method. The default is BFGS with exact
        gradients; others are checks.
    verbose
        Tell rows, levels and memory before the search, and evaluations, time and memory after it.

    Returns
    -------
    GeneralisedFit

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
    Laplace's approximation uses observed information, so that with links that are not canonical, and for negative
    binomial and Gamma responses, log-likelihoods are those of glmmTMB and differ slightly from lme4's, which uses
    expected information. The family's own parameter (size, dispersion) is estimated with the others by maximum
    likelihood, and covariances of random effects are not multiplied by it.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> g, x = np.repeat(np.arange(30), 10), rng.normal(size=300)
    >>> y = rng.poisson(np.exp(0.5 + 0.3 * x + 0.5 * rng.normal(size=30)[g]))
    >>> fit = glmer("y ~ x + (1 | g)", {"y": y, "x": x, "g": g}, family="poisson")
    >>> fit.fixef.round(2).to_dict()
    {'(Intercept)': 0.43, 'x': 0.3}
    """
    specification = GeneralisedMixedModel(formula, as_family(family, link), n_agq, as_optimizer(optimizer))
    return specification.fit(data, weights=weights, offset=offset, start=start, verbose=verbose)


def fit_generalised(
    specification: GeneralisedMixedModel, model: CompiledGeneralisedModel, start: ArrayLike | None = None
) -> GeneralisedFit:
    """Fit a compiled model, without a warning."""
    from ...threads import few_threads
    from .fit import GeneralisedFit
    from .notices import generalised_notices
    from .objective import Criterion
    from .search import minimise_criterion

    criterion = Criterion(model.rows, model.family, model.theta_map, specification.n_agq)
    with few_threads(model.rows.layout.blocks.n_tail):
        best, trace = minimise_criterion(criterion, _start(specification, model, start), specification.optimizer)
        if best.mode is None:
            raise _no_fit(model)
        theta = model.theta_of(best.phi)
        state = model.state(best.mode, theta)
    for values in (theta, state.theta, state.beta, state.unscaled_vcov, *state.b):
        values.setflags(write=False)  # everything else of a fit follows from them
    dispersion = float(np.exp(best.log_d)) if model.family.parameter else None
    fit = GeneralisedFit(
        specification=specification,
        model=model,
        theta=theta,
        sigma=1.0,
        objective=best.value,
        state=state,
        trace=trace,
        notices=model.design.notices,
        point=best,
        family=model.family.with_dispersion(dispersion),
    )
    return generalised_notices(fit)


def _start(
    specification: GeneralisedMixedModel, model: CompiledGeneralisedModel, start: ArrayLike | None
) -> Array | None:
    """Inner theta to start from."""
    if start is None:
        return None
    theta = as_numbers(start)
    if theta.shape != (len(model.theta_map),) or not np.isfinite(theta).all() or np.abs(theta).max() > 1e5:
        raise OptionError(
            f"start={reprlib.repr(start)}",
            allowed=f"{len(model.theta_map)} numbers of moderate size: {', '.join(model.theta_map.names)}",
            todo="leave start= out, or give the theta of a fit of the same model",
        )
    return model.phi_of(theta)


def _no_fit(model: CompiledGeneralisedModel) -> DataError:
    usual = model.family.link.name in ("log", "logit")
    todo = (
        "look at the responses for extreme values, and the formula for predictors that repeat one another"
        if usual
        else "try the family's log or logit link: with others a mean may be impossible for some random effects"
    )
    return DataError(f"no parameters were found at which {model.family} responses have a likelihood", todo=todo)
