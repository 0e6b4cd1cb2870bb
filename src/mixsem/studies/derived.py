"""Measures that follow from the columns of a study's results: correct choices, averages over factors, DIC's choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..simulate.populations import ITEMS, PER_FACTOR
from .published import TRUE_PRIOR

if TYPE_CHECKING:
    import pandas as pd

    from .results import StudyResults
    from .study import Method, Study

__all__ = ["Rows", "derived_rows", "is_true_prior", "of_variant", "population_value", "with_derived"]

KEYS = ["cell", "replication"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Results with their derived measures, so that many tables derive them once.

    Attributes
    ----------
    study
        The study.
    frame
        One row per analysis, see `with_derived`.
    """

    study: Study
    frame: pd.DataFrame

    @property
    def done(self) -> pd.DataFrame:
        """Rows of analyses that did not fail."""
        return self.frame[self.frame["status"] == "done"]

    @property
    def failed(self) -> pd.DataFrame:
        """Rows of analyses that failed."""
        return self.frame[self.frame["status"] == "failed"]


def derived_rows(results: StudyResults | Rows) -> Rows:
    """Add the derived measures, unless they are there."""
    return results if isinstance(results, Rows) else Rows(results.study, with_derived(results.study, results.frame))


def with_derived(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Results with more columns.

    Parameters
    ----------
    study
        The study.
    frame
        Its results, one row per analysis.

    Returns
    -------
    pandas.DataFrame
        A copy. For every criterion c that chose a number of clusters (column ``k_c``): ``correct[c]`` whether it is
        the true one, ``too_few[c]``, ``one[c]`` and ``undecided[c]`` (CHull may find no elbow, which is not
        correct). ``rmse_loading[item 2]`` to ``[item 5]``: mean over the four factors of the papers' population. And
        where an analysis was made with several prior variances: ``dic_selects[v]``, the share of a data set's
        measurement blocks for which DIC is lowest with the variance v, ``dic_correct`` the share for which that is
        the population's own, and ``dic_flawless`` whether it is so for all; the same in all rows of a data set.
    """
    import pandas as pd

    new = {**_choices(study, frame), **_positions(frame)}
    frame = pd.concat([frame, pd.DataFrame(new, index=frame.index, dtype=float)], axis=1)
    found = [choices for m in study.methods if (choices := _dic_choices(study, m, frame)) is not None]
    if not found:
        return frame
    return frame.merge(pd.concat(found), how="left", on=["method", *KEYS]).set_index(frame.index)


def population_value(study: Study, frame: pd.DataFrame, name: str) -> Any:
    """Values of a property of the population per row: a factor's column, or the same for all; None if unknown."""
    if name in study.factors:
        return frame[name]
    return study.sample if name == "sample" else getattr(study.population, name, None)


def is_true_prior(study: Study, frame: pd.DataFrame) -> pd.Series:
    """Whether the prior variance of an analysis is that of the population; so is one without a variant."""
    import pandas as pd

    variant = pd.to_numeric(frame["variant"].replace("", np.nan), errors="coerce")
    own = population_value(study, frame, "loading_variance")
    own = np.nan if own is None else np.asarray(own, dtype=float)
    close = np.isclose(variant.to_numpy(dtype=float), own, rtol=1e-9, atol=0.0)
    return pd.Series(close | (frame["variant"] == "").to_numpy(), index=frame.index, dtype=bool)


def of_variant(study: Study, frame: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Rows of one variant, which may be ``"true prior"``."""
    keep = is_true_prior(study, frame) if variant == TRUE_PRIOR else frame["variant"] == variant
    return frame[keep]


def _choices(study: Study, frame: pd.DataFrame) -> dict[str, Any]:
    """What the criteria chose against the truth; NaN for analyses that had nothing to choose from."""
    chosen = [c for c in frame.columns if c.startswith("k_")]
    choosing = frame[chosen].notna().any(axis=1).to_numpy()
    truth = population_value(study, frame, "n_clusters")
    found: dict[str, Any] = {}
    for column in chosen:
        k, name = frame[column].to_numpy(dtype=float), column.removeprefix("k_")
        truths = {"correct": k == truth, "too_few": k < truth, "one": k == 1, "undecided": np.isnan(k)}
        found |= {f"{what}[{name}]": np.where(choosing, yes, np.nan) for what, yes in truths.items()}
    return found


def _positions(frame: pd.DataFrame) -> dict[str, Any]:
    """Mean over factors of the loadings' error, by the item's place in its factor."""
    found = {}
    for j in range(1, PER_FACTOR):
        columns = [f"rmse_loading[{item}]" for item in ITEMS[j::PER_FACTOR]]
        if all(c in frame for c in columns):
            found[f"rmse_loading[item {j + 1}]"] = frame[columns].mean(axis=1, skipna=False)
    return found


def _dic_choices(study: Study, method: Method, frame: pd.DataFrame) -> pd.DataFrame | None:
    """Which prior variance DIC would take, one row per data set that was analysed with all of them."""
    import pandas as pd

    own = frame[(frame["method"] == method.name) & (frame["status"] == "done")]
    blocks = [c for c in frame.columns if c.startswith("dic[") and own[c].notna().any()]
    variants = np.array(method.variants)
    if not blocks or len(variants) < 2 or not set(variants) <= set(own["variant"]):
        return None
    wide = own.set_index([*KEYS, "variant"])[blocks].unstack("variant")
    columns = [(block, v) for block in blocks for v in variants]
    wide = wide[columns].dropna()
    best = variants[wide.to_numpy(dtype=float).reshape(len(wide), len(blocks), len(variants)).argmin(axis=2)]
    true = own[is_true_prior(study, own).to_numpy()].set_index(KEYS)["variant"].reindex(wide.index)
    known = true.notna().to_numpy()
    right = best == true.fillna("").to_numpy(dtype=str)[:, None]
    shares = {f"dic_selects[{v}]": (best == v).mean(axis=1) for v in variants}
    shares["dic_correct"] = np.where(known, right.mean(axis=1), np.nan)
    shares["dic_flawless"] = np.where(known, right.all(axis=1), np.nan)
    return pd.DataFrame(shares, index=wide.index).reset_index().assign(method=method.name)
