"""The result files of a structural equation model: a report, its parameters, and one JSON file with everything."""

from __future__ import annotations

from dataclasses import asdict, fields

from .. import __version__
from ..equations.fit import SEMFit
from ..equations.specification import SEM
from ..errors import OptionError
from .equation_facts import chisq_table, equation_facts, equation_title, fit_measure_table
from .equation_frames import equation_glance, equation_parameters
from .equation_tables import defined_table, explained_table, parameter_tables
from .methods.equations import equation_methods
from .page import Section, block, definitions, figure_html, html_page, paragraph, table_box
from .record import plain
from .sections import reproduction_section, warning_section
from .svg import inline_svg
from .values import escape_html, one_line, plural

__all__ = ["equation_code", "equation_record", "equation_report"]

#: The version is raised when a key of ``fit.json`` changes its meaning or goes; new keys do not raise it.
FORMAT, FORMAT_VERSION = "mixsem-sem", 1

#: Variables that a diagram can show so that it is read.
MOST_DRAWN = 50
#: Groups whose regressions are drawn.
SHOWN = 6


def equation_report(fit: SEMFit, *, title: str = "", source: str = "", command: str = "") -> str:
    """One self-contained HTML page on a structural equation model.

    Parameters
    ----------
    fit
        The fit.
    title
        Heading of the page.
    source
        Where the data came from.
    command
        Command line that repeats the analysis.
    """
    facts = [("Data", source)] if source else []
    facts += [(n, text.replace("-", "−") if n == "Log-likelihood" else text) for n, text in equation_facts(fit)]
    model = definitions(facts) + "<h3>Model</h3>" + block(fit.specification.model)
    methods, references = equation_methods(fit).sections()
    sections: list[Section | None] = [
        Section("model", "What was fitted", model),
        Section("fit", "Fit", table_box(chisq_table(fit)) + table_box(fit_measure_table(fit))),
        _figure_section(fit),
        _parameter_section(fit),
        warning_section(fit.notices),
        methods,
        reproduction_section(equation_code(fit), command),
        references,
    ]
    foot = f"Made with mixsem {escape_html(__version__)}."
    return html_page(
        one_line(title) or equation_title(fit), _head(fit, bool(title)), [s for s in sections if s is not None], foot
    )


def _head(fit: SEMFit, titled: bool) -> str:
    """What was fitted, unless the title says it, sizes and the measures that are read first."""
    m, r, told = fit.measures, fit.robust, fit.described
    chisq, cfi, rmsea = m.chisq if r is None else r.model.chisq, told.cfi, told.rmsea
    df = f"{m.df if r is None else r.model.df:g}"
    numbers = [("people", f"{fit.nobs:,}"), ("groups", f"{len(fit.groups):,}"), (f"χ²({df})", f"{chisq:,.2f}")]
    numbers += [("CFI", f"{cfi:.3f}"), ("RMSEA", f"{rmsea:.3f}"), ("SRMR", f"{m.srmr:.3f}")]
    alert = f'<p><a href="#warnings">{plural(len(fit.notices), "warning")}</a>.</p>' if fit.notices else ""
    lead = paragraph(equation_title(fit), "lead") if titled else ""
    return lead + definitions(numbers, "key") + alert


def _figure_section(fit: SEMFit) -> Section | None:
    """The whole model of the first group, if it has factors and can be read; the regressions of each group."""
    body = _whole_diagram(fit) + _regression_diagrams(fit)
    return Section("paths", "Path diagram", body) if body else None


def _whole_diagram(fit: SEMFit) -> str:
    """Factors with their items."""
    from ..plots.diagram import diagram, diagram_data

    if not fit.factors or len(fit.factors) + len(fit.observed) > MOST_DRAWN:
        return ""
    try:
        figure, data = diagram(fit), diagram_data(fit)
    except OptionError:  # regressions that run in a circle have no order from left to right
        return ""
    what = "The model with its factors (ellipses) and observed variables (boxes)"
    what += ", without covariances of observed variables"
    what += f", group {one_line(fit.groups[0])}" if len(fit.groups) > 1 else ""
    marks = {"loading": "=~", "regression": "~", "covariance": "~~"}
    told = [
        f"{source} {marks[kind]} {target} {value:z.2f}" if kind != "regression" else f"{target} ~ {source} {value:z.2f}"
        for kind, source, target, value in zip(
            data["kind"], data["source"], data["target"], data["estimate"], strict=True
        )
        if kind in marks
    ]
    svg = inline_svg(figure, name="diagram", title=what, description=f"Standardized values: {', '.join(told)}.")
    return figure_html(svg, f"{what}. Standardized values; wider arrows: larger ones; dashed: negative.")


def _regression_diagrams(fit: SEMFit) -> str:
    """The regressions of each group."""
    from ..plots.paths import paths, paths_data

    if not any(row.op == "~" for row in fit.table.rows):
        return ""
    try:
        figure, data = paths(fit), paths_data(fit)
    except OptionError:  # as above
        return ""
    several = len(fit.groups) > 1
    what = "Regressions" + (" of each group" if several else "")
    told = []
    for group in fit.groups[:SHOWN]:
        own = data[data["group"] == group]
        paths_told = ", ".join(
            f"{y} ~ {x} {b:z.2f}" for y, x, b in zip(own["outcome"], own["predictor"], own["estimate"], strict=True)
        )
        told.append(f"{one_line(group)}: {paths_told}" if several else paths_told)
    svg = inline_svg(figure, name="paths", title=what, description=f"{'. '.join(told)}.")
    caption = f"{what}. Wider arrows: larger regressions, unstandardized; dashed: negative; =: equal over groups."
    caption += " The first six groups." if len(fit.groups) > SHOWN else ""
    return figure_html(svg, caption)


def _parameter_section(fit: SEMFit) -> Section:
    tables = [*parameter_tables(fit), defined_table(fit), explained_table(fit)]
    body = "".join(table_box(table) for table in tables if table is not None)
    return Section("parameters", "Parameters", body)


def equation_code(fit: SEMFit) -> str:
    """Python code that repeats the analysis."""
    specification, group = fit.specification, fit.data.moments.group
    arguments = [f"    {name}={getattr(specification, name)!r}," for name in _changed(specification)]
    lines = ["import mixsem as mx", "", "# data: the table with one row per person", 'model = """']
    lines += [*specification.model.strip("\n").splitlines(), '"""', f"fit = mx.{specification.kind}("]
    lines += ["    model,", "    data,", *([f"    group={group!r},"] if group else []), *arguments, ")"]
    return "\n".join([*lines, "print(fit)", ""])


def _changed(specification: SEM) -> list[str]:
    """Options that are not at their default."""
    return [
        field.name
        for field in fields(SEM)
        if field.name not in ("model", "kind") and getattr(specification, field.name) != field.default
    ]


def equation_record(fit: SEMFit, *, title: str = "") -> dict[str, object]:
    """Everything ``fit.json`` holds; numbers that are not finite become None.

    Parameters
    ----------
    fit
        The fit.
    title
        Title of the report.
    """
    moments = fit.data.moments
    record: dict[str, object] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "title": title,
        **asdict(fit.specification),
        "group": moments.group,
        "n_groups": len(fit.groups),
        "n_people": fit.nobs,
        "n_iterations": fit.optimum.n_iterations,
        "groups": [
            {"group": group, "n": n, "n_dropped": dropped, "chisq": chisq}
            for group, n, dropped, chisq in zip(
                fit.groups, moments.n, moments.n_dropped, 2.0 * fit.optimum.loss_per_group, strict=True
            )
        ],
        "measures": equation_glance(fit).iloc[0].to_dict(),
        "parameters": equation_parameters(fit).to_dict("records"),
        "warnings": [notice.to_dict() for notice in fit.notices],
    }
    return {key: plain(value) for key, value in record.items()}
