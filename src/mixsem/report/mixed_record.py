"""A mixed model as plain data: the layout of its ``fit.json``, and the code that repeats it."""

from __future__ import annotations

from dataclasses import asdict

from .. import __version__
from ..mixed.engine.optimise import Optimizer
from ..mixed.fit import MixedFit
from ..mixed.formulas.formula import MixedFormula
from ..mixed.penalties.penalised import penalised_criterion
from ..mixed.structure.residual_structure import Residual
from .mixed_results import MixedResults
from .record import json_lines, plain

__all__ = ["label_columns", "mixed_code", "mixed_json", "mixed_record"]

#: The version is raised when a key of ``fit.json`` changes its meaning or goes; new keys do not raise it.
FORMAT, FORMAT_VERSION = "mixsem-lmer", 1


def mixed_record(results: MixedResults, *, title: str = "") -> dict[str, object]:
    """Everything ``fit.json`` holds; numbers that are not finite become None.

    Parameters
    ----------
    results
        The fit, its tests and intervals.
    title
        Title of the report.
    """
    fit = results.fit
    record: dict[str, object] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "title": title,
        "formula": fit.formula,
        "reml": fit.reml,
        "weights": results.weights,
        "offset": results.offset,
        "n_rows": fit.design.n_rows,
        "nobs": fit.nobs,
        "groups": [{"group": f.name, "n_levels": len(f.levels)} for f in fit.design.factors],
        "criterion": fit.objective,
        "penalty": None if fit.specification.penalty is None else str(fit.specification.penalty),
        "penalised_criterion": penalised_criterion(fit),
        "loglik": fit.loglik,
        "deviance": fit.deviance,
        "aic": fit.aic,
        "bic": fit.bic,
        "n_params": fit.n_params,
        "df_residual": fit.df_residual,
        "sigma": fit.sigma,
        "theta": [{"name": name, "value": value} for name, value in zip(fit.theta_names, fit.theta, strict=True)],
        "ddf": results.inference.ddf,
        "statistic": results.inference.statistic,
        "limits": results.limits,
        "fixed": results.fixed_frame.to_dict("records"),
        "fixed_covariance": results.inference.tests.vcov,
        "variances": results.variance_frame.astype(object).to_dict("records"),
        "residual": _residual(fit),
        "terms": None if results.terms is None else results.terms.frame.to_dict("records"),
        "search": _search(fit),
        "warnings": [notice.to_dict() for notice in fit.notices],
    }
    return {key: plain(value) for key, value in record.items()}


def _residual(fit: MixedFit) -> dict[str, object] | None:
    """The structure of the residuals."""
    if fit.residual is None:
        return None
    levels = None if fit.residual.structure.by is None else fit.residual.frame.to_dict("records")
    return {**asdict(fit.residual.structure), "levels": levels, "phi": fit.residual.phi}


def _search(fit: MixedFit) -> dict[str, object]:
    """How the fit was found, but for the time, which is another each time."""
    trace = fit.trace
    return {
        "optimizer": trace.method,
        "evaluations": trace.evaluations,
        "converged": trace.converged,
        "message": trace.message,
    }


def mixed_json(results: MixedResults, *, title: str = "") -> str:
    """`mixed_record` as JSON, a line per key, and per entry of a list of records."""
    return json_lines(mixed_record(results, title=title))


def label_columns(formula: MixedFormula, residual: Residual | None) -> tuple[str, ...]:
    """Columns whose values are labels and nothing else: they group rows, and are no predictors, responses or times.

    Files hold them as they are to be read: 01 is not 1 there.
    """
    groups = {name for bar in formula.bars for name in bar.group}
    others = (set(formula.variables) - groups) | set(formula.predictors)
    if residual is not None:
        time = None if residual.ar1 is None else residual.ar1[1]
        groups |= {name for name in residual.columns if name != time}
        others |= {time} if time is not None else set()
    return tuple(sorted(groups - others))


def mixed_code(results: MixedResults, *, source: str = "") -> str:
    """Python code that repeats the analysis.

    Parameters
    ----------
    results
        The fit, its tests and intervals.
    source
        Name of the data file.
    """
    specification = results.fit.specification
    arguments = [repr(specification.formula), "data"]
    arguments += [] if specification.reml else ["reml=False"]
    comments = []
    for name, used in (("weights", results.fit.design.weights), ("offset", _given_offset(results.fit))):
        column = getattr(results, name)
        if column is not None:
            arguments.append(f"{name}={column!r}")
        elif used is not None:
            arguments.append(f"{name}={name}")
            comments.append(f"# {name}: one number per row, or the name of a column, as for the fit")
    structure = specification.residual
    if structure is not None:
        given = [f"{name}={value!r}" for name, value in asdict(structure).items() if value is not None]
        arguments.append(f"residual=mx.Residual({', '.join(given)})")
    if specification.penalty is not None:
        arguments.append(f"penalty=mx.{specification.penalty.code}")
    if specification.optimizer != Optimizer():
        arguments.append(f"optimizer=mx.Optimizer({specification.optimizer.method!r})")
    labels = label_columns(results.fit.design.formula, structure)
    read = f"data = mx.data.read_table({source!r}, {labels!r})"
    read = read if source else "# data: the table with one row per observation"
    lines = ["import mixsem as mx", "", read, *comments, f"fit = mx.lmer({', '.join(arguments)})", "print(fit)"]
    if results.terms is not None:
        lines.append(f"print(mx.anova(fit, ddf={results.inference.ddf!r}))")
    if results.limits == "profile":
        lines.append("print(mx.confint(fit))")
    return "\n".join([*lines, ""])


def _given_offset(fit: MixedFit) -> object | None:
    """The offset, if there is more to it than what the formula says."""
    return None if fit.design.formula.offsets else fit.design.offset
