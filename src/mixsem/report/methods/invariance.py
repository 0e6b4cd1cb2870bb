"""A test of measurement invariance in sentences."""

from __future__ import annotations

import re

from ...measurement.invariance import InvarianceTest
from ...measurement.invariance_levels import LEVELS
from ...measurement.invariance_measures import CUTOFFS
from ...measurement.invariance_search import NonInvariance
from ..values import plural
from ..words import join
from .equations import data_sentences, estimator_sentence
from .measurement import KINDS
from .sample import fold
from .sources import SOURCES, cite
from .text import MethodsText, software, step

__all__ = ["invariance_methods"]


def invariance_methods(test: InvarianceTest, search: NonInvariance | None = None) -> MethodsText:
    """The methods section of an invariance test.

    Parameters
    ----------
    test
        The test.
    search
        The search for non-invariant items that went with it.
    """
    first = test.levels[0].fit
    return MethodsText(
        (
            ("Sample", data_sentences(first)),
            ("Measurement invariance", step(_levels(test), _blocks(test), estimator_sentence(first))),
            ("Comparison of levels", step(_comparison(test), _converged(test))),
            *((("Search for non-invariant items", _search(search)),) if search is not None else ()),
            ("Software", software()),
        )
    )


def _levels(test: InvarianceTest) -> str:
    levels = list(dict.fromkeys(step.level for step in test.levels))
    equal = [f"{level} ({join([KINDS[kind] for kind in LEVELS[level]]) or 'nothing'} equal)" for level in levels]
    verb = "level was" if len(levels) == 1 else "levels were"
    said = (
        f"Measurement invariance {cite('invariance')} across {plural(len(test.groups), 'group')} was tested by"
        f" multigroup confirmatory factor analysis {cite('multigroup')}. The {verb} {join(equal)}."
    )
    free = (
        f"Free at all levels {'was' if len(test.partial) == 1 else 'were'} {fold(test.partial)}."
        if test.partial
        else ""
    )
    return step(said, free)


def _blocks(test: InvarianceTest) -> str:
    if len(test.blocks) == 1:
        return ""
    return f"Factors were tested in {plural(len(test.blocks), 'measurement block')} ({'; '.join(test.blocks)})."


def _comparison(test: InvarianceTest) -> str:
    """Difference tests, changes of fit, and the sources of the cut-offs."""
    compared = [s for s in test.levels if s.comparison is not None]
    if not compared:
        return ""
    levels = [level for level in dict.fromkeys(s.level for s in compared) if level in CUTOFFS]
    named = dict.fromkeys(c.source for level in levels for c in CUTOFFS[level])
    keys = [key for source in named for key in [_key(source)] if key]
    scaled = {s.comparison.method for s in compared if s.comparison is not None}
    test_words = "chi-square difference tests"
    if "satorra-bentler-2001" in scaled:
        test_words = f"scaled chi-square difference tests {cite('difference_2001')}"
    cutoffs = f", which were compared with the cut-offs of the literature {cite(*keys)}" if keys else ""
    return (
        f"Each level was compared with the one before by {test_words} and by changes in CFI, RMSEA and SRMR{cutoffs}."
    )


def _key(source: str) -> str:
    """The key of "Chen (2007)"; empty if it is not known."""
    short = re.sub(r" \((\d{4})\)", r", \1", source)
    return next((key for key, known in SOURCES.items() if known.short == short), "")


def _converged(test: InvarianceTest) -> str:
    loose = [f"{s.block} {s.level}" if len(test.blocks) > 1 else s.level for s in test.levels if not s.fit.converged]
    return f"These models did not converge: {fold(loose)}." if loose else "All models converged."


def _search(found: NonInvariance) -> str:
    rules = found.rules
    corrections = {
        "BH": f"after adjustment for the false discovery rate {cite('fdr')}",
        "holm": "after Holm's adjustment",
        "none": "without adjustment for the number of tests",
    }
    said = (
        f"Non-invariant {join(list(rules.kinds))} were searched for stepwise: a parameter of a group was flagged if its"
        f" test was significant at {rules.alpha:g} {corrections[rules.correction]} and its standardized change was"
        f" above {rules.threshold:g}. The parameter with the largest sum of flagged changes was freed in all groups and"
        " the model fitted again, until none was flagged or no more items could be freed."
    )
    freed = f"Freed were {fold(found.partial)}." if found.partial else "No parameter was freed."
    return step(said, freed)
