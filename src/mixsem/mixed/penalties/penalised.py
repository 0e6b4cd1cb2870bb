"""What a penalised fit is worth: its penalised criterion, how to call it, and what it cannot be used for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnsupportedModelError
from .compiled import compile_penalty

if TYPE_CHECKING:
    from ..estimates import MixedEstimates
    from ..fit import MixedFit
    from ..require import AnyFit

__all__ = [
    "is_penalised",
    "penalised_criterion",
    "penalised_facts",
    "penalised_loglik",
    "penalised_words",
    "penalty_note",
    "refuse_penalised",
]


def is_penalised(fit: MixedEstimates) -> bool:
    """Whether a fit was made with a penalty; of generalised models none is."""
    return getattr(fit.specification, "penalty", None) is not None


def penalised_criterion(fit: AnyFit) -> float:
    """What the search minimised: the criterion plus the penalty; the criterion itself for fits without one."""
    from ..fit import MixedFit

    compiled = compile_penalty(fit.specification.penalty, fit.model) if isinstance(fit, MixedFit) else None
    if compiled is None:
        return fit.objective
    return fit.objective + compiled(fit.model.inner @ fit.model.theta_map.stacked(fit.theta))[0]


def penalised_loglik(fit: MixedFit) -> float:
    """Log-likelihood (restricted for REML) plus the log density of the penalty, but for the constant of that.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.lmer("Reaction ~ Days + (1 | Subject)", mx.data.sleepstudy(), penalty="wishart")
    >>> round(fit.loglik, 3), round(penalised_loglik(fit), 3)
    (-893.276, -892.919)
    """
    return -0.5 * penalised_criterion(fit)


def penalised_facts(fit: MixedFit) -> list[tuple[str, str]]:
    """The penalty, the criterion that it was minimised with, and that without it."""
    name = "REML criterion" if fit.reml else "-2 log-likelihood"
    return [
        ("Penalty", f"{fit.specification.penalty}, on covariances relative to sigma²"),
        (f"Penalised {name}", f"{penalised_criterion(fit):,.2f}, but for a constant"),
        (name, f"{fit.objective:,.2f} at these estimates"),
    ]


def penalty_note(fit: MixedFit) -> str:
    """What to know of a penalised fit, in words."""
    return (
        "Penalised fit: the penalty keeps the covariance of the random effects from being singular. Where data say"
        f" little of it, variances are larger than by {'REML' if fit.reml else 'maximum likelihood'} alone, because"
        " that was asked for. The likelihood at these estimates is not its maximum: no AIC, BIC or likelihood-ratio"
        " tests. Satterthwaite's method counts the penalty as information. [MX144]"
    )


def penalised_words(fit: MixedEstimates) -> tuple[str, ...]:
    """What to say below numbers that rest on the variances of a fit, if these are penalised."""
    if not is_penalised(fit):
        return ()
    return (
        "Penalised fit: where data say little of its variances, they are larger because the penalty makes them so.",
    )


def refuse_penalised(fit: MixedEstimates, what: str) -> None:
    """Refuse what is defined for estimates of maximum likelihood or REML only.

    Raises
    ------
    UnsupportedModelError
        If the fit was made with a penalty.
    """
    if is_penalised(fit):
        raise UnsupportedModelError(
            f"{what} of a penalised fit: its estimates do not maximise the likelihood",
            allowed="fits without penalty=",
            todo="fit again without penalty=; for fixed effects there are Wald intervals and Satterthwaite's method",
        )
