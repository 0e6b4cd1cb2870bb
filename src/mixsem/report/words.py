"""Plain words on how many clusters there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..inference.criteria import HullChoice
from ..structural.select import MixtureSelection
from .mixture_tables import CRITERIA, indicator_word
from .values import plural

__all__ = ["ADVICE", "choice_lines", "choice_remarks", "join"]

#: What the simulation studies of these methods found.
ADVICE = (
    "No single criterion decides. Simulation studies of these methods recommend CHull together with AIC or BIC_G, and"
    " a look at the scree plot: is there a clear elbow? In the end the clusters must make sense."
)


def join(words: Sequence[str]) -> str:
    """Join words as in a sentence: "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def choice_lines(selection: MixtureSelection) -> tuple[tuple[str, str], ...]:
    """Pairs of a number of clusters and the criteria that choose it.

    Parameters
    ----------
    selection
        Fits for several numbers of clusters.
    """
    choices = selection.choices
    indicators = indicator_word(selection.fits[0])
    measured = any(fit.moments.n_measurement for fit in selection.fits)
    lines = []
    for k in [*selection, None]:
        words = []
        for name in CRITERIA:
            on_factors, on_indicators = choices[name] == k, choices[f"{name}_observed"] == k
            if on_factors and (on_indicators or not measured):
                words.append(_label(name))
            elif measured and (on_factors or on_indicators):
                words.append(f"{_label(name)} ({'factors' if on_factors else indicators})")
        if words:
            lines.append((plural(k, "cluster") if k is not None else "no choice", join(words)))
    return tuple(lines)


def choice_remarks(selection: MixtureSelection) -> tuple[str, ...]:
    """What to know before one of these choices is followed.

    Parameters
    ----------
    selection
        Fits for several numbers of clusters.
    """
    measured = any(fit.moments.n_measurement for fit in selection.fits)
    kinds = [("", "factors", selection.hull)]
    if measured:
        kinds.append(("_observed", indicator_word(selection.fits[0]), selection.hull_observed))
    remarks = [*_largest(selection, [suffix for suffix, _, _ in kinds])]
    remarks += [f"CHull on the log-likelihood of the {word}: {hull.remark}." for _, word, hull in kinds if hull.remark]
    return (*remarks, *_scree_ratios(selection, kinds), *_falling(selection, measured))


def _largest(selection: MixtureSelection, suffixes: Sequence[str]) -> list[str]:
    """Criteria that want as many clusters as there were say nothing yet."""
    largest, choices = max(selection), selection.choices
    eager = [_label(n) for n in CRITERIA if n != "chull" and any(choices[n + s] == largest for s in suffixes)]
    if not eager or len(selection) < 2:
        return []
    verb = "prefers" if len(eager) == 1 else "prefer"
    return [
        f"{join(eager)} {verb} {largest}, the largest number tried, and might prefer still more. With large groups"
        " even small differences between groups count; the scree plot shows where further clusters stop paying off."
    ]


def _scree_ratios(selection: MixtureSelection, kinds: Sequence[tuple[str, str, HullChoice]]) -> list[str]:
    """The ratio chosen and the next one: how clear is the elbow?"""
    ks = list(selection)
    parts = []
    for _, word, hull in kinds:
        ratios = sorted(((r, ks[i]) for i, r in enumerate(hull.ratio) if r == r and i != hull.chosen), reverse=True)
        if hull.chosen is None:
            continue
        text = f"{_ratio(hull.ratio[hull.chosen])} for {plural(ks[hull.chosen], 'cluster')}"
        if ratios:
            text += f", then {_ratio(ratios[0][0])} for {ratios[0][1]}"
        parts.append(f"{text} ({word})" if len(kinds) > 1 else text)
    if not parts:
        return []
    return [f"Scree ratios: {'; '.join(parts)}. CHull cannot choose {min(ks)} or {max(ks)}, the ends of the range."]


def _ratio(value: float) -> str:
    return "infinite" if value == float("inf") else f"{value:,.2f}" if value < 1e6 else f"{value:.2g}"


def _falling(selection: MixtureSelection, measured: bool) -> list[str]:
    """Log-likelihoods that fall where a cluster is added."""
    remarks = []
    for fewer, more in pairwise(selection.fits):
        if more.loglik < fewer.loglik - 1e-3:
            remarks.append(
                f"log L of the factors falls from {fewer.k} to {more.k} clusters, which a better solution would not:"
                f" use more starts for {more.k}."
            )
        elif measured and more.loglik_observed < fewer.loglik_observed - 1e-3:
            remarks.append(
                f"log L of the {indicator_word(more)} falls from {fewer.k} to {more.k} clusters. That can happen, since"
                " the log-likelihood of the factors is the one that is maximised; CHull leaves such a solution out."
            )
    return remarks


def _label(name: str) -> str:
    label, subscript = CRITERIA[name]
    return f"{label}_{subscript}" if subscript else label
