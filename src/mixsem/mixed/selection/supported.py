"""From the maximal random part to one that the data support, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ...data.columns import FrameLike
from ...errors import OptionError, notify
from ..derived.frame_table import FrameTable
from ..designs.design import read_design
from ..engine.model import compile_model
from ..fit import MixedFit
from ..judgement.singular import is_singular
from ..linear import LinearMixedModel, fit_model
from .comparable import describe
from .random_nesting import mixture_p_value, random_change
from .reduced_formula import INTERCEPT, bar_text
from .refitting import with_random_terms

if TYPE_CHECKING:
    from ..designs.random_part import RandomTerm

__all__ = ["SmallerPart", "SupportedModel", "smaller_random_parts", "supported_model"]


@dataclass(frozen=True)
class SmallerPart:
    """A smaller random part.

    Attributes
    ----------
    what
        What it lacks, as in ``"Days by Subject"``.
    bars
        Its terms.
    """

    what: str
    bars: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class SupportedModel(FrameTable):
    """The path from a maximal model to a supported one.

    Attributes
    ----------
    title, frame, notes
        The table, a row per model that was tried: step, dropped, formula (of the smaller model), chisq, df_diff,
        p_value, p_boundary, decision.
    fit
        The supported model.
    fits
        The models that were gone through, the maximal one first.
    """

    fit: MixedFit
    fits: tuple[MixedFit, ...]


def supported_model(
    formula: str,
    data: FrameLike,
    *,
    alpha: float = 0.2,
    reml: bool = True,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
) -> SupportedModel:
    """Simplify the random part by backward likelihood-ratio tests; the fixed part stays.

    At each step every smaller random part that is one step away is fitted: a term without its correlations, a slope
    less (of an interaction first what nothing else contains), a term less when its intercept alone is left. The one
    with the largest p-value goes if that is above `alpha`. Nothing in the package does this unasked.

    Parameters
    ----------
    formula
        The maximal model.
    data, weights, offset
        As in `lmer`.
    alpha
        A step is taken if its p-value, of the chi-square with all parameters, is larger. Matuschek and others propose
        0.2: a usual 0.05 drops random effects that fixed effects' tests need.
    reml
        REML or maximum likelihood.

    Returns
    -------
    SupportedModel
        Prints every step; ``.fit`` is the last model.

    Raises
    ------
    OptionError
        If alpha is not between 0 and 1.

    Notes
    -----
    Tests and intervals of the last model do not know of the path. Use it for the random part of a confirmatory model,
    write down that it was used, and keep effects that the design demands.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> path = supported_model("Reaction ~ Days + (Days | Subject)", sleepstudy())
    >>> path.frame[["step", "dropped", "p_value", "decision"]].round(3)
       step                  dropped  p_value decision
    0     1  correlations of Subject    0.839  dropped
    1     1          Days by Subject    0.000     kept
    2     2          Days by Subject    0.000     kept
    >>> path.fit.formula
    'Reaction ~ Days + (1 + Days || Subject)'

    References
    ----------
    Matuschek, Kliegl, Vasishth, Baayen & Bates (2017), Balancing type I error and power in linear mixed models,
    Journal of Memory and Language 94, 305-315.
    """
    import pandas as pd

    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r}", allowed="a number between 0 and 1, such as 0.2")
    specification = LinearMixedModel(formula, reml)
    fits = [fit_model(specification, compile_model(read_design(formula, data, weights, offset)))]
    records: list[dict[str, object]] = []
    while True:
        tried = [(part, with_random_terms(fits[-1], part.bars)) for part in smaller_random_parts(fits[-1])]
        if not tried:
            break
        rows = [_row(len(fits), part.what, small, fits[-1]) for part, small in tried]
        first = max(range(len(rows)), key=lambda i: float(str(rows[i]["p_value"])))
        gone = float(str(rows[first]["p_value"])) > alpha
        records += [{**row, "decision": "dropped" if gone and i == first else "kept"} for i, row in enumerate(rows)]
        if not gone:
            break
        fits.append(tried[first][1])
    columns = ["step", "dropped", "formula", "chisq", "df_diff", "p_value", "p_boundary", "decision"]
    frame = pd.DataFrame(records, columns=columns)
    notify(fits[-1].notices)
    return SupportedModel(
        "From the maximal to a supported model", frame, _notes(fits, alpha, bool(records)), fits[-1], tuple(fits)
    )


def smaller_random_parts(fit: MixedFit) -> Iterator[SmallerPart]:
    """All random parts that are one step smaller."""
    terms = fit.design.terms
    for t, term in enumerate(terms):
        others = [other.bar.text for other in terms[:t]], [other.bar.text for other in terms[t + 1 :]]
        group, kept = fit.design.factors[term.factor].name, list(term.columns.terms)
        if term.correlated and len(term.names) > 1:
            smaller = bar_text(term, kept, correlated=False) if len(kept) > 1 else _uncorrelated(term)
            yield SmallerPart(f"correlations of {group}", (*others[0], smaller, *others[1]))
        if len(kept) == 1:
            if len(terms) > 1:
                yield SmallerPart(f"{_shown(kept[0])} by {group}", (*others[0], *others[1]))
            continue
        for name in kept:
            if _is_free(name, kept):
                smaller = bar_text(term, [other for other in kept if other != name])
                yield SmallerPart(f"{_shown(name)} by {group}", (*others[0], smaller, *others[1]))


def _shown(name: str) -> str:
    return "intercept" if name == INTERCEPT else name


def _uncorrelated(term: RandomTerm) -> str:
    return term.bar.text.replace(" | ", " || ", 1)


def _is_free(name: str, kept: Sequence[str]) -> bool:
    """Whether no other summand contains it: the intercept goes last, main effects after their interactions."""
    parts = set(name.split(":"))
    return name != INTERCEPT and not any(parts < set(other.split(":")) for other in kept)


def _row(step: int, what: str, small: MixedFit, large: MixedFit) -> dict[str, object]:
    from scipy.stats import chi2

    df = large.n_params - small.n_params
    chisq = max(small.objective - large.objective, 0.0)
    change = random_change(small, large)
    mixed = change.nested and change.variances > 0 and change.closed
    return {
        "step": step,
        "dropped": what,
        "formula": small.formula,
        "chisq": chisq,
        "df_diff": df,
        "p_value": float(chi2.sf(chisq, df)),
        "p_boundary": mixture_p_value(chisq, df, change.variances) if mixed else None,
    }


def _notes(fits: Sequence[MixedFit], alpha: float, tried: bool) -> tuple[str, ...]:
    first, last = fits[0], fits[-1]
    notes = [f"Maximal model: {describe(first)}{' (a boundary fit)' if is_singular(first) else ''}."]
    if not tried:
        return (*notes, "There was no step to try: of a single random effect none is left to drop, and the last stays.")
    if len(fits) == 1:
        notes.append(f"No step has p > {alpha:g}: the maximal model is kept.")
    else:
        ending = ", a boundary fit: consider a simpler one" if is_singular(last) else ""
        notes.append(f"Supported model: {last.formula}{ending}.")
    notes.append(
        f"At each step the random part with the largest p goes if p > {alpha:g} (p by chi-square, as proposed). Tests"
        " of the last model do not know that it was chosen by the data."
    )
    return tuple(notes)
