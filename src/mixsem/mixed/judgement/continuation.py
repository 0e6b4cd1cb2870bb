"""Going on with a search for theta: once by itself when its budget is used up, and whenever it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import notify
from ..engine.objective import Evaluation, Objective
from ..engine.optimise import Method, Optimizer, Trace, minimise
from ..inputs import as_optimizer
from ..require import AnyFit, require_any_fit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["fit_again", "minimise_to_the_end", "refit"]


def minimise_to_the_end(
    objective: Objective, optimizer: Optimizer, start: NDArray | None = None
) -> tuple[Evaluation, Trace]:
    """As `minimise`; a search that did not end by itself goes on once from where it stopped."""
    best, trace = minimise(objective, optimizer, start)
    if trace.converged:
        return best, trace
    further, second = minimise(objective, optimizer, best.phi)
    if further.value > best.value:
        further = best
    message = f"{second.message.rstrip('.')} (continued once, after {trace.evaluations:,} evaluations)"
    both = replace(
        second,
        seconds=trace.seconds + second.seconds,
        message=message,
        restarts=trace.restarts + second.restarts,
        better_starts=trace.better_starts,
        searches=trace.searches,
    )
    return further, both


def refit(fit: AnyFit, optimizer: Optimizer | Method | None = None) -> AnyFit:
    """Continue the search for theta from where a fit ended, by the same or another optimiser.

    Parameters
    ----------
    fit
        The fit.
    optimizer
        An `Optimizer`, or the name of its method; that of the fit by default.

    Returns
    -------
    MixedFit or GeneralisedFit
        The same model with the same data. Its `trace` is that of the new search.

    Raises
    ------
    OptionError
        If the fit is none of `lmer` or `glmer`, or there is no such optimiser.

    Notes
    -----
    `MixedFit.update` starts anew instead, and `all_fit` tries all optimisers. A search that used up its budget has been
    continued once without being asked.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    >>> again = refit(fit, "nelder-mead")
    >>> again.trace.method, abs(again.objective - fit.objective) < 1e-4
    ('nelder-mead', True)
    """
    require_any_fit(fit, "refit")
    chosen = fit.specification.optimizer if optimizer is None else as_optimizer(optimizer)
    again = fit_again(fit, chosen, fit.theta)
    notify(notice for notice in again.notices if notice not in fit.design.notices)
    return again


def fit_again(fit: AnyFit, optimizer: Optimizer, start: NDArray[np.float64] | None) -> AnyFit:
    """Fit the same model to the same data by an optimiser from a start, without a warning."""
    from ..fit import MixedFit

    if isinstance(fit, MixedFit):
        from ..linear import fit_model

        return fit_model(replace(fit.specification, optimizer=optimizer), fit.model, start)
    from ..generalised.glmer import fit_generalised

    return fit_generalised(replace(fit.specification, optimizer=optimizer), fit.model, start)
