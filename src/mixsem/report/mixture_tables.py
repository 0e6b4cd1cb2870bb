"""Tables and lists of a mixture: regressions per cluster, members of the clusters, the selection of K."""

from __future__ import annotations

import numpy as np

from ..mixtures.wald import WaldTests
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .document import NO_BREAK, Listing
from .table import Cell, Column, Table
from .values import one_line, plural

__all__ = [
    "CERTAIN",
    "CRITERIA",
    "coefficient_table",
    "indicator_word",
    "list_mark",
    "member_listing",
    "membership_table",
    "method_name",
    "regression_name",
    "selection_table",
    "starts_text",
]

#: A group is marked as uncertain if the probability of its cluster is below this.
CERTAIN = 0.9

#: Criteria by name: label and subscript.
CRITERIA = {
    "aic": ("AIC", ""),
    "aic3": ("AIC3", ""),
    "bic_g": ("BIC", "G"),
    "bic_n": ("BIC", "N"),
    "icl": ("ICL", ""),
    "chull": ("CHull", ""),
}

_METHODS = {"mmgsem": "MixMG-SEM", "mixmgsem": "MixMG-SEM", "mixmlsem": "MixML-SEM", "mixmgbsem": "MixMG-BSEM"}


def method_name(fit: MixtureFit) -> str:
    """The method as the papers call it; where step 1 is unknown, what the model is."""
    key = fit.moments.method.replace("-", "").replace("_", "").lower()
    return _METHODS.get(key, "Mixture of structural models")


def indicator_word(fit: MixtureFit) -> str:
    """What the factors were measured by: items, or indicators such as factor scores."""
    return "items" if fit.moments.method == "mmgsem" else "indicators"


def regression_name(outcome: str, predictor: str) -> str:
    """A regression as it stands in the model text."""
    return f"{one_line(outcome)} ~ {one_line(predictor)}"


def starts_text(fit: MixtureFit) -> str:
    """How many starts reached the best solution."""
    record = fit.starts
    if record.n_starts == 1:
        return "1 start"
    if record.n_best == 0:
        return f"none of {record.n_starts:,} reached the best solution, which splitting and merging clusters found"
    return f"{record.n_best:,} of {record.n_starts:,} reached the best solution"


def coefficient_table(fit: MixtureFit, tests: WaldTests | None = None) -> Table:
    """One row per regression, one column per cluster; proportions and sizes of the clusters on top.

    Parameters
    ----------
    fit
        The mixture.
    tests
        Its Wald tests: they add the standard errors, and the p-value of the test that a regression is the same in all
        clusters.
    """
    if tests is not None:
        return _with_errors(fit, tests)
    path = fit.path
    sizes = [fit.clusters == c + 1 for c in range(fit.k)]
    head: list[tuple[object, ...]] = [
        ("Proportion", *fit.proportions.tolist()),
        ("Groups", *(Cell(int(s.sum()), "integer") for s in sizes)),
        ("People", *(Cell(int(fit.moments.n[s].sum()), "integer") for s in sizes)),
    ]
    remarks = _remarks(fit)
    several = fit.k > 1 and any(remarks)
    rows = [
        (
            regression_name(path.nodes[j], path.nodes[i]),
            *fit.coefficients[:, r].tolist(),
            *([remarks[r]] if several else []),
        )
        for r, (j, i) in enumerate(zip(path.outcome, path.predictor, strict=True))
    ]
    columns = [Column("regression", "Regression")]
    columns += [Column(f"cluster_{c}", f"Cluster {c}", "decimal3") for c in range(1, fit.k + 1)]
    if several:
        columns.append(Column("remark", "Remark"))
        head = [(*row, None) for row in head]
    return Table("Regressions", tuple(columns), (*head, *rows), rules=(len(head),))


def _with_errors(fit: MixtureFit, tests: WaldTests) -> Table:
    """The same table with standard errors beside the estimates and tests of equality at the right."""
    plain = coefficient_table(fit)
    rule, K, R = plain.rules[0], fit.k, fit.path.outcome.size
    se = tests.zero["se"].to_numpy().reshape(K, R)
    names = zip(tests.equal["outcome"], tests.equal["predictor"], strict=True)
    equal = {regression_name(*pair): p for pair, p in zip(names, tests.equal["p_value"], strict=True)}
    columns, rows = [plain.columns[0]], [[row[0]] for row in plain.rows]
    for c in range(1, K + 1):
        columns.append(Column(f"cluster_{c}", "Estimate", "decimal3", group=f"Cluster {c}"))
        columns.append(Column(f"se_{c}", "SE", "decimal3", group=f"Cluster {c}"))
        for i, row in enumerate(rows):
            row += [plain.rows[i][c], None if i < rule else float(se[c - 1, i - rule])]
    notes: tuple[str, ...] = ()
    if equal:
        columns.append(Column("p_equal", "p", "p", group="Equal?"))
        for row in rows:
            row.append(equal.get(str(row[0])))
        notes = ("Equal?: Wald test that the regression is the same in all clusters, given that there are these.",)
    if len(plain.columns) > K + 1:
        columns.append(plain.columns[-1])
        for i, row in enumerate(rows):
            row.append(plain.rows[i][-1])
    return Table(plain.title, tuple(columns), tuple(map(tuple, rows)), notes, plain.rules)


def _remarks(fit: MixtureFit) -> list[str]:
    """What makes a regression special: fixed, free in every group, or the same in all clusters."""
    path = fit.path
    special = ["mean over groups" if own else "fixed" for own in path.group_specific]
    return [word if s < 0 else "equal" if path.equal[s] else "" for s, word in zip(path.slot, special, strict=True)]


def member_listing(fit: MixtureFit, limit: int = 100) -> Listing:
    """The groups of each cluster, the uncertain ones with the probability of their cluster.

    Parameters
    ----------
    fit
        The mixture.
    limit
        List at most so many groups per cluster, those that are uncertain first to stay.
    """
    probability = fit.posterior.max(axis=1)
    mark = list_mark(fit)
    entries = []
    for c in range(1, fit.k + 1):
        members = np.flatnonzero(fit.clusters == c)
        shown = np.sort(members[np.argsort(probability[members], kind="stable")[:limit]])
        names = [
            one_line(fit.groups[g]) + (f" ({_below(probability[g])})" if probability[g] < CERTAIN else "")
            for g in shown
        ]
        if members.size > shown.size:
            names.append(f"and {members.size - shown.size:,} more")
        text = mark.join(name.replace(" ", NO_BREAK) for name in names) or "none"
        entries.append((f"Cluster {c}, {plural(members.size, 'group')}", text))
    uncertain = (probability < CERTAIN).any()
    title = "Groups of each cluster"
    if uncertain:
        title += f" (in brackets: probability of the cluster, where below {CERTAIN:.2f})"
    return Listing(title, tuple(entries), stacked=True)


def list_mark(fit: MixtureFit) -> str:
    """What separates groups in a list: a semicolon where a name has a comma."""
    return "; " if any("," in str(group) for group in fit.groups) else ", "


def _below(probability: float) -> str:
    """A probability below the limit, never rounded up to it."""
    return f"{min(probability, CERTAIN - 0.01):.2f}"


def membership_table(fit: MixtureFit, most: int | None = None) -> Table:
    """Every group: people, cluster, and its probability of each cluster; sorted by cluster and probability.

    Parameters
    ----------
    fit
        The mixture.
    most
        List at most so many groups, the least certain ones; None for all.
    """
    probability = fit.posterior.max(axis=1)
    order = np.lexsort((-probability.round(2), fit.clusters))
    notes: tuple[str, ...] = ()
    if most is not None and order.size > most:
        kept = np.argsort(probability, kind="stable")[:most]
        order = order[np.isin(order, kept)]
        notes = (
            f"The {most:,} least certain of {probability.size:,} groups; clusters.csv and clusters(fit) have all.",
        )
    columns = [Column("group", "Group"), Column("n", "People", "integer"), Column("cluster", "Cluster", "integer")]
    columns += [Column(f"p{c}", f"Cluster {c}", "decimal3", group="Probability") for c in range(1, fit.k + 1)]
    rows = tuple(
        (str(fit.groups[g]), int(fit.moments.n[g]), int(fit.clusters[g]), *fit.posterior[g].tolist()) for g in order
    )
    return Table("Clusters of the groups", tuple(columns), rows, notes)


def selection_table(selection: MixtureSelection) -> Table:
    """Every number of clusters with log-likelihoods, criteria and starts; each criterion's choice emphasised.

    Parameters
    ----------
    selection
        Fits for several numbers of clusters.

    Returns
    -------
    Table
        One row per number of clusters. The criteria on the log-likelihood of the indicators are left out where
        factor covariances were given as they are: both log-likelihoods are the same then.
    """
    fits = selection.fits
    measured = any(fit.moments.n_measurement for fit in fits)
    columns = [Column("k", "Clusters", "integer"), *_criteria_columns("", "Factors")]
    if measured:
        columns += _criteria_columns("_observed", indicator_word(fits[0]).capitalize())
    columns += [
        Column("entropy_r2", "Entropy R²", "decimal3", group="Solution"),
        Column("n_best", "At best", "integer", group="Solution"),
        Column("n_starts", "Starts", "integer", group="Solution"),
    ]
    chosen = selection.choices if len(fits) > 1 else {}
    rows = [tuple(_chosen_cell(record, column.name, chosen) for column in columns) for record in selection.rows()]
    note = "Emphasised: the number of clusters that a criterion chooses. " if chosen else ""
    modelled = any(fit.path.meanstructure for fit in fits)
    note += "P: free parameters, means not counted." if measured and not modelled else "P: free parameters."
    return Table("Number of clusters", tuple(columns), tuple(rows), (note,))


def _criteria_columns(suffix: str, measured: str) -> list[Column]:
    """Columns of one of the two log-likelihoods."""
    group = f"Log-likelihood of the {measured.lower()}"
    n_params = "n_params" if suffix else "n_params_factors"
    columns = [
        Column("loglik" + suffix, "log L", "decimal2", group=group),
        Column(n_params, "P", "integer", group=group),
    ]
    for name, (label, subscript) in CRITERIA.items():
        columns.append(
            Column(name + suffix, label, "decimal2" if name == "chull" else "decimal1", "", subscript, group)
        )
    return columns


def _chosen_cell(record: dict[str, float], name: str, chosen: dict[str, int | None]) -> object:
    value = record[name]
    return Cell(value, strong=True) if name in chosen and chosen[name] == record["k"] else value
