"""What makes the likelihoods of mixed models comparable: the same data, one likelihood, one part within another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError, UnsupportedModelError
from ..estimates import MixedEstimates
from ..penalties.penalised import is_penalised, refuse_penalised
from ..require import require_fit

if TYPE_CHECKING:
    from ..fit import MixedFit

__all__ = [
    "by_maximum_likelihood",
    "describe",
    "labels_of",
    "means_within",
    "on_one_scale",
    "require_linear",
    "require_mixed",
    "require_same_data",
    "residuals_within",
    "same_fixed_columns",
    "same_links",
    "same_offsets",
    "same_random_terms",
]

Array = NDArray[np.float64]

#: Length of what is left of a column outside the span of others, relative to its own, below which it lies within.
WITHIN = 1e-7


def labels_of(fits: Sequence[MixedFit], names: Sequence[str], least: int = 2) -> tuple[str, ...]:
    """Names of the fits, ``"model 1"`` and so on by default.

    Raises
    ------
    OptionError
        If there are too few fits, or another number of names.
    """
    if len(fits) < least:
        raise OptionError(f"{len(fits)} fit to compare", allowed="two fits or more" if least == 2 else "a fit or more")
    if isinstance(names, str) or (names and len(names) != len(fits)):
        raise OptionError(f"names={names!r} for {len(fits)} fits", allowed="one name per fit")
    return tuple(names) or tuple(f"model {i + 1}" for i in range(len(fits)))


def describe(fit: MixedFit) -> str:
    """What tells the model from others: formula, family, offset and weights as arguments, residuals, and penalty."""
    parts, design = [fit.formula], fit.design
    family = getattr(fit, "family", None)
    if family is not None:
        parts.append(f"{family.name}, link {family.link.name}")
    if design.offset is not None and not design.formula.offsets:
        named = ", ".join(columns.text.removeprefix("0 + ").strip("`") for columns in design.offset_columns)
        parts.append(f"offset {named}" if named else "an offset")
    if design.weights_column is not None or (design.weights is not None and not getattr(family, "has_trials", False)):
        parts.append("weighted" if design.weights_column is None else f"weights {design.weights_column}")
    if getattr(fit.specification, "residual", None) is not None:
        parts.append(f"residuals: {fit.specification.residual}")
    if is_penalised(fit):
        parts.append(f"penalised: {fit.specification.penalty}")
    return "; ".join(parts)


def require_mixed(fit: object, function: str) -> None:
    """Refuse what is no fit of `lmer` or `glmer`, or does not maximise its likelihood."""
    if not isinstance(fit, MixedEstimates):
        raise OptionError(
            f"{function}() got {fit.__class__.__name__}",
            allowed="fits of lmer(), or of glmer()",
            todo=f"give the fits themselves: {function}(small, large)",
        )
    refuse_penalised(fit, f"{function}()")


def require_linear(fit: object, function: str, why: str) -> None:
    """Refuse a generalised model with the reason, and what is no fit."""
    if getattr(fit, "family", None) is not None and isinstance(fit, MixedEstimates):
        raise UnsupportedModelError(
            f"{function}(): {why}", allowed="fits of lmer()", todo="compare generalised models with aic_table()"
        )
    require_fit(fit, function)


def require_same_data(fits: Sequence[MixedFit], labels: Sequence[str], *, any_family: bool = False) -> None:
    """Refuse fits whose likelihoods are of other responses, rows, weights or distributions.

    Criteria of generalised models may be of several families (`any_family`): their likelihoods have all constants.

    Raises
    ------
    DataError
        With what differs.
    """
    for label, fit in zip(labels[1:], fits[1:], strict=True):
        what = _difference(fits[0], fit, labels[0], label)
        if what:
            raise DataError(
                f"the fits are not of the same data: {what}",
                allowed="models of the same rows, response and weights",
                todo="fit both to the rows that are complete in all variables of both",
            )
        what = _other_likelihood(fits[0], fit, any_family)
        if what:
            raise DataError(
                f"the likelihoods of {labels[0]} and {label} are not comparable: {what}",
                allowed="fits of one family, with the same n_agq",
                todo="fit both in the same way",
            )


def _difference(first: MixedFit, fit: MixedFit, label: str, other: str) -> str:
    a, b = first.design, fit.design
    if a.n != b.n:
        return f"{label} has {a.n:,} rows and {other} {b.n:,}"
    if a.formula.response != b.formula.response or not np.array_equal(a.y, b.y):
        return f"{label} and {other} have other responses"
    if not _same(a.weights, b.weights, 1.0):
        return f"{label} and {other} have other weights"
    return ""


def _other_likelihood(first: MixedFit, fit: MixedFit, any_family: bool) -> str:
    """Differences of generalised models: their family, and how the likelihood is computed."""
    families = [getattr(one, "family", None) for one in (first, fit)]
    names = [getattr(family, "name", "gaussian, of lmer()") for family in families]
    if names[0] != names[1] and not (any_family and None not in families):
        return f"families {names[0]} and {names[1]}"
    points = [getattr(one, "n_agq", None) for one in (first, fit)]
    return f"n_agq={points[0]} and n_agq={points[1]}" if points[0] != points[1] else ""


def _same(a: Array | None, b: Array | None, default: float) -> bool:
    if a is None and b is None:
        return True
    left = default if a is None else a
    right = default if b is None else b
    return bool(np.all(np.asarray(left) == np.asarray(right)))


def on_one_scale(fits: Sequence[MixedFit]) -> tuple[tuple[MixedFit, ...], str]:
    """The fits with comparable likelihoods, and which these are."""
    if not any(fit.reml for fit in fits):
        return tuple(fits), "Fitted by maximum likelihood."
    first = fits[0]
    same = all(same_fixed_columns(first, fit) for fit in fits[1:])
    if same and all(fit.reml for fit in fits):
        return tuple(fits), "Restricted likelihoods (REML): the fixed parts are the same."
    why = "fits by REML and by maximum likelihood" if same else "the fixed parts differ"
    return tuple(by_maximum_likelihood(fit) for fit in fits), f"Refitted by maximum likelihood: {why}."


def by_maximum_likelihood(fit: MixedFit) -> MixedFit:
    """The same model by maximum likelihood, without a warning."""
    if not fit.reml:
        return fit
    from ..linear import fit_model

    return fit_model(replace(fit.specification, reml=False), fit.model, fit.theta)


def same_fixed_columns(first: MixedFit, fit: MixedFit) -> bool:
    """Whether restricted likelihoods are comparable: the same means, and the same columns, as scaling counts too."""
    names, other = list(first.design.fixed_names), list(fit.design.fixed_names)
    if set(names) != set(other) or not means_within(first, fit):
        return False
    order = [other.index(name) for name in names]
    return bool(np.allclose(first.design.X, fit.design.X[:, order], rtol=1e-10, atol=0.0))


def same_random_terms(first: MixedFit, fit: MixedFit) -> bool:
    """Whether the formulas have the same random terms, in any order."""
    return {_bar(term) for term in first.design.terms} == {_bar(term) for term in fit.design.terms}


def _bar(term: object) -> tuple[frozenset[str], frozenset[str], bool]:
    return frozenset(term.names), frozenset(term.bar.group), term.correlated  # type: ignore[attr-defined]


def means_within(small: MixedFit, large: MixedFit) -> bool:
    """Whether the large model has every mean that the small one has: offset + X beta."""
    difference = (_offset(small) - _offset(large))[:, None]
    return _spans(large.design.X, small.design.X) and (
        not difference.any() or _spans(large.design.X, difference)  # without a column there is nothing to span
    )


def same_links(first: MixedFit, fit: MixedFit) -> bool:
    """Whether generalised models have the same link; linear ones do."""
    links = [getattr(getattr(getattr(one, "family", None), "link", None), "name", "identity") for one in (first, fit)]
    return links[0] == links[1]


def same_offsets(first: MixedFit, fit: MixedFit) -> bool:
    """Whether the known parts of the mean are the same."""
    return np.array_equal(_offset(first), _offset(fit))


def residuals_within(small: MixedFit, large: MixedFit) -> bool:
    """Whether the structure of the residuals of the large model allows that of the small one."""
    if getattr(small.model, "structured", None) is None:
        return True
    if getattr(large.model, "structured", None) is None:
        return False
    one, other = small.model.structured.rows, large.model.structured.rows  # type: ignore[union-attr]
    finest = len(np.unique(np.stack([one.strata, other.strata]), axis=1).T)
    if finest > len(other.levels):  # a level of the large model has rows of several levels of the small one
        return False
    same_order = np.array_equal(one.before, other.before) and np.array_equal(one.gaps, other.gaps)
    return one.structure.ar1 is None or (other.structure.ar1 is not None and same_order)


def _offset(fit: MixedFit) -> Array:
    return np.zeros(fit.nobs) if fit.design.offset is None else fit.design.offset


def _spans(large: Array, small: Array) -> bool:
    """Whether all columns of the small matrix are linear functions of those of the large one."""
    if small.shape == large.shape and np.array_equal(small, large):
        return True
    left = small - large @ np.linalg.lstsq(large, small, rcond=None)[0]
    return bool((np.linalg.norm(left, axis=0) <= WITHIN * np.linalg.norm(small, axis=0)).all())
