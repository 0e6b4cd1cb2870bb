"""A structural equation model in a few lines: how it was estimated, its tests, its fit measures."""

from __future__ import annotations

import numpy as np

from ..equations.fit import SEMFit
from ..inference.fitmeasures import FitMeasures
from ..options import as_names
from .table import Column, Table
from .values import group_sizes, one_line, plural

__all__ = ["FEW_GROUPS", "chisq_table", "equation_facts", "equation_title", "fit_measure_table"]

#: Up to this many groups stand side by side.
FEW_GROUPS = 4

_ERRORS = {
    "information": "standard errors from the information matrix",
    "moments": "robust standard errors (from fourth moments)",
    "sandwich": "robust standard errors (sandwich)",
}
_TESTS = {
    "satorra-bentler": "Satorra-Bentler",
    "yuan-bentler": "Yuan-Bentler",
    "scaled-shifted": "scaled and shifted",
    "mean-var-adjusted": "adjusted in mean and variance",
}
_KINDS = {"cfa": "Confirmatory factor analysis", "growth": "Growth curve model", "sem": "Structural equation model"}


def equation_title(fit: SEMFit) -> str:
    """What it is and how large."""
    sizes = [plural(len(fit.observed), "observed variable")]
    sizes = [plural(len(fit.factors), "factor"), *sizes] if fit.factors else sizes
    sizes += [plural(len(fit.groups), "group")] if len(fit.groups) > 1 else []
    return f"{_KINDS[fit.specification.kind]}: {', '.join(sizes)}"


def equation_facts(fit: SEMFit) -> tuple[tuple[str, str], ...]:
    """Pairs of what and how: estimator, people, missing values, equalities, parameters, convergence."""
    specification, estimator, several = fit.specification, fit.compiled.estimator, len(fit.groups) > 1
    n = fit.data.moments.n
    facts = [
        ("Estimator", f"{estimator.name}; {_ERRORS[estimator.errors]}"),
        ("People", f"{fit.nobs:,}" + (f"; groups of {group_sizes(n.tolist())}" if several else "")),
        ("Missing values", _missing(fit)),
    ]
    if fit.data.ordinal is not None:
        facts.append(("Ordered items", f"{int(fit.data.ordinal.ordered.sum())}, by thresholds and correlations"))
    if several:
        equal, free = as_names(specification.group_equal), as_names(specification.group_partial)
        text = (", ".join(equal) or "nothing (configural)") + (f"; free: {', '.join(free)}" if free else "")
        facts.append(("Equal over groups", text))
    facts.append(("Parameters", _parameters(fit)))
    facts.append(("Converged", f"{'yes' if fit.converged else 'NO'}, {plural(fit.optimum.n_iterations, 'iteration')}"))
    if np.isfinite(fit.measures.loglik):
        m = fit.measures
        facts.append(("Log-likelihood", f"{m.loglik:,.3f}; unrestricted {m.unrestricted_loglik:,.3f}"))
        facts.append(("Criteria", f"AIC {m.aic:,.3f}, BIC {m.bic:,.3f}, adjusted BIC {m.sabic:,.3f}"))
    return tuple((name, one_line(text)) for name, text in facts)


def _missing(fit: SEMFit) -> str:
    dropped = int(fit.data.moments.n_dropped.sum())
    if fit.data.patterns is not None:
        text = "full information: every answer is used"
        return text + (f"; {plural(dropped, 'row')} without an answer dropped" if dropped else "")
    return f"{plural(dropped, 'row')} dropped because a variable is missing" if dropped else "none"


def _parameters(fit: SEMFit) -> str:
    if fit.data.ordinal is not None:
        return f"{fit.n_params:,} free, thresholds included"
    constrained = fit.model.n_free - fit.n_params
    text = f"{fit.n_params:,} free"
    return text + (f" ({fit.model.n_free:,} less {plural(constrained, 'constraint')})" if constrained else "")


def chisq_table(fit: SEMFit) -> Table:
    """The test of the model and of the baseline model, plain and corrected; the part of each group, if they are few."""
    measures, robust = fit.measures, fit.robust
    columns = [Column("model", "Model"), Column("chisq", "χ²", "decimal3"), Column("df", "df", "integer")]
    columns.append(Column("pvalue", "p", "p"))
    rows: list[tuple[object, ...]] = [("Model", measures.chisq, measures.df, measures.pvalue)]
    scales: list[tuple[object, ...]] = [(None, None)]
    if robust is not None:
        word = _TESTS[fit.compiled.estimator.test]
        for name, test in ((f"Model, {word}", robust.model), (f"Baseline, {word}", robust.baseline)):
            rows.append((name, test.chisq, _df(test.df), test.pvalue))
            scales.append((test.scale, test.shift if fit.compiled.estimator.test == "scaled-shifted" else None))
    rows.insert(len(rows) - (robust is not None), ("Baseline", measures.baseline_chisq, measures.baseline_df, None))
    scales.insert(len(scales) - (robust is not None), (None, None))
    rules: tuple[int, ...] = ()
    chisq = 2.0 * fit.optimum.loss_per_group
    notes = ["Baseline: uncorrelated variables."]
    if 1 < len(fit.groups) <= FEW_GROUPS:
        rules = (len(rows),)
        rows += [(f"of the model, {group}", float(c), None, None) for group, c in zip(fit.groups, chisq, strict=True)]
        scales += [(None, None)] * len(fit.groups)
    elif len(fit.groups) > FEW_GROUPS:
        largest = np.argsort(-chisq)[:3]
        named = ", ".join(f"{fit.groups[g]} {chisq[g]:,.1f}" for g in largest)
        notes.append(f"Largest parts of the model's χ²: {named}.")
    if robust is not None:
        columns.append(Column("scale", "Correction", "decimal3"))
        rows = [(*row, scale) for row, (scale, _) in zip(rows, scales, strict=True)]
        if any(shift is not None for _, shift in scales):
            columns.append(Column("shift", "Shift", "decimal3"))
            rows = [(*row, shift) for row, (_, shift) in zip(rows, scales, strict=True)]
    return Table("Test of the model", tuple(columns), tuple(rows), tuple(notes), rules)


def _df(df: float) -> object:
    """Degrees of freedom, written as a whole number where they are one."""
    return int(df) if float(df).is_integer() else f"{df:.3f}"


def fit_measure_table(fit: SEMFit) -> Table:
    """CFI, TLI, RMSEA with its interval, SRMR: plain, with the corrected test, and robust."""
    columns = (
        Column("kind", ""),
        Column("cfi", "CFI", "decimal3"),
        Column("tli", "TLI", "decimal3"),
        Column("rmsea", "RMSEA", "decimal3"),
        Column("rmsea_lower", "lower", "decimal3"),
        Column("rmsea_upper", "upper", "decimal3"),
        Column("rmsea_pvalue", "p(≤ .05)", "p"),
        Column("srmr", "SRMR", "decimal3"),
    )
    rows = [_plain_row(fit.measures)]
    r = fit.robust
    notes = ["lower, upper: 90% confidence interval of RMSEA."]
    if r is not None:
        rows.append(
            (
                "corrected", r.cfi_scaled, r.tli_scaled, r.rmsea_scaled, r.rmsea_scaled_lower, r.rmsea_scaled_upper,
                r.rmsea_scaled_pvalue, None,
            )
        )  # fmt: skip
        notes.append("corrected: with the corrected χ².")
    p = fit.robust_measures
    if p is not None and p.known:  # not with ordered items
        robust = (p.cfi_robust, p.tli_robust, p.rmsea_robust, p.rmsea_robust_lower, p.rmsea_robust_upper)
        rows.append(("robust", *robust, p.rmsea_robust_pvalue, None))
        notes.append("robust: as in normal, complete data; compare these with the usual cut-offs.")
    return Table("Fit measures", columns, tuple(rows), tuple(notes))


def _plain_row(m: FitMeasures) -> tuple[object, ...]:
    return ("", m.cfi, m.tli, m.rmsea, m.rmsea_lower, m.rmsea_upper, m.rmsea_pvalue, m.srmr)
