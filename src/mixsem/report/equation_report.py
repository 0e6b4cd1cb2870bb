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
from .page import Section, block, definitions, figure_html, html_page, paragraph, table_box
from .record import plain
from .sections import reproduction_section, warning_section
from .svg import inline_svg
from .values import escape_html, one_line, plural

__all__ = ["equation_code", "equation_record", "equation_report"]

#: The version is raised when a key of ``fit.json`` changes its meaning or goes; new keys do not raise it.
FORMAT, FORMAT_VERSION = "mixsem-sem", 1

_SATORRA_BENTLER = (
    "Satorra, A., & Bentler, P. M. (1994). Corrections to test statistics and standard errors in covariance structure"
    " analysis. In A. von Eye & C. C. Clogg (Eds.), Latent variables analysis (pp. 399–419). Sage."
)

#: What to cite for what was done.
_REFERENCES = {
    "": "Rosseel, Y. (2012). lavaan: An R package for structural equation modeling. Journal of Statistical Software,"
    " 48(2), 1–36. https://doi.org/10.18637/jss.v048.i02 (syntax and defaults)",
    "satorra-bentler": _SATORRA_BENTLER,
    "yuan-bentler": "Yuan, K.-H., & Bentler, P. M. (2000). Three likelihood-based methods for mean and covariance"
    " structure analysis with nonnormal missing data. Sociological Methodology, 30, 165–200.",
    "scaled-shifted": "Asparouhov, T., & Muthén, B. (2010). Simple second order chi-square correction. Mplus technical"
    " appendix.",
    "mean-var-adjusted": _SATORRA_BENTLER,
}


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
    facts = ([("Data", source)] if source else []) + list(equation_facts(fit))
    model = definitions(facts) + "<h3>Model</h3>" + block(fit.specification.model)
    sections: list[Section | None] = [
        Section("model", "What was fitted", model),
        Section("fit", "Fit", table_box(chisq_table(fit)) + table_box(fit_measure_table(fit))),
        _figure_section(fit),
        _parameter_section(fit),
        warning_section(fit.notices),
        reproduction_section(equation_code(fit), command),
        _references(fit),
    ]
    foot = f"Made with mixsem {escape_html(__version__)}."
    return html_page(one_line(title) or equation_title(fit), _head(fit), [s for s in sections if s is not None], foot)


def _head(fit: SEMFit) -> str:
    """Sizes and the measures that are read first."""
    m, r, told = fit.measures, fit.robust, fit.described
    chisq, cfi, rmsea = m.chisq if r is None else r.model.chisq, told.cfi, told.rmsea
    df = f"{m.df if r is None else r.model.df:g}"
    numbers = [("people", f"{fit.nobs:,}"), ("groups", f"{len(fit.groups):,}"), (f"χ²({df})", f"{chisq:,.2f}")]
    numbers += [("CFI", f"{cfi:.3f}"), ("RMSEA", f"{rmsea:.3f}"), ("SRMR", f"{m.srmr:.3f}")]
    alert = f'<p><a href="#warnings">{plural(len(fit.notices), "warning")}</a>.</p>' if fit.notices else ""
    return paragraph(equation_title(fit), "lead") + definitions(numbers, "key") + alert


def _figure_section(fit: SEMFit) -> Section | None:
    """The path diagram, where there are regressions without a circle."""
    if not any(row.op == "~" for row in fit.table.rows):
        return None
    from ..plots.paths import paths

    try:
        figure = paths(fit)
    except OptionError:  # regressions that run in a circle have no order from left to right
        return None
    what = "Regressions" + (" of each group" if len(fit.groups) > 1 else "")
    svg = inline_svg(figure, name="paths", title=what, description="Estimates are in the table of regressions.")
    caption = "Wider arrows: larger regressions, unstandardized; dashed: negative; =: equal over groups."
    caption += " The first six groups." if len(fit.groups) > 6 else ""
    return Section("paths", what, figure_html(svg, caption))


def _parameter_section(fit: SEMFit) -> Section:
    tables = [*parameter_tables(fit), defined_table(fit), explained_table(fit)]
    body = "".join(table_box(table) for table in tables if table is not None)
    return Section("parameters", "Parameters", body)


def _references(fit: SEMFit) -> Section:
    texts = dict.fromkeys(_REFERENCES[key] for key in ("", fit.compiled.estimator.test) if key in _REFERENCES)
    listed = "".join(f"<li>{escape_html(text)}</li>" for text in sorted(texts))
    return Section("references", "References", f"<ul>{listed}</ul>")


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
