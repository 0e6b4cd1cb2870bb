"""Summaries of bootstraps of a mixture and of the test of the number of clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..errors import Notice
from ..mixtures.bootstrap_results import MixtureBootstrap, SelectionBootstrap
from ..mixtures.lrt import ClusterTest
from .document import Listing, Prose, Summary
from .mixture_tables import CRITERIA, indicator_word, regression_name
from .table import Cell, Column, Table
from .values import one_line, plural

__all__ = [
    "bootstrap_summary",
    "choice_share_table",
    "cluster_test_summary",
    "interval_table",
    "selection_bootstrap_summary",
    "stability_table",
]

#: Groups below this stability are listed in the summary.
STABLE = 0.9
#: Groups listed at most, the least stable ones.
LISTED = 20


def bootstrap_summary(drawn: MixtureBootstrap) -> Summary:
    """What was drawn, the intervals, the groups that change clusters."""
    fit = drawn.fit
    ari = drawn.ari[drawn.usable]
    facts = [("Samples", _samples(drawn.n, drawn.failures))]
    if fit.k > 1:
        low = f"{np.quantile(ari, 0.05):.2f}"
        facts.append(
            ("Adjusted Rand index with the fit", f"{ari.mean():.2f} on average, above {low} in 95% of samples")
        )
    parts: list[Table | Listing | Prose] = [Listing("", tuple(facts)), interval_table(drawn)]
    if fit.k > 1:
        unstable = int((drawn.stability < STABLE).sum())
        words = "All groups are" if not unstable else f"{len(fit.groups) - unstable} of {len(fit.groups)} groups are"
        parts.append(Prose("", (f"{words} in their cluster in {STABLE:.0%} of the samples or more.",)))
        parts += [stability_table(drawn, limit=LISTED, below=STABLE)] if unstable else []
    remarks = _remarks(drawn)
    parts += [Prose("", remarks, bullets=len(remarks) > 1), *_warnings(drawn.notices)]
    return Summary(f"Bootstrap over {drawn.kind}: {plural(fit.k, 'cluster')}", tuple(parts))


def interval_table(drawn: MixtureBootstrap, level: float = 0.95) -> Table:
    """One row per cluster and regression: estimate, standard error, percentile interval."""
    frame = drawn.intervals(level)
    path = drawn.fit.path
    nodes = path.nodes
    names = [regression_name(nodes[j], nodes[i]) for j, i in zip(path.outcome, path.predictor, strict=True)]
    columns = (
        Column("cluster", "Cluster", "integer"),
        Column("regression", "Regression"),
        Column("estimate", "Estimate", "decimal3"),
        Column("se", "SE", "decimal3"),
        Column("bias", "Bias", "decimal3"),
        Column("lower", "Lower", "decimal3", group=f"{level:.0%} interval"),
        Column("upper", "Upper", "decimal3", group=f"{level:.0%} interval"),
    )
    rows = tuple(
        (row.cluster, names[i % len(names)], row.estimate, row.se, row.bias, row.lower, row.upper)
        for i, row in enumerate(frame.itertuples())
    )
    R = len(names)
    return Table("Regressions", columns, rows, rules=tuple(range(R, R * drawn.fit.k, R)))


def stability_table(drawn: MixtureBootstrap, limit: int | None = None, below: float = np.inf) -> Table:
    """One row per group, the least stable first: its cluster, and how often it is in each cluster.

    Parameters
    ----------
    drawn
        The bootstrap.
    limit
        Rows at most.
    below
        Only groups less stable than this.
    """
    frame = drawn.groups_frame()
    frame = frame[frame["stability"] < below].sort_values("stability", kind="stable").head(limit or len(frame))
    columns = [
        Column("group", "Group"),
        Column("cluster", "Cluster", "integer"),
        Column("probability", "Probability", "decimal2"),
        Column("samples", "Samples", "integer"),
        *(
            Column(f"share_{c}", f"Cluster {c}", "decimal2", group="Share of the samples")
            for c in range(1, drawn.fit.k + 1)
        ),
    ]
    rows = []
    for record in frame.to_dict("records"):
        values = [record[column.name] for column in columns]
        values[0] = one_line(values[0])
        values[3 + int(record["cluster"])] = Cell(record[f"share_{record['cluster']}"], strong=True)
        rows.append(tuple(values))
    note = "Probability: posterior probability of the cluster in the fit. Emphasised: its cluster in the fit."
    return Table("Groups that change clusters", tuple(columns), tuple(rows), (note,))


def selection_bootstrap_summary(drawn: SelectionBootstrap) -> Summary:
    """How often each number of clusters wins."""
    numbers = list(drawn.fits)
    title = f"Number of clusters in a bootstrap over {drawn.kind}: {numbers[0]} to {numbers[-1]}"
    remarks = []
    if drawn.kind == "groups":
        remarks.append(
            "Copies of a group agree exactly, which makes many clusters look better than they are: read these shares"
            " as an upper limit for large numbers, or draw people."
        )
    elif drawn.center == "model":
        remarks.append(
            "People were drawn around the fit that choose_clusters() chooses: the shares say how often its number of"
            " clusters is found again if it is right."
        )
    else:
        remarks.append("Sampling error is in the drawn covariances twice, which favours many clusters.")
    return Summary(
        title,
        (
            Listing("", (("Samples", _samples(drawn.n, drawn.failures)),)),
            choice_share_table(drawn),
            Prose("", tuple(remarks)),
            *_warnings(drawn.notices),
        ),
    )


def choice_share_table(drawn: SelectionBootstrap) -> Table:
    """One row per criterion: its choice in the data, and the share of samples in which each number wins."""
    fits = drawn.fits
    measured = bool(fits.fits[0].moments.n_measurement)
    rows = []
    for record in drawn.shares().to_dict("records"):
        name = str(record["criterion"])
        observed = name.endswith("_observed")
        if observed and not measured:
            continue
        label, subscript = CRITERIA[name.removesuffix("_observed")]
        label = f"{label}_{subscript}" if subscript else label
        label += f", {indicator_word(fits.fits[0])}" if observed else ", factors" if measured else ""
        chosen = fits.choices[name]
        rows.append(
            (label, chosen, *(Cell(record[k], strong=True) if k == chosen else record[k] for k in fits),
             record["undecided"])
        )  # fmt: skip
    columns = (
        Column("criterion", "Criterion"),
        Column("original", "Data", "integer"),
        *(Column(f"k{k}", str(k), "decimal2", group="Share of the samples, by number of clusters") for k in fits),
        Column("undecided", "Undecided", "decimal2"),
    )
    return Table("What the criteria choose", columns, tuple(rows), ("Emphasised: the choice in the data.",))


def cluster_test_summary(test: ClusterTest) -> Summary:
    """Statistic, p-value and what it does not take into account."""
    q95 = float(np.quantile(test.simulated, 0.95))
    plural_samples = f"{test.n_exceeding} of {test.simulated.size} simulated ones are as large"
    facts = (
        ("Likelihood-ratio statistic", f"{test.statistic:.2f}"),
        ("Simulated under the smaller number", f"mean {test.simulated.mean():.2f}, 95% below {q95:.2f}"),
        ("p", f"{test.p_value:.3f} ({plural_samples}{'; stopped early' if test.stopped else ''})"),
    )
    what = "factor covariances" if test.level == "factors" else "item covariances, steps 1 and 2 done again"
    return Summary(
        f"Bootstrap test: {test.null.k} against {plural(test.alternative.k, 'cluster')} ({what})",
        (Listing("", facts), Prose("", test.caveats, bullets=len(test.caveats) > 1), *_warnings(test.notices)),
    )


def _samples(n: int, failures: tuple[str, ...]) -> str:
    if not failures:
        return f"{n:,}"
    reasons = "; ".join(f"{reason}: {count}" for reason, count in Counter(failures).most_common(3))
    return f"{n:,}, of which {len(failures):,} gave no estimates ({reasons})"


def _remarks(drawn: MixtureBootstrap) -> tuple[str, ...]:
    if drawn.kind == "groups":
        return (
            "Groups were drawn with their factor covariances as they are: memberships tell what other groups would"
            " change, not what other people would (kind='people').",
        )
    if drawn.center == "sample":
        return (
            "People were drawn around each group's own covariances: memberships look less sure than they are, and"
            " standard errors are too large.",
        )
    return ("People were drawn around the model, as if it held.",)


def _warnings(notices: Sequence[Notice]) -> tuple[Listing, ...]:
    return (Listing("Warnings", tuple((n.name, n.text) for n in notices), stacked=True),) if notices else ()
