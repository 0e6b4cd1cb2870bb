"""The result files of a generalised mixed model: a report, three tables, and one JSON file with everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .. import __version__
from ..mixed.engine.optimise import Optimizer
from ..mixed.generalised.fit import GeneralisedFit
from ..mixed.inference.ddf import CoefficientTable, coefficient_table, inference_of
from ..mixed.inference.f_tables import FTable, f_table
from ..mixed.judgement.boundary import level_notes, scale_notes
from ..mixed.judgement.convergence import check_convergence
from ..mixed.judgement.generalised_notes import generalised_notes
from ..mixed.uncertainty.confidence import ConfidenceIntervals
from ..mixed.uncertainty.intervals import confint as confidence_intervals
from .folder import write_folder
from .generalised_summary import approximation, generalised_facts
from .methods.mixed import generalised_methods
from .mixed_record import label_columns
from .mixed_tables import criteria_table, random_effect_table, size_notes
from .names import MIXED_FILES
from .page import Section, definitions, figure_html, html_page, paragraph, table_box
from .record import json_lines, plain
from .sections import reproduction_section, warning_section
from .svg import inline_svg
from .values import escape_html, one_line, plural

if TYPE_CHECKING:
    from .table import Table

__all__ = [
    "GeneralisedResults",
    "generalised_code",
    "generalised_json",
    "generalised_report",
    "generalised_results",
    "write_generalised",
]

#: The version is raised when a key of ``fit.json`` changes its meaning or goes; new keys do not raise it.
FORMAT, FORMAT_VERSION = "mixsem-glmer", 1
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class GeneralisedResults:
    """What is told of a generalised mixed model.

    Attributes
    ----------
    fit
        The fit.
    fixed
        Tests of the fixed effects, with Wald limits.
    terms
        Chi-square tests of the terms; None if they were not asked for.
    intervals
        Profile intervals; None if they were not asked for.
    weights, offset
        Columns that came as arguments.
    """

    fit: GeneralisedFit
    fixed: CoefficientTable
    terms: FTable | None = None
    intervals: ConfidenceIntervals | None = None
    weights: str | None = None
    offset: str | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        """What was asked for besides the summary."""
        asked = (self.terms, self.intervals)
        return tuple(found.table for found in asked if found is not None)


def generalised_results(
    fit: GeneralisedFit,
    *,
    profile: bool = False,
    anova: bool = False,
    weights: str | None = None,
    offset: str | None = None,
    progress: Progress | None = None,
) -> GeneralisedResults:
    """Compute what is told of a fit."""
    intervals = confidence_intervals(fit, "profile", progress=progress) if profile else None
    return GeneralisedResults(fit, coefficient_table(fit), f_table(fit) if anova else None, intervals, weights, offset)


def write_generalised(
    results: GeneralisedResults,
    folder: str | Path,
    *,
    title: str = "",
    source: str = "",
    command: str = "",
    page: str | None = None,
) -> dict[str, Path]:
    """Write the result files of a generalised mixed model to a folder, all or none; arguments as `write_mixed`."""
    fit = results.fit
    short = generalised_report(results, title=title, source=source, command=command) if page is None else page
    texts = {
        "report.html": short,
        "fixed.csv": _csv(results.fixed.frame.rename(columns={"z": "statistic"})),
        "random.csv": _csv(fit.ranef.frame),
        "varcorr.csv": _csv(fit.varcorr.frame.drop(columns="share")),
        "fit.json": generalised_json(results, title=title),
    }
    contents = {name: texts[name].encode("utf-8", "replace") for name in MIXED_FILES}
    return dict(zip(contents, write_folder(folder, contents), strict=True))


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n")


def generalised_report(results: GeneralisedResults, *, title: str = "", source: str = "", command: str = "") -> str:
    """One self-contained HTML page on a generalised mixed model."""
    fit = results.fit
    heading = one_line(title) or f"Generalised linear mixed model of {fit.design.formula.response}"
    variances = table_box(random_effect_table(fit, (*size_notes(fit.design), *fit.varcorr.notes)))
    methods, references = generalised_methods(fit, results.intervals is not None).sections()
    sections: list[Section | None] = [
        Section("model", "What was fitted", definitions(_facts(results, source)) + table_box(criteria_table(fit))),
        Section("variances", "Variances", variances),
        Section("fixed", "Fixed effects", "".join(map(table_box, (results.fixed.table, *results.tables)))),
        Section("checks", "Checks", _checks(fit)),
        Section("figures", "Figures", _figure(fit)),
        warning_section(fit.notices),
        methods,
        reproduction_section(generalised_code(results, source), command),
        references,
    ]
    numbers = [("rows", f"{fit.nobs:,}")]
    numbers += [(f"levels of {f.name}", f"{len(f.levels):,}") for f in fit.design.factors]
    numbers.append(("log-likelihood", f"{fit.loglik:,.2f}".replace("-", "−")))
    alert = f'<p><a href="#warnings">{plural(len(fit.notices), "warning")}</a>.</p>' if fit.notices else ""
    head = paragraph(fit.formula, "lead") + definitions(numbers, "key") + alert
    foot = f"Made with mixsem {escape_html(__version__)}."
    return html_page(heading, head, [s for s in sections if s is not None], foot)


def _facts(results: GeneralisedResults, source: str) -> list[tuple[str, str]]:
    fit = results.fit
    dropped = fit.design.n_rows - fit.nobs
    rows = f"{fit.nobs:,}" + (f" complete ones of {fit.design.n_rows:,}" if dropped else "")
    own = [*generalised_facts(fit), ("Tests", inference_of(fit).note), ("Rows", rows)]
    return [("Data", source), *own] if source else own


def _checks(fit: GeneralisedFit) -> str:
    """What was looked at, and what was seen, in sentences."""
    boundary = any(n.name == "BoundaryWarning" for n in fit.notices)
    said = [
        check_convergence(fit).text,
        "On the boundary of the parameters: see the warnings."
        if boundary
        else "No variance is zero, and no correlation 1 or -1: the fit is not singular.",
        *generalised_notes(fit),
        *level_notes(fit),
        *scale_notes(fit),
    ]
    return f"<ul>{''.join(f'<li>{escape_html(text)}</li>' for text in said)}</ul>"


def _figure(fit: GeneralisedFit) -> str:
    from ..plots.caterpillar import caterpillar

    title = "Random effects of each level"
    caption = (
        "Conditional modes with 95% intervals, the largest on top, on the scale of the linear predictor. Filled: the"
        " interval leaves out 0. The band is one standard deviation to either side."
    )
    svg = inline_svg(caterpillar(fit), name="caterpillar", title=title, description=caption)
    return figure_html(svg, f"{title}. {caption}")


def generalised_json(results: GeneralisedResults, *, title: str = "") -> str:
    """Everything as JSON, a line per key; numbers that are not finite become null."""
    fit, trace = results.fit, results.fit.trace
    record: dict[str, object] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "title": title,
        "formula": fit.formula,
        "family": fit.family.name,
        "link": fit.family.link.name,
        "n_agq": fit.n_agq,
        "likelihood": approximation(fit.n_agq),
        "weights": results.weights,
        "offset": results.offset,
        "n_rows": fit.design.n_rows,
        "nobs": fit.nobs,
        "groups": [{"group": f.name, "n_levels": len(f.levels)} for f in fit.design.factors],
        "criterion": fit.objective,
        "loglik": fit.loglik,
        "aic": fit.aic,
        "bic": fit.bic,
        "n_params": fit.n_params,
        "df_residual": fit.df_residual,
        "dispersion": fit.dispersion,
        "theta": [{"name": name, "value": value} for name, value in zip(fit.theta_names, fit.theta, strict=True)],
        "fixed": results.fixed.frame.rename(columns={"z": "statistic"}).to_dict("records"),
        "fixed_covariance": np.asarray(fit.spread.fixed),
        "variances": fit.varcorr.frame.drop(columns="share").astype(object).to_dict("records"),
        "terms": None if results.terms is None else results.terms.frame.to_dict("records"),
        "profile": None if results.intervals is None else results.intervals.frame.to_dict("records"),
        "search": {
            "optimizer": trace.method,
            "evaluations": trace.evaluations,
            "converged": trace.converged,
            "message": trace.message,
        },
        "warnings": [notice.to_dict() for notice in fit.notices],
    }
    return json_lines({key: plain(value) for key, value in record.items()})


def generalised_code(results: GeneralisedResults, source: str) -> str:
    """Python code that repeats the analysis."""
    fit = results.fit
    labels = label_columns(fit.design.formula, None)
    read = f"data = mx.data.read_table({source!r}, {labels!r})"
    read = read if source else "# data: the table with one row per observation"
    arguments = [repr(fit.formula), "data", f"family={fit.family.name!r}", f"link={fit.family.link.name!r}"]
    arguments += [f"n_agq={fit.n_agq}"] if fit.n_agq != 1 else []
    arguments += [
        f"{name}={value!r}" for name, value in (("weights", results.weights), ("offset", results.offset)) if value
    ]
    if fit.specification.optimizer != Optimizer():
        arguments.append(f"optimizer=mx.Optimizer({fit.specification.optimizer.method!r})")
    lines = ["import mixsem as mx", "", read, f"fit = mx.glmer({', '.join(arguments)})", "print(fit)"]
    lines += ["print(mx.anova(fit))"] if results.terms is not None else []
    lines += ["print(mx.confint(fit))"] if results.intervals is not None else []
    return "\n".join([*lines, ""])
