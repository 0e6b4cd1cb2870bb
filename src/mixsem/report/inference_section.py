"""How sure the regressions are: the section of the report, and what ``fit.json`` holds of it."""

from __future__ import annotations

from ..equations.r2 import r2
from ..mixtures.errors import StandardErrors
from ..mixtures.explained import standardized
from ..mixtures.intervals import intervals
from ..mixtures.wald import WaldTests, known_tests
from ..structural.fit import MixtureFit
from .inference_tables import (
    ONE_CLUSTER,
    difference_table,
    effect_table,
    equality_table,
    errors_in_words,
    explained_table,
    pair_differences,
    standardized_table,
)
from .page import Section, figure_html, paragraph, table_box
from .svg import inline_svg

__all__ = ["inference_record", "inference_section"]


def inference_section(fit: MixtureFit, tests: WaldTests | None, reason: str) -> Section:
    """Intervals, tests of equality, indirect effects and explained variance.

    Parameters
    ----------
    fit
        The mixture.
    tests, reason
        Its Wald tests; or None, and why there are none.
    """
    body = paragraph(f"Standard errors and tests are left out: {reason}.") if tests is None else _tested(fit, tests)
    body += paragraph(
        "Standardized regressions are in standard deviations of outcome and predictor, and R² is the share of an"
        " outcome's variance that its predictors explain. Both differ between groups, as their variances do; these are"
        " means over the groups of a cluster, weighted by people."
    )
    body += table_box(standardized_table(fit)) + table_box(explained_table(fit))
    return Section("inference", "How sure are the regressions?", body)


def _tested(fit: MixtureFit, tests: WaldTests) -> str:
    """Everything that needs standard errors."""
    from ..plots import coefficients

    body = paragraph(f"Standard errors: {errors_in_words(tests.errors)}.")
    caption = "Regressions of the clusters with 95% intervals; markers are filled where the interval leaves out 0."
    title = "Regressions of the clusters with their confidence intervals"
    svg = inline_svg(coefficients(fit, tests.errors), name="intervals", title=title, description=caption)
    body += figure_html(svg, caption)
    if len(tests.equal):
        body += paragraph(ONE_CLUSTER) + table_box(equality_table(tests))
        body += _folded("All pairs of clusters", table_box(pair_differences(tests)))
    found = intervals(fit, tests.errors)
    if (found.effects["kind"] != "direct").any():
        body += table_box(effect_table(found, indirect=True))
    if (found.differences["kind"] != "direct").any():
        body += _folded("Differences of effects between clusters", table_box(difference_table(found, indirect=True)))
    return body


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def inference_record(fit: MixtureFit, errors: StandardErrors | None) -> dict[str, object]:
    """The keys of ``fit.json`` about standard errors, tests, effects and explained variance.

    Parameters
    ----------
    fit
        The mixture.
    errors
        Its standard errors; None for those that are known.
    """
    tests, reason = known_tests(fit, errors)
    record: dict[str, object] = {
        "standard_errors": {"method": None if tests is None else tests.errors.method, "reason": reason or None},
        "equality": [],
        "pairs": [],
        "effects": [],
    }
    if tests is not None:
        effects = intervals(fit, tests.errors).effects
        record |= {
            "equality": tests.equal.to_dict("records"),
            "pairs": tests.pairs.to_dict("records"),
            "effects": effects[effects["kind"] != "direct"].to_dict("records"),
        }
    for name, frame in (("standardized", standardized(fit)), ("r2", r2(fit))):
        means = frame[frame["level"] == "cluster"].drop(columns=["level", "group", "probability", "n"])
        record[name] = means.to_dict("records")
    return record
