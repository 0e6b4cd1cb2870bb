"""How well models predict rows that they have not seen: of new clusters, or of known ones."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...data.columns import FrameLike
from ...errors import OptionError
from ...options import require_seed, require_whole
from ...workers import processes
from ..derived.frame_table import FrameTable
from ..fit import MixedFit
from ..structure.residual_structure import require_plain
from .comparable import describe, labels_of, require_linear, require_same_data
from .folds import Split, choose_split, held_out

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrossValidation", "cross_validate"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(FrameTable):
    """Predictive scores of models.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has model, log_score (log predictive density divided by the number of rows, larger is
        better), se, rmse, rmse_se, and for several models difference (of log_score, from the best) with its
        difference_se.
    scores
        A row per cluster, or row, that was held out: unit (its position), fold, n_rows, and for each model the log
        score and the sum of squared errors of prediction.
    """

    scores: pd.DataFrame


def cross_validate(
    *models: MixedFit | str,
    data: FrameLike | None = None,
    names: Sequence[str] = (),
    by: str = "cluster",
    folds: int = 10,
    seed: int | None = 0,
    workers: int = 1,
) -> CrossValidation:
    """Fit without a fold, predict it, and score the predictions.

    Parameters
    ----------
    *models
        Fits of the same rows and response, or formulas for `lmer`.
    data
        The table, for formulas.
    names
        Their names, ``"model 1"`` and so on by default.
    by
        ``"cluster"``: whole clusters are held out, so that new clusters are predicted, from fixed effects and implied
        variances alone. With nested factors the outermost; with crossed ones say which, by its name. ``"row"``: rows
        are held out, so that the random effects of their clusters are known from other rows.
    folds
        Number of folds; that of the clusters leaves out one at a time.
    seed
        Makes the division repeatable; all models have the same one.
    workers
        Processes that share the work. Scripts that use more than one need the guard ``if __name__ == "__main__":``.

    Returns
    -------
    CrossValidation
        Prints as a table.

    Raises
    ------
    OptionError
        If an argument is none of what is allowed.
    DataError
        If the fits are not of the same data, or fixed effects are not determined without a fold.
    UnsupportedModelError
        For generalised models, and fits with a structure of the residuals.

    Notes
    -----
    The predictive distribution is normal, with the uncertainty of fixed effects, random effects and residual; theta and
    sigma are those of the other folds. A cluster is scored by the joint density of its rows, so that correlations
    count, a row by its own; errors are those of the predicted means. Log scores by clusters and by rows answer
    different questions and are not compared with each other. Standard errors are over clusters, or rows, as if their
    scores were independent; they are somewhat too small, as folds share data. With crossed factors each cluster takes
    a pass over the data.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.sleepstudy()
    >>> intercepts = mx.lmer("Reaction ~ Days + (1 | Subject)", data)
    >>> slopes = mx.lmer("Reaction ~ Days + (Days | Subject)", data)
    >>> cross_validate(intercepts, slopes, by="row", seed=1).frame[["model", "log_score", "rmse"]].round(1)
         model  log_score  rmse
    0  model 1       -4.9  32.5
    1  model 2       -4.8  29.1

    References
    ----------
    Roberts et al. (2017), Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
    structure, Ecography 40, 913-929. Merkle, Furr & Rabe-Hesketh (2019), Psychometrika 84, 802-829.
    """
    fits = _fits(models, data)
    labels = labels_of(fits, names, least=1)
    require_whole("folds", folds, 2)
    require_whole("workers", workers, 1)
    require_seed(seed)
    require_same_data(fits, labels)
    split = choose_split(fits[0].design, by, folds, seed)
    scores = _scores(fits, labels, split, workers)
    frame = _table(scores, labels)
    return CrossValidation("Cross-validation", frame, _notes(fits, labels, split), scores)


def _fits(models: Sequence[MixedFit | str], data: FrameLike | None) -> list[MixedFit]:
    from ..linear import lmer

    if any(isinstance(model, str) for model in models) != (data is not None):
        raise OptionError(
            "formulas without data=" if data is None else "data= with fits, which have their own",
            allowed="fits, or formulas with data=",
        )
    fits: list[MixedFit] = []
    for model in models:
        fit = lmer(model, data) if isinstance(model, str) and data is not None else model
        require_linear(fit, "cross_validate", "predictive densities are computed for normal responses only")
        require_plain(fit, "cross-validation")  # type: ignore[arg-type]
        fits.append(fit)  # type: ignore[arg-type]
    return fits


def _scores(fits: Sequence[MixedFit], labels: Sequence[str], split: Split, workers: int) -> pd.DataFrame:
    """Log score and squared error of each unit, for each model."""
    import pandas as pd

    work = [(m, fold) for m in range(len(fits)) for fold in range(split.n_folds)]
    if workers == 1:
        found = [held_out(fits[m], split, fold) for m, fold in work]
    else:
        packed = [pickle.dumps(fit) for fit in fits]
        with processes(workers) as pool:
            futures = [pool.submit(_held_out, packed[m], split, fold) for m, fold in work]
            found = [future.result() for future in futures]
    rows = np.bincount(split.unit)
    fold_of = np.empty(len(rows), dtype=np.int64)
    fold_of[split.unit] = split.fold
    scores = pd.DataFrame({"unit": np.arange(len(rows)), "fold": fold_of, "n_rows": rows})
    for label in labels:
        scores[[f"log_score {label}", f"squares {label}"]] = np.nan
    for (m, _), (units, logs, squares) in zip(work, found, strict=True):
        scores.loc[units, f"log_score {labels[m]}"] = logs
        scores.loc[units, f"squares {labels[m]}"] = squares
    return scores


def _held_out(packed: bytes, split: Split, fold: int) -> tuple[NDArray[np.int64], Array, Array]:
    return held_out(pickle.loads(packed), split, fold)


def _table(scores: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    logs = {label: scores[f"log_score {label}"].to_numpy() for label in labels}
    best = max(labels, key=lambda label: logs[label].sum())
    rows, records = scores["n_rows"].to_numpy(), []
    for label in labels:
        mean, se = _mean_and_se(logs[label], rows)
        square, square_se = _mean_and_se(scores[f"squares {label}"].to_numpy(), rows)
        rmse = float(np.sqrt(square))
        record = {"model": label, "log_score": mean, "se": se, "rmse": rmse, "rmse_se": square_se / (2.0 * rmse)}
        if len(labels) > 1:
            difference, difference_se = _mean_and_se(logs[label] - logs[best], rows)
            record |= {"difference": difference, "difference_se": difference_se if label != best else np.nan}
        records.append(record)
    return pd.DataFrame(records)


def _mean_and_se(sums: Array, rows: NDArray[np.int64]) -> tuple[float, float]:
    """Mean per row of what is summed over units, and its standard error, units being independent."""
    n, g = rows.sum(), len(rows)
    mean = float(sums.sum() / n)
    return mean, float(np.sqrt(g / (g - 1) * ((sums - mean * rows) ** 2).sum()) / n)


def _notes(fits: Sequence[MixedFit], labels: Sequence[str], split: Split) -> tuple[str, ...]:
    n, several = f"{int(split.unit.max()) + 1:,}", len(fits) > 1
    if split.factor is None:
        question = "new rows of known clusters: random effects are those of the other rows of a cluster"
        units, how, over = f"{n} rows", "", "rows"
    else:
        question = (
            f"rows of new levels of {split.factor}: their random effects are unknown, and count by their variance"
        )
        units, how, over = f"{n} levels of {split.factor}", ", of joint densities", "clusters"
    return (
        f"Predicted are {question}.",
        f"{units} in {split.n_folds} folds. Log scores are per row{how}; larger is better. Standard errors are over"
        f" {over}.",
        *(["Differences of log scores are from the model with the highest: a negative one predicts worse."] * several),
        *(f"{label}: {describe(fit)}" for label, fit in zip(labels, fits, strict=True)),
    )
