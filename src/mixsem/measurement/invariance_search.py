"""Search for items whose loadings or intercepts differ between groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..display import Displayed
from ..equations.fit import SEMFit
from ..equations.specification import SEM
from ..errors import Notice, OptionError, notify
from ..options import Names, as_names, require_progress
from .invariance import InvarianceTest
from .invariance_cells import flagged_cells
from .invariance_levels import fit_model
from .invariance_rules import SearchRules, factor_items, items_to_keep, require_default_scale, search_rules
from .invariance_text import with_markers

if TYPE_CHECKING:
    import pandas as pd

    from ..report.table import Table

__all__ = ["NonInvariance", "SearchStep", "find_noninvariance"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SearchStep:
    """A parameter freed over all groups, and the fit afterwards.

    Attributes
    ----------
    kind
        ``"loadings"`` or ``"intercepts"``: what is tested at this step. Each kind has a start, with nothing freed yet.
    parameter
        What was freed, such as ``"F =~ x3"``; empty at the start of a kind.
    flagged, share
        In how many groups it was flagged before it was freed, and their share.
    deviation
        Mean over all groups of the absolute standardized changes of its flagged cells, by which it was chosen.
    largest
        The group with the largest flagged change, and that change.
    chisq, df, cfi, rmsea, srmr, aic, bic
        Fit after the step, not corrected for non-normality.
    """

    kind: str
    parameter: str
    flagged: int
    share: float
    deviation: float
    largest: tuple[object, float] | None
    chisq: float
    df: int
    cfi: float
    rmsea: float
    srmr: float
    aic: float
    bic: float


@dataclass(frozen=True, eq=False, repr=False)
class NonInvariance(Displayed):
    """Items whose loadings or intercepts differ between groups, and the path of freeing them.

    Attributes
    ----------
    rules
        What a cell must be to be flagged, and how many items stay invariant.
    partial
        What was freed, as ``partial=`` of `invariance_test`, `MGCFA` and `mmgsem` and ``group_partial=`` of `cfa` take
        it, together with `measurement`.
    measurement
        The model text to use with `partial`: with a new marker (``NA*``, ``1*``) for a factor whose marker was freed.
    markers
        New marker by factor, where one was needed.
    steps
        The start, then one step per freed parameter.
    first, last
        All cells before anything was freed and at the end: group, factor, item, parameter, kind, epc, deviation
        (standardized), statistic, p_value, p_adjusted, flagged.
    stopped
        Parameters still flagged at the end that could not be freed, because too few items would stay invariant.
    fit
        The last model.
    notices
        Trouble of the last model, by group and item.
    """

    rules: SearchRules
    partial: tuple[str, ...]
    measurement: str
    markers: dict[str, str]
    steps: tuple[SearchStep, ...]
    first: pd.DataFrame
    last: pd.DataFrame
    stopped: tuple[str, ...]
    fit: SEMFit
    notices: tuple[Notice, ...]

    @property
    def table(self) -> Table:
        """One row per step, ready to print."""
        from ..report.invariance_tables import search_table

        return search_table(self)

    def to_pandas(self) -> pd.DataFrame:
        """One row per step, unrounded."""
        return self.table.to_pandas()


def find_noninvariance(
    fit: SEMFit | InvarianceTest,
    *,
    kinds: Names = ("loadings",),
    correction: str = "BH",
    alpha: float = 0.05,
    threshold: float = 0.10,
    min_share: float = 0.0,
    keep: int | None = None,
    max_steps: int | None = None,
    progress: Progress | None = None,
) -> NonInvariance:
    """Find items whose loadings (and intercepts) differ between groups, and free one after the other.

    A cell is one parameter in one group. It is flagged if its score test, adjusted for the number of all cells, is
    significant, and it is expected to change by more than `threshold` standard deviations, so that in large samples
    not everything is flagged. The parameter with the largest deviations is freed in all groups, the model fitted again,
    and so on until nothing is flagged. A deviant item distorts the scale of its factor and makes others look deviant;
    this is why only one is freed at a time.

    All loadings are tested, marker items too: the factors are scaled by unit variance in the first group. Intercepts
    are tested where loadings are equal; the intercept of an item with a freed loading is freed with it.

    Parameters
    ----------
    fit
        An `InvarianceTest`, or a fit of a measurement model (`cfa`) to several groups. Its estimator, its data and what
        it exempts are kept. With a robust estimator the scores' variance is estimated robustly.
    kinds
        ``"loadings"``, ``"intercepts"`` (which are tested after the loadings), or both.
    correction
        ``"BH"`` (Benjamini & Hochberg, default), ``"holm"`` or ``"none"``, over all groups and parameters of a kind.
    alpha
        Level of the adjusted tests.
    threshold
        Least standardized change that matters: of a loading in standard deviations of the item per one of the factor,
        of an intercept in standard deviations of the item.
    min_share
        Share of the groups that must be flagged before a parameter is freed; 0: any group.
    keep
        Invariant items per factor, at least 2; by default half of them, and no fewer than two.
    max_steps
        Stop after so many freed parameters.
    progress
        Called as ``progress("search", steps done, steps at most)``.

    Returns
    -------
    NonInvariance
        ``.partial`` and ``.measurement`` go into the next model.

    Raises
    ------
    OptionError
        If an option is not what is allowed.
    ModelError
        If the model fixes or frees loadings to set a scale of its own.

    Examples
    --------
    >>> import mixsem as mx
    >>> data = mx.data.holzinger_swineford_1939()
    >>> model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
    >>> found = mx.find_noninvariance(mx.invariance_test(model, data, "school"), kinds=("loadings", "intercepts"))
    >>> found.partial
    ('x3 ~ 1', 'x7 ~ 1')

    References
    ----------
    Byrne, Shavelson & Muthén (1989). Psychological Bulletin 105, 456-466.
    Saris, Satorra & van der Veld (2009), Testing structural equation models or detection of misspecifications?
    Structural Equation Modeling 16, 561-582.
    """
    require_progress(progress)
    rules = search_rules(kinds, correction, alpha, threshold, min_share, keep, max_steps)
    source = _single_fit(fit)
    base = replace(source.specification, std_lv=True)
    require_default_scale(base, source.data)
    items = factor_items(source)
    most = sum(len(x) - items_to_keep(len(x), rules.keep) for x in items.values()) * len(rules.kinds)
    path = _Path(base, source, rules, items, progress, most if rules.max_steps is None else rules.max_steps)
    for kind in rules.kinds:
        path.run(kind)
    text, markers = with_markers(base.model, path.freed_loadings)
    notices = path.fit.notices
    notify(notices)
    return NonInvariance(
        rules,
        path.partial,
        text,
        markers,
        tuple(path.steps),
        path.frames(path.first),
        path.frames(path.last),
        tuple(path.stopped),
        path.fit,
        notices,
    )


class _Path:
    """The path of a search: it grows step by step."""

    def __init__(
        self,
        base: SEM,
        source: SEMFit,
        rules: SearchRules,
        items: dict[str, tuple[str, ...]],
        progress: Progress | None,
        most: int,
    ) -> None:
        self.base, self.data, self.rules, self.items = base, source.data, rules, items
        self.progress, self.most = progress, most
        self.partial: tuple[str, ...] = as_names(base.group_partial)
        self.steps: list[SearchStep] = []
        self.first: dict[str, pd.DataFrame] = {}
        self.last: dict[str, pd.DataFrame] = {}
        self.stopped: list[str] = []
        self.fit: SEMFit = source

    def run(self, kind: str) -> None:
        """Search among the parameters of one kind until nothing is flagged that may be freed."""
        equal = ("loadings",) if kind == "loadings" else ("loadings", "intercepts")
        if kind == "intercepts":
            self._free(*(f"{item} ~ 1" for _, item in self.freed_loadings))
        self._refit(kind, equal, None)
        while True:
            cells = flagged_cells(self.fit, kind, self.rules)
            self.first.setdefault(kind, cells)
            self.last[kind] = cells
            worst, blocked = self._worst(cells, kind)
            if worst is None or len(self.steps) - len(self.first) >= self.most:
                self.stopped += blocked if worst is None else [worst, *blocked]
                return
            own = cells[cells["parameter"] == worst]
            self._free(worst)
            self._refit(kind, equal, own)

    @property
    def freed_loadings(self) -> list[tuple[str, str]]:
        """Pairs of factor and item whose loadings are free."""
        freed = {"".join(name.split()) for name in self.partial}
        return [(f, item) for f, items in self.items.items() for item in items if f"{f}=~{item}" in freed]

    def frames(self, by_kind: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Frames of all kinds as one."""
        import pandas as pd

        return pd.concat(by_kind.values(), ignore_index=True)

    def _free(self, *parameters: str) -> None:
        known = {"".join(name.split()) for name in self.partial}
        self.partial += tuple(p for p in dict.fromkeys(parameters) if "".join(p.split()) not in known)

    def _refit(self, kind: str, equal: tuple[str, ...], freed: pd.DataFrame | None) -> None:
        """Fit with what is free now, and write the step down."""
        self.fit = fit_model(replace(self.base, group_equal=equal, group_partial=self.partial), self.data)
        self.steps.append(_step(kind, freed, self.fit))
        if self.progress is not None:
            self.progress("search", min(len(self.steps), self.most), max(self.most, 1))

    def _worst(self, cells: pd.DataFrame, kind: str) -> tuple[str | None, list[str]]:
        """The parameter with the largest deviations that may be freed, and those that may not."""
        freed = {"".join(name.split()) for name in self.partial}
        found: list[tuple[float, str]] = []
        blocked = []
        for parameter, rows in cells[cells["flagged"]].groupby("parameter", sort=False):
            name = str(parameter)
            G = len(self.fit.groups)
            if len(rows) / G < self.rules.min_share:
                continue
            homes = [f for f, items in self.items.items() if rows["item"].iloc[0] in items]
            homes = [rows["factor"].iloc[0]] if kind == "loadings" else homes
            if all(self._may_lose(f, kind, freed) for f in homes):
                found.append((float(rows["deviation"].abs().sum()) / G, name))
            else:
                blocked.append(name)
        return (max(found)[1] if found else None), blocked

    def _may_lose(self, factor: str, kind: str, freed: set[str]) -> bool:
        """Whether one more item of a factor may be freed."""
        items = self.items[factor]
        name = "{f}=~{x}" if kind == "loadings" else "{x}~1"
        kept = sum(name.format(f=factor, x=x) not in freed for x in items)
        return kept > items_to_keep(len(items), self.rules.keep)


def _step(kind: str, freed: pd.DataFrame | None, fit: SEMFit) -> SearchStep:
    m = fit.measures
    fit_now = (m.chisq, m.df, m.cfi, m.rmsea, m.srmr, m.aic, m.bic)
    if freed is None:
        return SearchStep(kind, "", 0, 0.0, 0.0, None, *fit_now)
    flagged = freed[freed["flagged"]]
    at = int(np.argmax(flagged["deviation"].abs().to_numpy()))
    return SearchStep(
        kind,
        str(freed["parameter"].iloc[0]),
        len(flagged),
        len(flagged) / len(freed),
        float(flagged["deviation"].abs().sum()) / len(freed),
        (flagged["group"].iloc[at], float(flagged["deviation"].iloc[at])),
        *fit_now,
    )


def _single_fit(fit: object) -> SEMFit:
    """The fit to begin with: of a test, the metric level if there is one, else its first."""
    if isinstance(fit, InvarianceTest):
        if len(fit.blocks) > 1:
            raise OptionError(
                f"find_noninvariance() got a test of {len(fit.blocks)} measurement blocks",
                allowed="one block",
                todo=f"search in one after the other, such as fit.fit('{fit.levels[0].level}', '{fit.blocks[0]}')",
            )
        exempt = fit.partial
        found = fit.levels[0].fit
        return replace(found, specification=replace(found.specification, group_partial=exempt))
    if isinstance(fit, SEMFit) and len(fit.groups) > 1:
        return fit
    raise OptionError(
        f"find_noninvariance() got {'a fit of one group' if isinstance(fit, SEMFit) else type(fit).__name__}",
        allowed="what invariance_test() or, for several groups, cfa() returned",
        todo="give what mixsem.invariance_test(model, data, group) returned",
    )
