"""What the functions that follow a fit of `lmer` can be given."""

from __future__ import annotations

from ..errors import OptionError
from .fit import MixedFit

__all__ = ["require_fit"]


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
    name = fit.__class__.__name__
    todo = "fit the model to data first, with lmer()" if name in ("str", "DataFrame") else "give what lmer() returned"
    raise OptionError(f"{function}() got {name}", allowed="a fit of lmer()", todo=todo)
