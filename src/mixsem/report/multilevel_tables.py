"""Tables and frames of a multilevel SEM and of comparisons between its groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..kernels.problem import CORRELATION, IDENTITY, LOG
from ..multilevel.compare import GroupComparison
from ..multilevel.fit import MultilevelFit, interval
from ..options import as_names
from .mixture_tables import regression_name
from .table import Column, Table
from .values import group_sizes, one_line, plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "hyper_table",
    "multilevel_facts",
    "multilevel_glance",
    "multilevel_parameters",
    "pair_table",
]

#: So many pairs of groups are shown in a summary.
SHOWN = 10


def multilevel_facts(fit: MultilevelFit) -> tuple[tuple[str, str], ...]:
    """Pairs of what and how: people, what is random, draws."""
    spec, n, draws = fit.specification, fit.moments.n, fit.draws
    dropped = int(fit.moments.n_dropped.sum())
    people = f"{fit.nobs:,}; groups of {group_sizes(n.tolist())}"
    people += f"; {dropped:,} rows dropped because an item is missing" if dropped else ""
    kept = f"{draws.x.shape[1]:,} draws in each of {plural(draws.n_chains, 'chain')}"
    trouble = int(draws.diverging.sum())
    kept += f"; {trouble:,} diverging" if trouble else ""
    facts = (
        ("People", people),
        ("Random over groups", ", ".join(as_names(spec.random)) or "nothing"),
        ("Posterior", kept if spec.method == "nuts" else f"{plural(len(draws.flat), 'draw')} with Laplace proposals"),
    )
    return tuple((name, one_line(text)) for name, text in facts)


def hyper_table(fit: MultilevelFit) -> Table:
    """Regressions: mean and standard deviation over groups, and in how many groups the interval leaves out 0."""
    rows: list[tuple[object, ...]] = []
    own = fit.regressions
    away = ((own["lower"] > 0) | (own["upper"] < 0)).groupby([own["outcome"], own["predictor"]]).sum()
    for row in fit.hyper.to_dict("records"):
        count = int(away[row["outcome"], row["predictor"]]) if row["random"] else None
        numbers = [row[c] for c in ("mean", "mean_lower", "mean_upper", "tau", "tau_lower", "tau_upper")]
        rows.append((regression_name(row["outcome"], row["predictor"]), *numbers, count))
    columns = (
        Column("regression", "Regression"),
        Column("mean", "Mean", "decimal3", group="Over groups"),
        Column("mean_lower", "lower", "decimal3", group="Over groups"),
        Column("mean_upper", "upper", "decimal3", group="Over groups"),
        Column("tau", "SD", "decimal3", group="Over groups"),
        Column("tau_lower", "lower", "decimal3", group="Over groups"),
        Column("tau_upper", "upper", "decimal3", group="Over groups"),
        Column("groups", "Groups", "integer"),
    )
    notes = (
        "Posterior means with 95% intervals. SD: standard deviation of the regression over groups.",
        f"Groups: of {len(fit.groups)}, those whose own 95% interval leaves out 0.",
    )
    return Table("Regressions", columns, tuple(rows), notes)


def pair_table(comparison: GroupComparison) -> Table:
    """The pairs of groups that differ most, in units of the posterior SD."""
    pairs = comparison.pairs
    order = np.argsort(-np.abs(pairs["difference"]) / pairs["sd"], kind="stable")[:SHOWN]
    shown = ["group_a", "group_b", "difference", "sd", "lower", "upper", "p_positive"]
    top = pairs.iloc[order]
    names = [regression_name(a, b) for a, b in zip(top["outcome"], top["predictor"], strict=True)]
    rows = [(name, *values) for name, values in zip(names, top[shown].itertuples(index=False), strict=True)]
    columns = (
        Column("regression", "Regression"),
        Column("group_a", "Group"),
        Column("group_b", "less group"),
        Column("difference", "Difference", "decimal3"),
        Column("sd", "SD", "decimal3"),
        Column("lower", "lower", "decimal3"),
        Column("upper", "upper", "decimal3"),
        Column("p_positive", "P(> 0)", "decimal3"),
    )
    title = "Clearest differences" if len(pairs) > SHOWN else "Differences"
    note = f"lower, upper: {100 * comparison.level:g}% interval. All pairs are in the attribute pairs."
    return Table(title, columns, tuple(rows), (note,))


def multilevel_parameters(fit: MultilevelFit) -> pd.DataFrame:
    """One row per parameter that is not a single group's: its posterior mean, SD and 95% interval."""
    import pandas as pd

    posterior, x = fit.posterior, fit.draws.flat
    table = {row.name: row for row in fit.block.table.rows}
    rows = []
    for i, what in enumerate(posterior.what):
        if what not in ("mean", "sd", "common"):
            continue
        e = int(posterior.entry[i])
        link, row = posterior.problem.link[e], table[posterior.model.entries[e]]
        draws, scale = x[:, i], {LOG: "log variance", CORRELATION: "Fisher z"}.get(int(link), "")
        if what == "sd":
            draws = np.exp(draws)
        elif what == "common" and link != IDENTITY:
            draws = np.exp(draws) if link == LOG else np.tanh(draws)
            scale = "" if link == LOG else "correlation"
        lower, upper = interval(draws)
        rows.append(
            {
                "lhs": row.lhs,
                "op": row.op,
                "rhs": row.rhs,
                "what": "equal" if what == "common" else what,
                "scale": scale,
                "estimate": float(draws.mean()),
                "sd": float(draws.std(ddof=1)),
                "lower": float(lower),
                "upper": float(upper),
            }
        )
    return pd.DataFrame(rows)


def multilevel_glance(fit: MultilevelFit) -> pd.DataFrame:
    """One row: sizes, draws and trouble."""
    import pandas as pd

    record = {
        "n_groups": len(fit.groups),
        "nobs": fit.nobs,
        "n_factors": len(fit.factors),
        "n_items": len(fit.items),
        "n_params": fit.posterior.n_params,
        "n_chains": fit.draws.n_chains,
        "n_draws": fit.draws.x.shape[1],
        "n_diverging": int(fit.draws.diverging.sum()),
        "loglik": float(fit.loglik.sum(axis=1).mean()),
        "converged": fit.converged,
    }
    return pd.DataFrame([record])
