"""Which standard errors a result may show without being asked: those that count step 1."""

from __future__ import annotations

from ..errors import MixsemError, OptionError
from ..measurement.fit import MeasurementFit
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .errors import StandardErrors, standard_errors

__all__ = ["errors_of", "known_errors"]

GIVEN = "the factor covariances were given, and how exactly they were measured is not known"
CLUSTER_RESIDUALS = "residual variances belong to clusters, for which they are not implemented; bootstrap(fit) has them"
MEANS = "with factor means the correction for step 1 is not implemented; bootstrap(fit) has it"
DRAWS = "after a Bayesian step 1 they take many fits; standard_errors(fit) computes them"


def known_errors(fit: MixtureFit) -> tuple[StandardErrors | None, str]:
    """Two-step standard errors, or the reason why there are none.

    Parameters
    ----------
    fit
        A mixture.

    Returns
    -------
    tuple
        The standard errors and ``""``; or None and why tables, frames and files leave them out: no measurement model
        is known (``standard_errors(fit)`` then takes the factor covariances as observed), it is a Bayesian one (then
        they are computed only when asked for), residual variances belong to clusters, factor means are part of the
        model, or the information is singular.
    """
    if fit.moments.measurement is None:
        return None, GIVEN
    if fit.specification.residuals == "cluster":
        return None, CLUSTER_RESIDUALS
    if not isinstance(fit.moments.measurement, MeasurementFit):
        return None, DRAWS
    if fit.path.meanstructure:
        return None, MEANS
    try:
        return standard_errors(fit), ""
    except MixsemError as error:
        return None, error.got


def errors_of(fit: object, errors: StandardErrors | None, function: str) -> StandardErrors:
    """The standard errors that were given, if they belong to the fit, or those of `standard_errors`.

    Parameters
    ----------
    fit
        What should be a mixture.
    errors
        What was given, or None.
    function
        Who asks.

    Raises
    ------
    OptionError
        If `fit` is no `MixtureFit`, or `errors` are those of another fit.
    """
    if not isinstance(fit, MixtureFit):
        several = isinstance(fit, MixtureSelection)
        raise OptionError(
            f"{function}() got {type(fit).__name__}",
            allowed="a MixtureFit",
            todo="choose a number of clusters first, such as fits[3]" if several else "give what .fit() returned",
        )
    if errors is None:
        return standard_errors(fit)
    if not isinstance(errors, StandardErrors):
        raise OptionError(
            f"errors= is a {type(errors).__name__}",
            allowed="what standard_errors(fit) returned, or None",
            todo=f"call standard_errors(fit, {errors!r}) first" if isinstance(errors, str) else "leave it out",
        )
    if errors.fit is not fit:
        raise OptionError("errors= belong to another fit", todo="give standard_errors(fit) of the same fit")
    return errors
