"""A mixed model beside what could have been done instead, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...data.columns import FrameLike
from ...errors import DataError, OptionError
from ..derived.frame_table import FrameTable
from ..estimates import MixedEstimates
from ..fit import MixedFit
from ..inference.ddf import inference_of, t_table
from ..penalties.penalised import is_penalised
from .estimating import Errors, solve
from .fixed_effects import dropped_notes, fit_within
from .marginal_family import family_of
from .marginalised import marginalised
from .remarks import error_remarks, estimand_remark, estimate_remarks, weighing_remarks, working_remarks
from .robust import FEW_CLUSTERS, coefficient_frame, fit_robust, lone_notes
from .source import ClusteredRegression, clustered_regression

if TYPE_CHECKING:
    import pandas as pd

    from ...report.table import Table

__all__ = ["Alternatives", "alternatives"]

Array = NDArray[np.float64]
COLUMNS = ("estimate", "se", "df", "p_value")


@dataclass(frozen=True, eq=False)
class Method:
    """One method of the table: what it is called, what it conditions on, and its coefficients."""

    name: str
    conditions: str
    frame: pd.DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class Alternatives(FrameTable):
    """Coefficients of a mixed model and of its alternatives.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has a row per coefficient and method: name, method, estimate, se, df, p_value,
        conditions_on; methods that have no coefficient of a name have no row.
    methods
        The methods in order.
    cluster
        Name of the clustering variable.
    n_clusters
        Number of clusters.
    """

    methods: tuple[str, ...]
    cluster: str
    n_clusters: int

    @property
    def table(self) -> Table:
        """As a table to print: methods beside one another."""
        from ...report.table import Column, Table
        from ..derived.frame_table import HEADINGS

        keys = [(method, column) for method in self.methods for column in COLUMNS]
        columns = [Column("name", "Coefficient")] + [
            Column(f"{method}_{column}", HEADINGS[column][0], HEADINGS[column][1], group=method)
            for method, column in keys
        ]
        known = self.frame.set_index(["name", "method"]).to_dict("index")
        records = [
            {"name": name} | {f"{m}_{c}": known[name, m][c] for m, c in keys if (name, m) in known}
            for name in dict.fromkeys(self.frame["name"])
        ]
        return Table.from_records(self.title, columns, records, self.notes)


def alternatives(fit: MixedEstimates, data: FrameLike | None = None, *, cluster: str | None = None) -> Alternatives:
    """Set a mixed model beside its alternatives.

    Of a linear mixed model: least squares with cluster-robust standard errors, the within estimator (fixed effects) and
    generalised estimating equations. Of a generalised one, whose coefficients mean something else than those of
    averages: its coefficients given the random effects, the same averaged over them, and estimating equations.

    Parameters
    ----------
    fit
        A fit of `lmer` or `glmer`.
    data
        The table of the fit, if `cluster` is a column that the fit did not use.
    cluster
        The clustering variable of the alternatives, which know one only. By default the only grouping factor, or the
        one in which all others are nested; crossed factors have none.

    Returns
    -------
    Alternatives
        Prints as one table, with what to know of it below; ``.frame`` has a row per coefficient and method.

    Raises
    ------
    OptionError
        If it is no fit; with crossed factors, if `cluster` is not named.

    See Also
    --------
    cluster_robust, within, gee, within_between

    Notes
    -----
    McNeish & Kelley (2019), Psychological Methods 24, 20-35, doi 10.1037/met0000182, compare fixed effects, mixed
    models and cluster-robust errors.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.linear import lmer
    >>> found = alternatives(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy()))
    >>> found.frame.query("name == 'Days'")[["method", "estimate", "se"]].round(3)
                   method  estimate     se
    3         Mixed model    10.467  0.804
    4  Least squares, CR2    10.467  1.546
    5         Within, CR2    10.467  1.546
    6   GEE, exchangeable    10.467  1.591
    """
    import pandas as pd

    if not isinstance(fit, MixedEstimates):
        raise OptionError(f"alternatives() got {type(fit).__name__}", allowed="a fit of lmer() or glmer()")
    source = clustered_regression(fit, data, cluster)
    methods, notes = _linear(fit, source) if isinstance(fit, MixedFit) else _generalised(fit, source)
    parts = [
        method.frame[["name", *COLUMNS]].assign(method=method.name, conditions_on=method.conditions)
        for method in methods
    ]
    frame = pd.concat(parts, ignore_index=True)
    order = {name: i for i, name in enumerate(source.names)}
    frame = frame.sort_values("name", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    frame = frame[["name", "method", *COLUMNS, "conditions_on"]]
    conditions = tuple(f"{method.name} conditions {method.conditions}." for method in methods)
    return Alternatives(
        f"Alternatives, clusters: {source.cluster.name}",
        frame,
        (*conditions, *notes, *source.notes),
        tuple(method.name for method in methods),
        source.cluster.name,
        source.n_clusters,
    )


def _linear(fit: MixedFit, source: ClusteredRegression) -> tuple[list[Method], list[str]]:
    """Methods beside a linear mixed model."""
    name = source.cluster.name
    factors = " and ".join(factor.name for factor in fit.design.factors)
    known = inference_of(fit)
    own = t_table(known, np.eye(fit.model.p))
    own.insert(0, "name", list(source.names))
    robust = fit_robust(source, "CR2", "weights")
    mixed = "Mixed model, penalised" if is_penalised(fit) else "Mixed model"
    methods = [
        Method(mixed, f"on the random effects of {factors}, taken as independent of the predictors", own),
        Method(
            "Least squares, CR2",
            f"on nothing: averages over {name}",
            coefficient_frame(source.names, robust.beta, robust.vcov, robust.df)[0],
        ),
    ]
    notes = [f"{mixed}: {known.note[:1].lower()}{known.note[1:]}", _few(source, linear=True)]
    notes += lone_notes(source.names, robust.lone, robust.alone, name)
    frame = None
    try:
        inside = fit_within(source, "CR2")
    except DataError as error:
        notes.append(f"Within: left out, {error.args[0].splitlines()[0]}.")
    else:
        frame, _ = coefficient_frame(inside.names, inside.solution.beta, inside.vcov, inside.df)
        methods.append(Method("Within, CR2", f"on {name} itself, by an effect of its own for each", frame))
        notes += [*dropped_notes(inside.dropped), *estimate_remarks(own, frame, name)]
    notes += weighing_remarks(source, own, methods[1].frame, frame)
    methods.append(_estimating(fit, source, "exchangeable"))
    remarks = error_remarks(fit, source, own, methods[1].frame)
    return methods, [*notes, _marginal(name), *remarks]


def _generalised(fit: MixedEstimates, source: ClusteredRegression) -> tuple[list[Method], list[str]]:
    """Conditional and marginal coefficients of a generalised mixed model."""
    name = source.cluster.name
    factors = " and ".join(factor.name for factor in fit.design.factors)
    infinite = np.full(len(source.names), np.inf)
    averaged, link = marginalised(fit), family_of(fit, None, None).link
    methods = [
        Method(
            "Mixed model",
            f"on the random effects of {factors}: a change of the predictor at the same random effects",
            coefficient_frame(source.names, fit.beta, np.asarray(fit.vcov), infinite)[0],
        ),
        Method(
            "Mixed model, averaged",
            f"on nothing: the mean over the distribution of the random effects of {factors}",
            coefficient_frame(source.names, averaged.beta, averaged.vcov, infinite)[0],
        ),
        _estimating(fit, source, "exchangeable"),
        _estimating(fit, source, "independence"),
    ]
    notes = [
        estimand_remark(methods[0].frame, methods[1].frame, link, factors),
        "Averaged: the mean of the response is integrated over the random effects by quadrature, its linear predictor"
        " regressed on the predictors (Hedeker et al. 2018); the SEs take the variances as known. Agreement with GEE"
        " speaks for the distribution of the random effects.",
        _few(source, linear=False),
        _marginal(name),
        *working_remarks(methods[2].frame, methods[3].frame),
    ]
    return methods, notes


def _estimating(fit: MixedEstimates, source: ClusteredRegression, working: str) -> Method:
    family = family_of(fit, None, None)
    found = solve(source, family, working, None, _errors(source))  # type: ignore[arg-type]
    frame, _ = coefficient_frame(source.names, found.beta, found.vcov, np.full(len(source.names), np.inf))
    words = f"on nothing: averages over {source.cluster.name}"
    if working != "independence":
        words += f"; working correlation {found.correlation:.3f}"
    return Method(f"GEE, {working}", words, frame)


def _errors(source: ClusteredRegression) -> Errors:
    return "bias-reduced" if source.n_clusters < FEW_CLUSTERS else "robust"


def _few(source: ClusteredRegression, *, linear: bool) -> str:
    count, name = source.n_clusters, source.cluster.name
    cr2 = "Least squares and within have CR2 errors with Satterthwaite's degrees of freedom" if linear else ""
    if count >= FEW_CLUSTERS:
        return (
            f"{count:,} clusters of {name}. {cr2}{', ' if linear else ''}GEE has robust errors without correction,"
            " and z."
        )
    return (
        f"{count} clusters of {name}, few for robust errors (fewer than {FEW_CLUSTERS}): "
        + (f"{cr2}, which are made for that; " if linear else "")
        + "GEE has bias-reduced errors (Mancl & DeRouen), with z a rough guide."
    )


def _marginal(name: str) -> str:
    return (
        "GEE gives marginal effects, for one clustering variable: no random effects, and no variances between levels"
        f" of {name}."
    )
