"""The rules of a search for non-invariant items."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..equations.compiled import compile_sem
from ..equations.data import SEMData
from ..equations.fit import SEMFit
from ..equations.specification import SEM
from ..errors import ModelError, OptionError, did_you_mean
from ..inference.multiplicity import CORRECTIONS
from ..model.matrices import LAMBDA
from ..options import Names, as_names

__all__ = ["SearchRules", "factor_items", "items_to_keep", "require_default_scale", "search_rules"]

KINDS = ("loadings", "intercepts")


@dataclass(frozen=True, slots=True)
class SearchRules:
    """What a cell must be to be flagged, and when a search ends; the names are those of `find_noninvariance`."""

    kinds: tuple[str, ...] = ("loadings",)
    correction: str = "BH"
    alpha: float = 0.05
    threshold: float = 0.10
    min_share: float = 0.0
    keep: int | None = None
    max_steps: int | None = None


def search_rules(
    kinds: Names,
    correction: str,
    alpha: float,
    threshold: float,
    min_share: float,
    keep: int | None,
    max_steps: int | None,
) -> SearchRules:
    """Check the rules.

    Raises
    ------
    OptionError
        If one is not what is allowed.
    """
    given = as_names(kinds, "kinds")
    for kind in given:
        if kind not in KINDS:
            raise OptionError(
                f"kinds= names {kind!r}", allowed=", ".join(map(repr, KINDS)), todo=did_you_mean(kind, KINDS)
            )
    if not given:
        raise OptionError("kinds=()", allowed=", ".join(map(repr, KINDS)), todo="leave kinds= out for loadings")
    if correction not in CORRECTIONS:
        raise OptionError(
            f"correction={correction!r}",
            allowed=", ".join(map(repr, CORRECTIONS)),
            todo=did_you_mean(str(correction), CORRECTIONS),
        )
    _require_between("alpha", alpha, 0.0, 1.0)
    _require_between("threshold", threshold, 0.0, math.inf)
    _require_between("min_share", min_share, 0.0, 1.0)
    _require_whole("keep", keep, 2)
    _require_whole("max_steps", max_steps, 0)
    ordered = tuple(kind for kind in KINDS if kind in given)
    return SearchRules(ordered, correction, float(alpha), float(threshold), float(min_share), keep, max_steps)


def _require_between(option: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # type: ignore[operator]
        limit = f"a number from {low:g} to {high:g}" if math.isfinite(high) else f"a number, {low:g} or more"
        raise OptionError(f"{option}={value!r}", allowed=limit)


def _require_whole(option: str, value: object, least: int) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise OptionError(f"{option}={value!r}", allowed=f"a whole number, {least} or more, or None")


def items_to_keep(n_items: int, keep: int | None) -> int:
    """Items of a factor that must stay invariant.

    Examples
    --------
    >>> [items_to_keep(k, None) for k in (2, 3, 4, 5, 10)], items_to_keep(10, 3)
    ([2, 2, 2, 3, 5], 3)
    """
    return min(n_items, max(2, math.ceil(n_items / 2) if keep is None else keep))


def factor_items(fit: SEMFit) -> dict[str, tuple[str, ...]]:
    """Items of every factor, in the order of the model."""
    model = fit.model
    at = [e for e in range(model.matrix.size) if model.matrix[e] == LAMBDA]
    return {
        factor: tuple(model.observed[model.row[e]] for e in at if model.factors[model.column[e]] == factor)
        for factor in fit.factors
    }


def require_default_scale(specification: SEM, data: SEMData) -> None:
    """Require that unit factor variances can take the place of the markers, so that every loading can be tested.

    Raises
    ------
    ModelError
        If the text fixes loadings or factor variances itself.
    """
    equal = replace(specification, group_equal=("loadings",), group_partial=())
    counts = {std: compile_sem(replace(equal, std_lv=std), data, None).model.n_free for std in (True, False)}
    if counts[True] != counts[False]:
        raise ModelError(
            "the measurement model sets the scale of a factor itself, with NA*, 1* or a fixed variance",
            allowed="a model in which the first item of each factor is the marker by default",
            todo="leave these modifiers out: every item is tested, markers too, and a new marker is named where needed",
        )
