"""Plain words on how many clusters there are, and on how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..inference.criteria import HullChoice
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .mixture_tables import CRITERIA, indicator_word, regression_name
from .values import one_line, plural

__all__ = ["ADVICE", "choice_lines", "choice_remarks", "difference_words", "join", "single_remarks"]

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


def difference_words(fit: MixtureFit) -> str:
    """Where clusters differ most and least, to the two decimals that are read; nothing if they cannot differ.

    Parameters
    ----------
    fit
        A mixture.
    """
    path, values = fit.path, fit.coefficients
    free = [r for r, slot in enumerate(path.slot) if slot >= 0 and not path.equal[slot]]
    if fit.k == 1 or not free:
        return ""
    free.sort(key=lambda r: float(values[:, r].min() - values[:, r].max()))
    most, least = free[0], free[-1]
    if _alike(values[:, most]):
        return "The clusters hardly differ in any regression."
    if len(free) == 1:
        return f"The clusters differ in {_named(fit, most)}: {_range(values[:, most])}."
    text = f"The clusters differ most in {_named(fit, most)}: {_range(values[:, most])}."
    if _alike(values[:, least]):
        return f"{text} They hardly differ in {_named(fit, least)}: {_decimals(values[0, least])} in all of them."
    return f"{text} They differ least in {_named(fit, least)}: {_range(values[:, least])}."


def single_remarks(fit: MixtureFit) -> tuple[str, ...]:
    """One remark per cluster of a single group, which shares its regressions with nobody.

    Parameters
    ----------
    fit
        A mixture.
    """
    if fit.k == 1:
        return ()
    members = [np.flatnonzero(fit.clusters == c + 1) for c in range(fit.k)]
    but = " but for those that are the same in all clusters" if fit.path.equal.any() else ""
    return tuple(
        f"Cluster {c} holds one group, {one_line(fit.groups[groups[0]])}: its regressions are that group's own{but}."
        for c, groups in enumerate(members, start=1)
        if groups.size == 1
    )


def _named(fit: MixtureFit, r: int) -> str:
    path = fit.path
    return regression_name(path.nodes[path.outcome[r]], path.nodes[path.predictor[r]])


def _alike(values: NDArray[np.float64]) -> bool:
    return len({_decimals(value) for value in values}) == 1


def _range(values: NDArray[np.float64]) -> str:
    low, high = int(values.argmin()), int(values.argmax())
    return f"from {_decimals(values[low])} in cluster {low + 1} to {_decimals(values[high])} in cluster {high + 1}"


def _decimals(value: float) -> str:
    return f"{value:z.2f}".replace("-", "−")
