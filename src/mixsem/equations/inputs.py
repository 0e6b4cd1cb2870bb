"""What the functions that follow a fit can be given."""

from __future__ import annotations

from ..errors import OptionError, UnsupportedModelError
from .fit import SEMFit

__all__ = ["not_a_fit", "require_count", "require_fit", "require_level"]

_ALLOWED = "a fit of cfa(), sem() or growth()"

#: What to do with other results, by the name of their type: their parts of the package are not known here.
_ADVICE = {
    "SAMFit": "use tidy() and summary(), or fit the same text in one step with sem()",
    "MeasurementFit": "fit the same model with cfa(), or use tidy() and glance()",
    "BayesianFit": "fit the same model with cfa(), or use tidy(), glance() and bayes_fit_measures()",
    "InvarianceTest": "give the fit of one level, such as test.levels[0].fit",
    "NonInvariance": "give its fit, found.fit",
    "DataFrame": "fit a model to the data first, with cfa(), sem() or growth()",
    "str": "fit the model to data first, with cfa(), sem() or growth()",
}


def require_fit(fit: object, function: str) -> None:
    """Refuse what is no fitted structural equation model.

    Parameters
    ----------
    fit
        What was given.
    function
        Name of the function that it was given to.

    Raises
    ------
    UnsupportedModelError
        If it is anything else than a `SEMFit`.

    Examples
    --------
    >>> require_fit(None, "residuals")
    Traceback (most recent call last):
    mixsem.errors.UnsupportedModelError: residuals() got NoneType
      allowed: a fit of cfa(), sem() or growth()
      next: give what cfa(), sem() or growth() returned
    """
    if not isinstance(fit, SEMFit):
        raise not_a_fit(fit, function)


def not_a_fit(fit: object, function: str) -> UnsupportedModelError:
    """The error that says what came, and what to do with it."""
    name = type(fit).__name__
    todo = _ADVICE.get(name, "give what cfa(), sem() or growth() returned")
    if callable(getattr(fit, function, None)):  # such as residuals() of a mixed model
        todo = f"use its own: fit.{function}()"
    if isinstance(fit, list | tuple) and fit and all(isinstance(one, SEMFit) for one in fit):
        todo = f"give the fits themselves: {function}(*fits)" if function == "anova" else "give one of them"
    allowed = f"{_ALLOWED}, or of lmer()" if function == "anova" else _ALLOWED
    return UnsupportedModelError(f"{function}() got {name}", allowed=allowed, todo=todo)


def require_level(level: object) -> None:
    """Refuse what is no confidence level.

    Raises
    ------
    OptionError
        If it is no number between 0 and 1.
    """
    number = isinstance(level, int | float) and not isinstance(level, bool)
    if not (number and 0 < level < 1):  # type: ignore[operator]
        raise OptionError(f"level={level!r}", allowed="a probability between 0 and 1, such as 0.95")


def require_count(value: object, option: str) -> None:
    """Refuse what does not say how many rows to return.

    Raises
    ------
    OptionError
        If it is neither None nor a positive whole number.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):  # type: ignore[operator]
        raise OptionError(f"{option}={value!r}", allowed="a positive whole number, or None for all")
