"""Which regressions are free in every cluster, the same in all, free in every group, or fixed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, UnsupportedModelError, did_you_mean, enumerate_briefly
from ..syntax.modifiers import Modifiers
from ..syntax.sem import ModelSyntax, Term, parse_parameter

__all__ = ["free_coefficients", "regression_terms", "require_same_predictors"]

Key = tuple[str, str, str]


def regression_terms(syntax: ModelSyntax, meanstructure: bool) -> list[Term]:
    """The regressions of a model; with means also the intercepts of all outcomes, written or not.

    An intercept is a regression on the constant: operator ``"~1"`` and an empty right-hand name. The mean of an
    exogenous factor belongs to its group, like its variance; where it is written, it must be free.
    """
    regressions = [t for t in syntax.terms if t.op == "~"]
    outcomes = list(dict.fromkeys(t.lhs for t in regressions))
    intercepts = {t.lhs: t for t in syntax.terms if t.op == "~1"}
    for name, term in intercepts.items():
        m = term.modifiers
        if name not in outcomes and (m.label or any(value is not None for value in m.fixed)):
            raise UnsupportedModelError(
                f"line {term.line}, column {term.column}: '{name} ~ 1' constrains the mean of an exogenous factor",
                allowed="constraints on intercepts of outcomes; means of exogenous factors are free in every group",
                todo="remove the line",
            )
    if meanstructure:
        default = (Term(name, "~1", "", Modifiers(), None, 0, 0) for name in outcomes)
        regressions += [intercepts.get(term.lhs, term) for term in default]
    return regressions


def free_coefficients(
    regressions: Sequence[Term], equal: Sequence[str], group_specific: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]:
    """Number the coefficients that belong to clusters.

    Parameters
    ----------
    regressions
        Terms in the order of the coefficients, length R.
    equal
        Regressions that are the same in all clusters; a label means the same.
    group_specific
        Regressions that are free in every group.

    Returns
    -------
    tuple
        ``slot`` (R,), ``equal`` (J,), ``fixed`` (R,) and ``group_specific`` (R,) of `PathModel`.
    """
    same = _named(regressions, equal, "equal")
    own = _named(regressions, group_specific, "group_specific")
    _require_intercepts(regressions, own)
    slots: dict[str, int] = {}
    slot, is_equal, fixed, is_own = [], [], [], []
    for term in regressions:
        value = term.modifiers.fixed[0] if term.modifiers.fixed else None
        label = term.modifiers.label[0] if term.modifiers.label else ""
        is_own.append(_key(term) in own)
        if is_own[-1]:
            _require_free(term, value, label, _key(term) in same)
        fixed.append(np.nan if value is None else value)
        if value is not None or is_own[-1]:
            slot.append(-1)
            continue
        name = label or f"{term.lhs}~{term.rhs or 1}"
        if name not in slots:
            slots[name] = len(slots)
            is_equal.append(False)
        slot.append(slots[name])
        is_equal[slots[name]] |= bool(label) or _key(term) in same
    if own and not slots:
        raise OptionError(
            "group_specific= leaves no regression that clusters could share",
            allowed="at least one regression that is neither fixed nor group-specific",
            todo="take a regression out of group_specific=",
        )
    return np.array(slot), np.array(is_equal, dtype=bool), np.array(fixed), np.array(is_own, dtype=bool)


def _key(term: Term) -> Key:
    return term.lhs, term.op, term.rhs


def _named(regressions: Sequence[Term], names: Sequence[str], option: str) -> set[Key]:
    """The regressions that an option names; anything else is refused."""
    known = {_key(t): str(t) for t in regressions}
    found = set()
    for text in names:
        key = parse_parameter(text)
        if key not in known:
            listed = sorted(known.values())
            raise OptionError(
                f"{option}= names {text!r}, which is not a regression of the model",
                allowed=enumerate_briefly(listed),
                todo=did_you_mean(text, listed) or "name regressions as they stand in the structural model",
            )
        found.add(key)
    return found


def _require_intercepts(regressions: Sequence[Term], own: set[Key]) -> None:
    """With means, a group-specific slope takes its intercept along: it is the level where the predictor is zero.

    Factor means have an arbitrary zero. Where slopes belong to groups, clusters of intercepts would depend on it.
    """
    means = {t.lhs for t in regressions if t.op == "~1"}
    for lhs, op, rhs in sorted(own):
        if op == "~" and lhs in means and (lhs, "~1", "") not in own:
            raise OptionError(
                f"group_specific= names '{lhs} ~ {rhs}', but not the intercept '{lhs} ~ 1'",
                allowed=f"both: with a slope of each group, intercepts depend on where the zero of {rhs} lies",
                todo=f"name '{lhs} ~ 1' in group_specific= too",
            )


def _require_free(term: Term, value: float | None, label: str, equal: bool) -> None:
    """A group-specific regression has no other constraint."""
    why = "fixed" if value is not None else f"labelled {label!r}" if label else "named in equal= too" if equal else ""
    if why:
        raise OptionError(
            f"group_specific= names '{term}', which is {why}",
            allowed="regressions that are free otherwise",
            todo="decide for one of them",
        )


def require_same_predictors(
    blocks: Sequence[Sequence[int]],
    outcome: NDArray[np.int64],
    predictor: NDArray[np.int64],
    own: NDArray[np.bool_],
    names: Sequence[str],
) -> None:
    """Outcomes whose residuals covary must have the same predictors in their group-specific regressions.

    Only then are these regressions least squares, whatever the residual covariances.
    """
    for block in blocks:
        sets = [set(predictor[own & (outcome == j)].tolist()) for j in block]
        for j, i in ((block[s], min(sets[0] ^ sets[s])) for s in range(1, len(sets)) if sets[s] != sets[0]):
            raise UnsupportedModelError(
                f"the residuals of {names[block[0]]} and {names[j]} covary, and only one of them has a group-specific"
                f" regression on {names[i]}",
                allowed="the same predictors in the group-specific regressions of both",
                todo=f"name both regressions in group_specific=, or write '{names[block[0]]} ~~ 0*{names[j]}'",
            )
