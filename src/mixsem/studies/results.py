"""Results of a study: a frame with one row per analysis of a data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from .store import KEY, read_rows
from .study import Study
from .toml import read_study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudyResults", "read_results"]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Results of a study.

    Attributes
    ----------
    study
        The study.
    frame
        One row per cell, replication, method and variant, sorted by these: the levels of the factors, ``seed``,
        ``status`` (``"done"`` or ``"failed"``), ``error``, ``notices`` (names of warnings), seconds, and measures.
    folder
        Where they are.
    """

    study: Study
    frame: pd.DataFrame
    folder: Path

    @classmethod
    def of(cls, study: Study, frame: pd.DataFrame, folder: Path) -> StudyResults:
        """Keep the rows of a folder that belong to a study, which may have fewer cells than the folder."""
        names = [m.name for m in study.methods]
        own = frame["cell"].isin(study.chosen_cells) & frame["method"].isin(names)
        own &= frame["replication"].astype("int64") <= study.replications
        return cls(study, frame[own].sort_values(list(KEY)).reset_index(drop=True), folder)

    @property
    def failed(self) -> pd.DataFrame:
        """Rows of analyses that failed, with their errors."""
        return self.frame[self.frame["status"] == "failed"]

    @property
    def n_done(self) -> int:
        """Data sets that every method has analysed, or failed at."""
        counts = Counter(zip(self.frame["cell"], self.frame["replication"], strict=True))
        wanted = sum(len(m.variants) for m in self.study.methods)
        return sum(n >= wanted for n in counts.values())

    def __repr__(self) -> str:
        """How much there is."""
        failed = f", {len(self.failed)} analyses failed" if len(self.failed) else ""
        return f"StudyResults: {self.study.name}, {self.n_done:,} of {self.study.n_data_sets:,} data sets{failed}"


def read_results(folder: str | Path) -> StudyResults:
    """Read the results of a study that was, or is being, run.

    Parameters
    ----------
    folder
        Folder of `run_study`.

    Raises
    ------
    OutputError
        If the folder has no study.
    """
    path = Path(folder)
    if not (path / "study.toml").is_file():
        raise OutputError(f"{path} has no study.toml", allowed="the folder of a study", todo="check the path")
    return StudyResults.of(read_study(path / "study.toml"), read_rows(path / "results"), path)
