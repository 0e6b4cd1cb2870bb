"""Which factors the figures of a study cross: as the papers do, or fewer where only a part of the cells was run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .study import Study

__all__ = ["Layout", "interaction_layout", "page_measures"]

#: Share of the combinations in a figure that must occur in the chosen cells.
FILLED = 0.9


@dataclass(frozen=True)
class Layout:
    """Factors of `plots.study_interactions`.

    Attributes
    ----------
    x
        Factor on the horizontal axis; None leaves it to the figure.
    line
        Factors whose combinations have a line each; None leaves it to the figure.
    panel, row
        Factors whose combinations have a column and a row of panels each.
    """

    x: str | None = None
    line: tuple[str, ...] | None = None
    panel: tuple[str, ...] = ()
    row: tuple[str, ...] = ()

    @property
    def factors(self) -> tuple[str, ...]:
        """All of them."""
        return (*((self.x,) if self.x else ()), *(self.line or ()), *self.panel, *self.row)


# Figures 3 and 4 of the MixML-SEM paper, then with less and less in them.
_MIXED_SIZES = (
    Layout("small_proportion", ("group_size", "small_size"), ("beta", "n_clusters"), ("sample",)),
    Layout("small_proportion", ("group_size", "small_size"), ("beta",), ("sample",)),
    Layout("small_proportion", ("beta",), ("n_clusters",), ("sample",)),
    Layout("small_proportion", ("beta",), ("sample",)),
)
_ONE_SIZE = (
    Layout("group_size", ("beta",), ("n_clusters",), ("reliability",)),
    Layout("group_size", ("beta",), ("n_clusters",)),
)
# Figure 6 of the MixMG-BSEM paper: cross-loadings matter to the regressions.
_CROSS_LOADINGS = (
    Layout("group_size", ("cross_loading",), ("n_clusters", "beta"), ("reliability",)),
    Layout("group_size", ("cross_loading",), ("n_clusters",), ("reliability",)),
    Layout("group_size", ("cross_loading",), ("reliability",)),
)
#: By study, and in it by the kind of the measure ("" is any other).
LAYOUTS: Mapping[str, Mapping[str, tuple[Layout, ...]]] = {
    "mixml-1": {"": _MIXED_SIZES},
    "mixml-2": {"": _MIXED_SIZES},
    "mixmg-bsem": {"": _ONE_SIZE, "rmse": _CROSS_LOADINGS, "bias": _CROSS_LOADINGS},
    "mixmg-sem": {"": _ONE_SIZE},
}
#: Measures whose interactions the page of a study shows, if it has them.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "mixml-2": ("correct[bic_g_observed]", "correct[aic_observed]", "correct[chull_observed]"),
    "": ("ari", "rmse[F4~F1]"),
}


def interaction_layout(study: Study, measure: str) -> Layout:
    """Choose what `plots.study_interactions` crosses for a measure of a study.

    The papers' crossing of up to six factors has more combinations than a fraction of the cells; then the first with
    fewer factors is taken of whose combinations nine in ten are run.

    Parameters
    ----------
    study
        The study.
    measure
        What will be drawn.

    Returns
    -------
    Layout

    Examples
    --------
    >>> from mixsem.studies.toml import read_study
    >>> interaction_layout(read_study("mixmg-bsem"), "ari").factors
    ('group_size', 'beta', 'n_clusters', 'reliability')
    """
    known = LAYOUTS.get(study.name, {})
    candidates = [
        layout for layout in known.get(measure.partition("[")[0], known.get("", ())) if _has(study, layout.factors)
    ]
    for layout in candidates:
        if _filled(study, layout.factors) >= FILLED:
            return layout
    return candidates[-1] if candidates else Layout()


def page_measures(study: Study) -> Iterator[str]:
    """Measures whose interactions the page of a study shows."""
    yield from MEASURES.get(study.name, MEASURES[""])


def _has(study: Study, factors: tuple[str, ...]) -> bool:
    return all(f in study.factors for f in factors)


def _filled(study: Study, factors: tuple[str, ...]) -> float:
    """Share of the combinations of some factors' levels that occur in the chosen cells."""
    possible = 1
    for f in factors:
        possible *= len(study.factors[f])
    seen = {tuple(study.all_cells[c][f] for f in factors) for c in study.chosen_cells}
    return len(seen) / possible
