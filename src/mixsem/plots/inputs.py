"""Which figure takes what: one mixture, or a selection of several."""

from __future__ import annotations

from ..errors import OptionError
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection

__all__ = ["require_fit", "require_selection"]


def require_fit(fit: object, figure: str, *, or_equations: bool = False) -> None:
    """Refuse what is no single mixture.

    Parameters
    ----------
    fit
        What was given.
    figure
        Name of the function that it was given to.
    or_equations
        Whether that function also takes fits of `cfa`, `sem` and `growth`, which it has dealt with: for the error.

    Raises
    ------
    OptionError
        If it is anything else than a `MixtureFit`.
    """
    if isinstance(fit, MixtureFit):
        return
    makers = "StructuralMixture.fit(), mmgsem(), cfa(), sem() or growth()"
    todo = f"give what {makers if or_equations else 'StructuralMixture.fit() or mmgsem()'} returned"
    if isinstance(fit, MixtureSelection):
        some = list(fit)[len(fit) // 2]
        todo = f"give one of the fits, such as fits[{some}]"
    allowed = "one MixtureFit or SEMFit" if or_equations else "one MixtureFit"
    raise OptionError(f"{figure}() got a {type(fit).__name__}", allowed=allowed, todo=todo)


def require_selection(fits: object, figure: str) -> None:
    """Refuse what is no selection; the parameters and the error are those of `require_fit`."""
    if isinstance(fits, MixtureSelection):
        return
    todo = "give what StructuralMixture.fit() or mmgsem() returned for several numbers of clusters"
    if isinstance(fits, MixtureFit):
        todo = "fit several numbers of clusters, such as k=range(1, 7), and give all of the fits"
    raise OptionError(
        f"{figure}() got a {type(fits).__name__}",
        allowed="a MixtureSelection: fits for several numbers of clusters",
        todo=todo,
    )
