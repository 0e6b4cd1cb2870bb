"""The result files of a linear mixed model: a report, three tables, and one JSON file with everything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .. import __version__
from ..mixed.fit import MixedFit
from ..mixed.judgement.boundary import level_notes, scale_notes
from ..mixed.judgement.convergence import check_convergence
from ..mixed.penalties.penalised import is_penalised, penalised_facts, penalty_note
from .folder import write_folder
from .methods.mixed import linear_methods
from .mixed_record import mixed_code, mixed_json
from .mixed_results import MixedResults
from .mixed_tables import random_effect_table, size_notes
from .names import MIXED_FILES
from .page import Section, definitions, figure_html, html_page, paragraph, table_box
from .sections import reproduction_section, warning_section
from .svg import inline_svg
from .values import escape_html, one_line, plural

__all__ = ["mixed_report", "write_mixed"]


def write_mixed(
    results: MixedResults,
    folder: str | Path,
    *,
    title: str = "",
    source: str = "",
    command: str = "",
    page: str | None = None,
) -> dict[str, Path]:
    """Write the result files of a mixed model to a folder: all of them or none.

    Parameters
    ----------
    results
        The fit, its tests and intervals.
    folder
        Where to write; made if needed.
    title
        Title of the report.
    source
        Where the data came from.
    command
        Command line that repeats the analysis.
    page
        Another report in the place of `mixed_report`; `title`, `source` and `command` stand in it already.

    Raises
    ------
    OutputError
        If the folder cannot be written; then nothing has changed.
    """
    texts = {
        "report.html": mixed_report(results, title=title, source=source, command=command) if page is None else page,
        "fixed.csv": _csv(results.fixed_frame),
        "random.csv": _csv(results.fit.ranef.frame),
        "varcorr.csv": _csv(results.variance_frame),
        "fit.json": mixed_json(results, title=title),
    }
    contents = {name: texts[name].encode("utf-8", "replace") for name in MIXED_FILES}
    return dict(zip(contents, write_folder(folder, contents), strict=True))


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n")


def mixed_report(results: MixedResults, *, title: str = "", source: str = "", command: str = "") -> str:
    """One self-contained HTML page on a linear mixed model.

    Parameters
    ----------
    results
        The fit, its tests and intervals.
    title
        Heading of the page.
    source
        Where the data came from.
    command
        Command line that repeats the analysis.
    """
    fit = results.fit
    heading = one_line(title) or f"Linear mixed model of {fit.design.formula.response}"
    methods, references = linear_methods(fit, results.inference, results.limits).sections()
    sections: list[Section | None] = [
        Section("model", "What was fitted", definitions(_facts(results, source))),
        _variances(fit),
        _fixed(results),
        Section("checks", "Checks", _checks(fit)),
        _figures(fit),
        warning_section(fit.notices),
        methods,
        reproduction_section(mixed_code(results, source=source), command),
        references,
    ]
    foot = f"Made with mixsem {escape_html(__version__)}."
    return html_page(heading, _head(fit), [s for s in sections if s is not None], foot)


def _head(fit: MixedFit) -> str:
    """Sizes and what is read first."""
    numbers = [("rows", f"{fit.nobs:,}")]
    numbers += [(f"levels of {f.name}", f"{len(f.levels):,}") for f in fit.design.factors]
    numbers += [("residual SD", f"{fit.sigma:.4g}"), ("log-likelihood", f"{fit.loglik:,.2f}".replace("-", "−"))]
    alert = f'<p><a href="#warnings">{plural(len(fit.notices), "warning")}</a>.</p>' if fit.notices else ""
    return paragraph(fit.formula, "lead") + definitions(numbers, "key") + alert


def _facts(results: MixedResults, source: str) -> list[tuple[str, str]]:
    """What was asked for."""
    fit = results.fit
    estimation = "restricted maximum likelihood (REML)" if fit.reml else "maximum likelihood"
    facts = [("Data", source)] if source else []
    facts += [("Formula", fit.formula), ("Fitted by", estimation), ("Tests", results.inference.note)]
    dropped = fit.design.n_rows - fit.nobs
    facts.append(("Rows", f"{fit.nobs:,}" + (f" complete ones of {fit.design.n_rows:,}" if dropped else "")))
    if fit.design.weights is not None:
        facts.append(("Weights", results.weights or "one number per row"))
    if results.offset is not None:
        facts.append(("Offset", results.offset))
    if fit.specification.residual is not None:
        facts.append(("Residuals", str(fit.specification.residual)))
    criterion = "REML criterion" if fit.reml else "-2 log-likelihood"
    if is_penalised(fit):
        facts += [*penalised_facts(fit), ("Note", penalty_note(fit))]
    else:
        facts += [(criterion, f"{fit.objective:,.4f}"), ("AIC, BIC", f"{fit.aic:,.2f}, {fit.bic:,.2f}")]
    return [*facts, ("Parameters", f"{fit.n_params:,}: fixed effects, (co)variances and the residual variance")]


def _variances(fit: MixedFit) -> Section:
    body = table_box(random_effect_table(fit, size_notes(fit.design)))
    if fit.residual is not None:
        body += table_box(fit.residual.table)
    return Section("variances", "Variances", body)


def _fixed(results: MixedResults) -> Section:
    tables = [results.fixed_table, *results.tables]
    return Section("fixed", "Fixed effects", "".join(map(table_box, tables)))


def _checks(fit: MixedFit) -> str:
    """What was looked at, and what was seen, in sentences."""
    boundary = [n for n in fit.notices if n.name == "BoundaryWarning"]
    said = [
        check_convergence(fit).text,
        "On the boundary of the parameters: see the warnings."
        if boundary
        else "No variance is zero, and no correlation 1 or -1: the fit is not singular.",
        *level_notes(fit),
        *scale_notes(fit),
        "Whether residuals and random effects look normal, and equally spread, is for the eye: see the figures.",
    ]
    return f"<ul>{''.join(f'<li>{escape_html(text)}</li>' for text in said)}</ul>"


def _figures(fit: MixedFit) -> Section:
    """Random effects, residuals, and both against the normal distribution."""
    from ..plots.caterpillar import caterpillar
    from ..plots.mixed_residuals import mixed_residuals
    from ..plots.qq import qq

    drawn = [
        (
            "caterpillar",
            "Random effects of each level",
            caterpillar(fit),
            "Conditional modes with 95% intervals, the largest on top. Filled: the interval leaves out 0. The band is"
            " one standard deviation to either side. Intervals take fixed effects and variances as known.",
        ),
        (
            "residuals",
            "Residuals and fitted values",
            mixed_residuals(fit),
            "Residuals in standard deviations. Left: a line that leaves 0 points to a relation that is not straight."
            " Right: a line that rises or falls points to residual variances that differ.",
        ),
        (
            "quantiles",
            "Residuals and random effects against the normal distribution",
            qq(fit),
            "Points on the line are normal; 95% of them would be in the band, each by itself.",
        ),
    ]
    figures = (
        figure_html(inline_svg(figure, name=name, title=title, description=caption), f"{title}. {caption}")
        for name, title, figure, caption in drawn
    )
    return Section("figures", "Figures", "".join(figures))
