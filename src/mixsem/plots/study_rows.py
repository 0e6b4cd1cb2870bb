"""What the figures of simulation studies share: which rows they draw, and what factors and measures are called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import OptionError, did_you_mean, enumerate_briefly
from ..options import Names, as_names

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Design",
    "StudyLike",
    "factor_name",
    "level_name",
    "measure_bounds",
    "measure_columns",
    "measure_name",
    "measure_values",
    "require_factors",
    "study_rows",
    "summarise",
    "true_prior",
]

#: Factors on axes and in legends.
FACTORS = {
    "n_groups": "Groups",
    "group_size": "Group size",
    "n_clusters": "Clusters",
    "beta": "β",
    "reliability": "Reliability",
    "loading_variance": "Loading variance",
    "cross_loading": "Cross-loading",
    "small_size": "Size of small groups",
    "small_proportion": "Share of small groups",
    "sample": "Samples",
    "balance": "Sizes of clusters",
    "noninvariance": "Non-invariance",
    "noninvariant_share": "Share of non-invariant groups",
}
MEASURES = {
    "ari": "ARI",
    "cc": "Share correctly clustered",
    "uncertainty": "Uncertainty of memberships",
    "one_cluster": "Share with one cluster",
    "rmse_noninvariant": "RMSE of non-invariant loadings",
    "rmse_uniques": "RMSE of non-invariant unique variances",
}
#: The papers' names of the regressions.
BETAS = {"F4~F1": "β1", "F3~F1": "β2", "F3~F2": "β3", "F4~F3": "β4"}
CRITERIA = {"bic_g": "BIC_G", "bic_n": "BIC_N", "aic": "AIC", "aic3": "AIC3", "icl": "ICL", "chull": "CHull"}


class Design(Protocol):
    """The part of a study that a figure needs."""

    @property
    def factors(self) -> Mapping[str, Sequence[Any]]:
        """Levels of each crossed factor."""
        ...

    @property
    def population(self) -> Any:
        """What all cells have in common."""
        ...


class StudyLike(Protocol):
    """Results of a study, as far as a figure needs them: one row per cell, replication, method and variant."""

    @property
    def study(self) -> Design:
        """The study."""
        ...

    @property
    def frame(self) -> pd.DataFrame:
        """Its results."""
        ...


def study_rows(results: StudyLike, measure: str, method: str | None, variant: str | None, figure: str) -> pd.DataFrame:
    """Rows of one method, and one variant of it, in which a measure has a value.

    Parameters
    ----------
    results
        What `run_study` or `read_results` returned.
    measure
        Column of the frame, or what `measure_columns` makes of several.
    method
        Method; the first that has the measure if None.
    variant
        Variant of it; if None, the one with the prior variance that the loadings were drawn with, ``"all"`` for all.
    figure
        Name of the figure, for errors.

    Raises
    ------
    OptionError
        If there is no such measure, method or variant, or no result yet.
    """
    frame = getattr(results, "frame", None)
    if frame is None or not hasattr(results, "study"):
        raise OptionError(
            f"{figure}() got a {type(results).__name__}",
            allowed="results of a study",
            todo="give what run_study() or read_results() returned",
        )
    if not measure_columns(frame, measure):
        known = [c for c in frame.columns if c in MEASURES or "[" in c]
        raise OptionError(
            f"there is no measure {measure!r}",
            allowed=enumerate_briefly(known) or "none: there is no result yet",
            todo=did_you_mean(measure, known),
        )
    with_value = frame[measure_values(results, frame, measure).notna()]
    if with_value.empty:
        raise OptionError(f"no data set has a value of {measure} yet", todo="run more of the study")
    methods = list(dict.fromkeys(with_value["method"]))
    if method is not None and method not in methods:
        raise OptionError(f"no values of {measure} by the method {method!r}", allowed=enumerate_briefly(methods))
    own = with_value[with_value["method"] == (methods[0] if method is None else method)]
    if variant == "all":
        return own
    variants = list(dict.fromkeys(own["variant"]))
    if variant is None:
        true = true_prior(own)
        return own[true] if true.any() else own[own["variant"] == variants[0]]
    if variant not in variants:
        raise OptionError(f"there is no variant {variant!r}", allowed=enumerate_briefly([repr(v) for v in variants]))
    return own[own["variant"] == variant]


def true_prior(frame: pd.DataFrame) -> pd.Series:
    """Which rows were analysed with the prior variance that their loadings were drawn with, or without variants.

    Examples
    --------
    >>> import pandas as pd
    >>> true_prior(pd.DataFrame({"variant": ["0.01", "0.1", ""], "loading_variance": [0.01, 0.01, 0.01]})).tolist()
    [True, False, True]
    """
    import pandas as pd

    plain = frame["variant"] == ""
    if "loading_variance" not in frame:
        return plain
    applied = pd.to_numeric(frame["variant"], errors="coerce")
    return plain | ((applied - frame["loading_variance"].astype(float)).abs() < 1e-12)


def measure_columns(frame: pd.DataFrame, measure: str) -> list[str]:
    """Columns that a measure is made of; [] if there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame(columns=["ari", "k_bic_g", "rmse_loading[V2]", "rmse_loading[V8]", "rmse_loading[V7]"])
    >>> measure_columns(frame, "rmse_loading[item 2]"), measure_columns(frame, "correct[bic_g]")
    (['rmse_loading[V2]', 'rmse_loading[V7]'], ['k_bic_g'])
    """
    columns = list(frame.columns)
    if measure in columns:
        return [measure]
    if measure == "rmse_loading":
        return [c for c in columns if c.startswith("rmse_loading[")]
    if measure.startswith("rmse_loading[item "):
        place = int(measure.removeprefix("rmse_loading[item ").removesuffix("]"))
        names = [f"rmse_loading[V{first + place}]" for first in range(0, 20, 5)]
        return [c for c in names if c in columns]
    chosen = "k_" + measure.removeprefix("correct[").removesuffix("]")
    return [chosen] if measure.startswith("correct[") and chosen in columns else []


def measure_values(results: StudyLike, frame: pd.DataFrame, measure: str) -> pd.Series:
    """One value per row: a column, the mean of several, or whether a criterion chose the right number of clusters.

    A criterion that chooses no number, though others of the data set do, is not right.
    """
    columns = measure_columns(frame, measure)
    if measure in columns or not measure.startswith("correct["):
        return frame[columns].astype(float).mean(axis=1)
    truth = frame.get("n_clusters", results.study.population.n_clusters)
    tried = frame[[c for c in frame.columns if c.startswith("k_")]].notna().any(axis=1)
    return (frame[columns[0]].astype(float) == truth).astype(float).where(tried)


def require_factors(results: StudyLike, names: Names, option: str) -> tuple[str, ...]:
    """Names of factors of the study, as a tuple; () stays ()."""
    known = tuple(results.study.factors)
    chosen = as_names(names, option)
    for name in chosen:
        if name not in known:
            raise OptionError(
                f"{option}={name!r} is no factor of the study",
                allowed=enumerate_briefly(known),
                todo=did_you_mean(name, known),
            )
    return chosen


def summarise(values: pd.Series) -> dict[str, float]:
    """Mean, standard deviation, number of values and standard error of the mean; NaN where there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> summarise(pd.Series([1.0, 3.0, float("nan")]))
    {'mean': 2.0, 'sd': 1.4142135623730951, 'n': 2, 'se': 1.0}
    """
    kept = values.dropna()
    n = len(kept)
    sd = float(kept.std(ddof=1)) if n > 1 else math.nan
    return {"mean": float(kept.mean()) if n else math.nan, "sd": sd, "n": n, "se": sd / math.sqrt(max(n, 1))}


def factor_name(factor: str) -> str:
    """What a factor is called in a figure."""
    return FACTORS.get(factor, factor)


def level_name(level: object) -> str:
    """A level as text: 0.25, 48, fixed."""
    return f"{level:g}" if isinstance(level, float) else str(level)


def measure_name(measure: str) -> str:
    """What a measure is called in a figure.

    Examples
    --------
    >>> measure_name("ari"), measure_name("rmse[F4~F1]"), measure_name("correct[bic_g_observed]")
    ('ARI', 'RMSE of β1', 'Share correct, BIC_G (items)')
    """
    kind, _, rest = measure.partition("[")
    inside = rest.removesuffix("]")
    if kind in ("rmse", "bias"):
        return f"{'RMSE' if kind == 'rmse' else 'Bias'} of {BETAS.get(inside, inside)}"
    if kind == "rmse_loading":
        return f"RMSE of loadings, {inside}" if inside else "RMSE of loadings"
    if kind == "local_maximum":
        return f"Share of local maxima, {inside} starts" if inside else "Share of local maxima"
    if kind == "dic":
        return f"DIC of {inside}"
    if kind == "correct":
        return f"Share correct, {_criterion(inside)}"
    if kind.startswith("k_"):
        return f"Number of clusters, {_criterion(kind[2:])}"
    return MEASURES.get(measure, measure)


def measure_bounds(measure: str) -> tuple[float, float]:
    """Smallest and largest value that a measure can have, as far as they bound a figure.

    Examples
    --------
    >>> measure_bounds("cc"), measure_bounds("rmse[F4~F1]"), measure_bounds("bias[F4~F1]")
    ((0.0, 1.0), (0.0, inf), (-inf, inf))
    """
    kind = measure.partition("[")[0]
    if kind in ("cc", "uncertainty", "one_cluster", "correct", "local_maximum", "too_few", "one", "undecided"):
        return 0.0, 1.0
    if kind.startswith("rmse"):
        return 0.0, math.inf
    return -math.inf, 1.0 if kind == "ari" else math.inf


def _criterion(name: str) -> str:
    return CRITERIA.get(name.removesuffix("_observed"), name) + " (items)" * name.endswith("_observed")
