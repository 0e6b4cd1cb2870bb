"""What the functions that follow a fit of `lmer` or `glmer` can be given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeAlias

from ..errors import OptionError
from .estimates import MixedEstimates
from .fit import MixedFit

if TYPE_CHECKING:
    from .generalised.fit import GeneralisedFit

__all__ = ["AnyFit", "require_any_fit", "require_fit"]

#: A fit of `lmer` or `glmer`.
AnyFit: TypeAlias = "MixedFit | GeneralisedFit"


def require_fit(fit: object, function: str) -> None:
    """Refuse what is no fitted mixed model.

    Parameters
    ----------
    fit
        What was given.
    function
        Name of the function that it was given to.

    Raises
    ------
    OptionError
        If it is anything else than a `MixedFit`.

    Examples
    --------
    >>> require_fit("y ~ x + (1 | g)", "emmeans")
    Traceback (most recent call last):
    mixsem.errors.OptionError: emmeans() got str
      allowed: a fit of lmer()
      next: fit the model to data first, with lmer()
    """
    if isinstance(fit, MixedFit):
        return
    _refuse(fit, function, "lmer()")


def require_any_fit(fit: object, function: str) -> None:
    """Refuse what is no fitted linear or generalised mixed model; see `require_fit`."""
    if isinstance(fit, MixedEstimates):
        return
    _refuse(fit, function, "lmer() or glmer()")


def _refuse(fit: object, function: str, makers: str) -> NoReturn:
    name = fit.__class__.__name__
    first = f"fit the model to data first, with {makers}"
    todo = first if name in ("str", "DataFrame") else f"give what {makers} returned"
    raise OptionError(f"{function}() got {name}", allowed=f"a fit of {makers}", todo=todo)
