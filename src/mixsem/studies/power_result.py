"""What `power` returns: recovery per plan, and a plain answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from ..display import Displayed
from ..report.summary import summary
from .power_words import answers, power_summary

if TYPE_CHECKING:
    import pandas as pd

    from ..report.table import Table
    from .study import Study

__all__ = ["PowerResult", "wilson"]


@dataclass(frozen=True, eq=False, repr=False)
class PowerResult(Displayed):
    """How well clusters are recovered, by number of groups and people.

    Attributes
    ----------
    study
        The design: plans, method, replications, seed.
    frame
        Every data set with all of its measures, one row each.
    threshold
        ARI from which on clusters count as recovered.
    wanted
        Share of data sets in which they should be.
    """

    study: Study
    frame: pd.DataFrame
    threshold: float
    wanted: float

    @property
    def criteria(self) -> tuple[str, ...]:
        """Criteria that chose a number of clusters, such as ``"bic_g"``; none where that number was taken as known."""
        return tuple(c.removeprefix("k_") for c in self.frame.columns if c.startswith("k_"))

    @property
    def regressions(self) -> tuple[str, ...]:
        """The regressions, ``"outcome~predictor"``."""
        return tuple(c[len("rmse[") : -1] for c in self.frame.columns if c.startswith("rmse["))

    @cached_property
    def plans(self) -> pd.DataFrame:
        """What is known of every plan.

        One row per plan: n_groups, group_size; data_sets, failed (analyses that ended with an error: they count as
        not recovered); ari and ari_se (mean and its standard error over data sets); recovered (share of data sets)
        with lower and upper (95 % Wilson interval); cc (share of groups in the right cluster); rmse (of a regression,
        mean over regressions) and ``rmse[y~x]``; local_maximum (share of data sets in which the best start missed a
        better solution, the one reached from the true clusters); ``right[bic_g]`` and so on (share of data sets in
        which the criterion chooses the true number of clusters); ``wald`` and ``wald[y~x]`` (share of data sets in
        which the regressions are found to differ between clusters, Wald test, 5 %), where standard errors were
        computed.
        """
        import pandas as pd

        rows = []
        for number in self.study.chosen_cells:
            cell = self.study.all_cells[number]
            rows.append({**cell, **self._plan(self.frame[self.frame["cell"] == number])})
        return pd.DataFrame(rows)

    @property
    def answers(self) -> tuple[str, ...]:
        """For each number of groups: the fewest people per group that reach the wanted share, in a sentence."""
        return answers(self)

    @property
    def table(self) -> Table:
        """The plans as a table to print or to write to a document."""
        from .power_words import plan_table

        return plan_table(self)

    def _plan(self, rows: pd.DataFrame) -> dict[str, Any]:
        n, ari = len(rows), _column(rows, "ari")
        recovered = int((ari >= self.threshold).sum())
        lower, upper = wilson(recovered, n)
        done = ari[~np.isnan(ari)]
        rmse = {f"rmse[{name}]": _mean(_column(rows, f"rmse[{name}]")) for name in self.regressions}
        found: dict[str, Any] = {
            "data_sets": n,
            "failed": int((rows["status"] == "failed").sum()),
            "ari": _mean(done),
            "ari_se": float(done.std(ddof=1) / np.sqrt(done.size)) if done.size > 1 else float("nan"),
            "recovered": recovered / n if n else float("nan"),
            "lower": lower,
            "upper": upper,
            "cc": _mean(_column(rows, "cc")),
            "rmse": _mean(np.array(list(rmse.values()))),
            **rmse,
            "local_maximum": _mean(_column(rows, "local_maximum")),
        }
        ready, true = rows[rows["status"] == "done"], self.study.population.n_clusters
        for name in self.criteria:
            found[f"right[{name}]"] = _mean((_column(ready, f"k_{name}") == true).astype(float))
        tests = [c for c in self.frame.columns if c == "wald" or c.startswith("wald[")]
        return found | {name: _mean(_column(rows, name)) for name in tests}


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share; missing if there are no trials.

    Parameters
    ----------
    successes, n
        Successes, and trials.
    level
        Confidence level.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference. Journal of the American
    Statistical Association 22, 209-212.

    Examples
    --------
    >>> [round(limit, 4) for limit in wilson(40, 50)]
    [0.6696, 0.8876]
    """
    if not n:
        return float("nan"), float("nan")
    limits = binomtest(successes, n).proportion_ci(level, method="wilson")
    return float(limits.low), float(limits.high)


def _column(rows: pd.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if name not in rows:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=float)


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Mean of what is not missing; missing if there is nothing."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


summary.register(PowerResult)(power_summary)
