"""Levels of measurement invariance: what is equal at each, and fits of a model at one of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from ..data.intake import Data
from ..equations.checks import sem_notices
from ..equations.compiled import compile_sem
from ..equations.data import SEMData
from ..equations.estimators import estimator_of
from ..equations.fit import SEMFit
from ..equations.fitting import estimate
from ..equations.specification import SEM
from ..errors import DataError, OptionError, did_you_mean
from ..options import Names, as_names
from ..syntax.equality import kind_of
from ..syntax.sem import parse_model, parse_parameter

__all__ = ["LEVELS", "fit_model", "require_groups", "require_levels"]

LEVELS: dict[str, tuple[str, ...]] = {
    "configural": (),
    "metric": ("loadings",),
    "scalar": ("loadings", "intercepts"),
    "strict": ("loadings", "intercepts", "residuals"),
}
"""What is equal over groups at each level, from the weakest to the strongest."""

_WITHOUT_INTERCEPTS = ("configural", "metric")


def require_levels(levels: Names | None, *, ordered: bool = False) -> tuple[str, ...]:
    """Check the levels asked for; they come back from the weakest to the strongest.

    None asks for all; with ordered items, for those that their thresholds, free in every group, leave.

    Raises
    ------
    OptionError
        If one is not known or comes twice, there is none, or ordered items have intercepts to compare.
    """
    if levels is None:
        return _WITHOUT_INTERCEPTS if ordered else tuple(LEVELS)
    given = as_names(levels, "levels")
    for level in given:
        if level not in LEVELS:
            raise OptionError(
                f"levels= names {level!r}", allowed=", ".join(map(repr, LEVELS)), todo=did_you_mean(level, LEVELS)
            )
    if not given or len(set(given)) < len(given):
        raise OptionError(f"levels={given!r}", allowed="one or more different levels of " + ", ".join(LEVELS))
    if ordered and {"scalar", "strict"} & set(given):
        raise OptionError(
            "levels 'scalar' and 'strict' with ordered= items, whose thresholds are free in every group",
            allowed="'configural' and 'metric'",
            todo=f"leave levels= out, or give levels={_WITHOUT_INTERCEPTS}",
        )
    return tuple(level for level in LEVELS if level in given)


def require_groups(groups: Sequence[Hashable]) -> None:
    """Refuse data with a single group.

    Raises
    ------
    DataError
        If there are fewer than two groups.
    """
    if len(groups) < 2:
        raise DataError(
            "the data have a single group: there is nothing to compare",
            allowed="two groups or more",
            todo="name the column of the groups with group=, and look whether it has more than one value",
        )


def fit_model(specification: SEM, data: Data | SEMData, group: str | None = None) -> SEMFit:
    """Fit a model without issuing its notices: many models are fitted, and each piece of trouble is told once."""
    specification = replace(specification, group_partial=_exempt_here(specification))
    try:
        compiled = compile_sem(specification, data, group)
    except OptionError as error:  # what `cfa` calls group_partial= is partial= in all functions of invariance
        texts = (text.replace("group_partial=", "partial=") for text in (error.got, error.allowed, error.todo))
        got, allowed, todo = texts
        raise OptionError(got, allowed=allowed, todo=todo) from error
    require_groups(compiled.groups)
    optimum = estimate(compiled)
    return SEMFit(specification, compiled, optimum, tuple(sem_notices(compiled, optimum)))


def _exempt_here(specification: SEM) -> tuple[str, ...]:
    """The exempt parameters without those that this level does not hold equal, as a stronger level may.

    Names that the model does not know, or that no level holds equal, stay: they are refused.
    """
    names = as_names(specification.group_partial)
    if not names:
        return ()
    syntax = parse_model(specification.model)
    known, equal = {*syntax.factors, *syntax.indicators}, as_names(specification.group_equal)

    def later(name: str) -> bool:
        key = parse_parameter(name)
        kind = kind_of(key, syntax.factors)
        return {key[0], key[2]} - {""} <= known and kind in LEVELS["strict"] and kind not in equal

    return tuple(name for name in names if not later(name))


def has_corrected_test(estimator: str) -> bool:
    """Whether an estimator corrects its test for non-normal data."""
    return estimator_of(estimator).test != "standard"
