"""The sections of the HTML report, each from the fits alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import Notice
from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import MeasurementFit
from ..mixtures.propagate import MOST_UNASKED, PropagatedPosterior
from ..mixtures.wald import WaldTests
from ..structural.choice import Choice
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .classification_tables import OVERCONFIDENT
from .measurement_tables import fit_table, loading_table, measurement_facts
from .membership_part import propagated_part
from .mixture_tables import (
    CERTAIN,
    coefficient_table,
    indicator_word,
    list_mark,
    membership_table,
    method_name,
    regression_name,
    selection_table,
)
from .page import Section, block, definitions, figure_html, paragraph, table_box
from .svg import inline_svg
from .values import escape_html, group_sizes, one_line, plural
from .words import ADVICE, choice_lines, choice_remarks, difference_words, join, single_remarks

__all__ = [
    "classification_section",
    "fitted_section",
    "measurement_section",
    "regression_section",
    "reproduction_section",
    "selection_section",
    "uncertain_groups",
    "warning_section",
]


#: Names of groups up to this length are kept on one line.
UNBROKEN = 24
#: Groups that the table of probabilities lists; a cluster of more than so many names some of them. The files have all.
MOST_ROWS, MOST_NAMED, SOME_NAMED = 300, 100, 30
BIC_G, BIC_N = "BIC<sub>G</sub>", "BIC<sub>N</sub>"


def fitted_section(
    fit: MixtureFit, settings: Mapping[str, object], measurement: MeasurementFit | BayesianFit | None
) -> Section:
    """Data, models and settings."""
    facts = [("Method", method_name(fit))]
    facts += [(str(name), str(value)) for name, value in settings.items()]
    facts.append(("Groups", f"{len(fit.groups):,}, {group_sizes(fit.moments.n.tolist())}"))
    people = f"{fit.nobs:,}"
    dropped = 0 if measurement is None else int(measurement.moments.n_dropped.sum())
    if dropped:
        people += f"; {dropped:,} rows dropped because an item is missing"
    facts.append(("People", people))
    facts.append(("Regressions", _regression_facts(fit)))
    body = definitions(facts)
    if measurement is not None:
        body += "<h3>Measurement model</h3>" + block(measurement.specification.measurement)
    body += "<h3>Structural model</h3>" + block(fit.specification.structural)
    return Section("fitted", "What was fitted", body)


def _regression_facts(fit: MixtureFit) -> str:
    """How many regressions, and which of them do not differ over clusters."""
    path = fit.path
    names = [regression_name(path.nodes[j], path.nodes[i]) for j, i in _pairs(fit)]
    equal = [name for name, slot in zip(names, path.slot, strict=True) if slot >= 0 and path.equal[slot]]
    fixed = [name for name, is_fixed in zip(names, path.is_fixed, strict=True) if is_fixed]
    own = [name for name, is_own in zip(names, path.group_specific, strict=True) if is_own]
    text = f"{len(names)}"
    text += f"; the same in all clusters: {join(equal)}" if equal else ""
    text += f"; free in every group: {join(own)}" if own else ""
    return text + (f"; fixed: {join(fixed)}" if fixed else "")


def _pairs(fit: MixtureFit) -> list[tuple[int, int]]:
    return [(int(j), int(i)) for j, i in zip(fit.path.outcome, fit.path.predictor, strict=True)]


def selection_section(selection: MixtureSelection, choice: Choice) -> Section:
    """The choice of the number of clusters: words first, then plots and the table."""
    from ..plots import criteria
    from ..plots import selection as scree

    measured = any(fit.moments.n_measurement for fit in selection.fits)
    kinds = [("factors", "factors")] + ([("observed", indicator_word(selection.fits[0]))] if measured else [])
    plots = []
    for kind, word in kinds:
        on = "" if len(kinds) == 1 else f" of the {word}"
        picture = scree(selection, loglik="observed" if kind == "observed" else "factors")
        ratio = (
            "; the ring marks the choice of CHull, the largest ratio of the gains before and after a point."
            if (selection.hull_observed if kind == "observed" else selection.hull).chosen is not None
            else "."
        )
        caption = f"Scree plot: log-likelihood{on} against free parameters. The numbers are clusters{ratio}"
        title = f"Scree plot of the log-likelihood{on or ' of the factors'}"
        plots.append(figure_html(inline_svg(picture, name=f"scree-{kind}", title=title, description=caption), caption))
    for kind, word in kinds:
        on = "" if len(kinds) == 1 else f" on the log-likelihood of the {word}"
        picture = criteria(selection, loglik="observed" if kind == "observed" else "factors")
        caption = f"Information criteria{on}: how far each number of clusters is from the best one."
        svg = inline_svg(picture, name=f"criteria-{kind}", title=caption, description=_described(selection))
        plots.append(figure_html(svg, caption))
    points = "".join(f"<li>{escape_html(text)}</li>" for text in (*choice_remarks(selection), ADVICE))
    body = definitions(choice_lines(selection)) + f"<ul>{points}</ul>"
    body += paragraph(f"This report shows the solution with {plural(choice.k, 'cluster')}: {choice.reason}.")
    body += f'<div class="pair">{"".join(plots)}</div>' + table_box(selection_table(selection))
    return Section("selection", "How many clusters?", body.replace("BIC_G", BIC_G).replace("BIC_N", BIC_N))


def _described(selection: MixtureSelection) -> str:
    return "; ".join(f"{clusters}: {criteria}" for clusters, criteria in choice_lines(selection))


def regression_section(fit: MixtureFit, tests: WaldTests | None = None) -> Section:
    """The regressions of the clusters: in words, as a table (with standard errors if tested) and as figures."""
    from ..plots import clusters, paths

    body = paragraph(
        "A regression y ~ x says how much y differs between people of the same group who differ by one unit in x,"
        " other predictors of y being equal. Factors have the unit of their marker variable unless their variances"
        " were fixed; within a cluster the regressions are the same for all groups."
    )
    said = (difference_words(fit), *single_remarks(fit))
    body += "".join(paragraph(text) for text in said if text) + table_box(coefficient_table(fit, tests))
    caption = (
        "Regressions of the clusters (large markers, numbers at the right) and of each group by itself (points; larger"
        " for more people, paler where the cluster is uncertain)."
    )
    title = "Regressions of the clusters and of the single groups"
    svg = inline_svg(clusters(fit), name="regressions", title=title, description=caption)
    body += figure_html(svg, caption)
    signs = "Arrows are wider for larger regressions; negative ones are dashed."
    signs += " An equals sign marks regressions that are the same in all clusters." if fit.path.equal.any() else ""
    svg = inline_svg(paths(fit), name="paths", title="Path diagram of each cluster", description=_told(fit))
    body += figure_html(svg, f"Path diagram of each cluster. {signs}")
    return Section("regressions", "Regressions", body)


def _told(fit: MixtureFit) -> str:
    """The diagrams in words, for those who cannot see them."""
    names = [regression_name(fit.path.nodes[j], fit.path.nodes[i]) for j, i in _pairs(fit)]
    told = (
        f"Cluster {c + 1}: " + ", ".join(f"{name} {b:z.2f}" for name, b in zip(names, row, strict=True))
        for c, row in enumerate(fit.coefficients)
    )
    return ". ".join(told)


def uncertain_groups(fit: MixtureFit) -> int:
    """Number of groups whose cluster is not certain."""
    return int((fit.posterior.max(axis=1) < CERTAIN).sum())


def classification_section(fit: MixtureFit, propagated: PropagatedPosterior | None = None) -> Section:
    """Which group is in which cluster, and how certain that is."""
    from ..plots import posterior

    unsure = uncertain_groups(fit)
    body = paragraph(
        f"Entropy R² is {fit.entropy_r2:.3f} (1: every group is classified with certainty, 0: nothing is known)."
        + _starts_said(fit)
    )
    if unsure:
        be = "is" if unsure == 1 else "are"
        body += paragraph(
            f"{plural(unsure, 'group')} {be} uncertain: the probability of the cluster is below {CERTAIN:.2f} and"
            " stands in brackets."
        )
    body += f'<div class="cards">{"".join(_card(fit, c) for c in range(1, fit.k + 1))}</div>'
    caption = (
        "Posterior classification probabilities: the stronger the colour, the more probable the cluster. Printed where"
        " they are neither near 0 nor near 1."
    )
    svg = inline_svg(
        posterior(fit), name="posterior", title="Posterior classification probabilities", description=caption
    )
    body += figure_html(svg, caption)
    asked = " propagated_posterior() counts both." if len(fit.groups) > MOST_UNASKED else ""
    body += paragraph(OVERCONFIDENT + asked) if propagated is None else propagated_part(propagated)
    listed = "All probabilities" if len(fit.groups) <= MOST_ROWS else "Probabilities of the least certain groups"
    table = table_box(membership_table(fit, MOST_ROWS))
    body += f"<details><summary>{listed} as a table</summary>{table}</details>"
    return Section("groups", "Which groups are in which cluster?", body)


def _starts_said(fit: MixtureFit) -> str:
    """How the solution was found; a given partition is no random start."""
    record = fit.starts
    if record.n_starts == 1:
        return " It was found from one start."
    if record.n_best == 0:
        return (
            " This solution was found by splitting and merging clusters; none of the"
            f" {record.n_starts:,} random starts reached it."
        )
    return f" Of the {record.n_starts:,} random starts, {record.n_best:,} reached this solution."


def _card(fit: MixtureFit, cluster: int) -> str:
    """One cluster: its size and its groups."""
    from matplotlib.colors import to_hex

    from ..plots.style import cluster_color

    members = np.flatnonzero(fit.clusters == cluster)
    probability = fit.posterior.max(axis=1)
    names = []
    named = members.size if members.size <= MOST_NAMED else SOME_NAMED
    for g in np.sort(members[np.argsort(probability[members], kind="stable")[:named]]):
        name = escape_html(fit.groups[g])
        if len(one_line(fit.groups[g])) <= UNBROKEN:
            name = name.replace(" ", "&nbsp;")
        if probability[g] < CERTAIN:
            name = f'<span class="unsure">{name} ({min(probability[g], CERTAIN - 0.01):.2f})</span>'
        names.append(name)
    size = f"{plural(members.size, 'group')}, {fit.moments.n[members].sum():,} people, proportion"
    rest = members.size - len(names)
    more = f" and {rest:,} more (see clusters.csv)" if rest else ""
    listed = (list_mark(fit).join(names) or "no group") + more
    return (
        f'<div class="card" style="border-top-color:{to_hex(cluster_color(cluster))}"><h3>Cluster {cluster}</h3>'
        f'<p class="size">{size} {fit.proportions[cluster - 1]:.3f}</p><p>{listed}</p></div>'
    )


def measurement_section(measurement: MeasurementFit) -> Section:
    """Fit, loadings, and what is equal over groups."""
    facts = [
        (name, text.replace("-", "−") if name == "Log-likelihood" else text)
        for name, text in measurement_facts(measurement)
    ]
    body = definitions(facts) + table_box(fit_table(measurement))
    return Section("measurement", "Measurement", body + table_box(loading_table(measurement)))


def warning_section(notices: Sequence[Notice]) -> Section:
    """All warnings of all steps."""
    if not notices:
        return Section("warnings", "Warnings", paragraph("None."))
    pairs = [(notice.heading, notice.text) for notice in notices]
    return Section("warnings", "Warnings", definitions(pairs, "notices"))


def reproduction_section(code: str, command: str) -> Section | None:
    """The same analysis from Python and from the command line."""
    parts = [f"<h3>In Python</h3>{block(code)}"] if code.strip() else []
    parts += [f"<h3>On the command line</h3>{block(command)}"] if command.strip() else []
    return Section("reproduce", "How to reproduce this", "".join(parts)) if parts else None
