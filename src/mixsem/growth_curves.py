"""A mixed model of people over time beside the growth curve that is the same model: two programs, one answer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from .errors import DataError, MissingDataWarning, ModelError, OptionError
from .mixed.derived.frame_table import HEADINGS, FrameTable
from .mixed.growth.curve import GrowthModel, read_growth
from .mixed.growth.notes import (
    few_occasions_note,
    fit_note,
    likelihood_note,
    method_note,
    people_notes,
    residual_note,
)
from .mixed.growth.parameters import known_parameters, person_coefficients
from .mixed.growth.side_by_side import COUNTS, improper, side_by_side
from .mixed.growth.syntax import ResidualChoice, model_text, residual_of
from .mixed.require import require_fit

if TYPE_CHECKING:
    import pandas as pd

    from .equations.fit import SEMFit
    from .mixed.fit import MixedFit
    from .mixed.structure.residual_structure import Residual
    from .report.table import Table

__all__ = ["GrowthCurve", "growth_curve"]

#: Two -2 log-likelihoods this close, or closer relative to their size, are the same: both searches stop earlier.
EQUAL, EQUAL_RELATIVE = 1e-6, 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class GrowthCurve(FrameTable):
    """A mixed model and the same model as a growth curve, side by side.

    Attributes
    ----------
    title, frame, notes
        The table. `frame` has ``part`` (``"fixed"``, ``"random"``, ``"residual"``, ``"fit"``), ``parameter`` (its name
        in the mixed model), ``sem_parameter`` (in the model text), ``mixed`` and ``sem`` (estimates; ``frame["sem"]``,
        as ``frame.sem`` is a method of pandas), ``difference``, and of fixed effects ``mixed_se`` and ``sem_se``.
    fit
        The mixed model, by maximum likelihood.
    sem
        The growth curve.
    syntax
        Its model text, which lavaan's ``growth()`` takes too.
    wide
        Its table: a row per person, the response at each occasion, and the covariates.
    scores
        Per person and growth factor: ``coefficient`` of the mixed model (fixed and random effects, those of the
        person's covariates too), ``score`` (regression factor score of the SEM), ``difference``.
    equal
        Whether the log-likelihoods are equal.
    """

    fit: MixedFit
    sem: SEMFit
    syntax: str
    wide: pd.DataFrame
    scores: pd.DataFrame
    equal: bool

    @property
    def table(self) -> Table:
        """As a table to print, each line with as many decimals as it needs."""
        from .report.table import Cell, Column, Table
        from .report.values import Format, enough_decimals

        headings: dict[str, tuple[str, Format]] = {
            "parameter": ("Parameter", "text"),
            "sem_parameter": ("In the SEM", "text"),
            "mixed": ("Mixed model", "decimal3"),
            "sem": ("SEM", "decimal3"),
            "mixed_se": ("SE mixed", "decimal3"),
            "sem_se": ("SE SEM", "decimal3"),
        }
        columns = [Column(name, *headings.get(name, HEADINGS.get(name, (name, "text")))) for name in headings]
        records = []
        for record in self.frame.to_dict("records"):
            known = [abs(record[name]) for name in ("mixed", "sem", "mixed_se", "sem_se")]
            form: Format = "integer" if record["parameter"] in COUNTS else enough_decimals(known)
            records.append(
                {
                    str(k): Cell(int(v) if form == "integer" and v == v else v, form) if isinstance(v, float) else v
                    for k, v in record.items()
                }
            )
        return Table.from_records(self.title, columns, records, self.notes)


STARTED = "From its own starting values the SEM did not arrive; it was started at the estimates of the mixed model."
BIC = "BIC differs by definition: mixed models take the logarithm of the number of rows, SEMs that of people."


def growth_curve(
    fit: MixedFit,
    residuals: ResidualChoice | None = None,
    *,
    missing: Literal["ml", "listwise"] = "ml",
    time: str | None = None,
) -> GrowthCurve:
    """Fit a mixed model of people over time as a growth curve too, and show both side by side.

    A random-intercept or random-slope model is a structural equation model with the response at each occasion as its
    items, and loadings that are known: 1 for the intercept, the times for the slope. Estimates, likelihoods and the
    coefficients of each person are the same; the notes say where the two approaches differ.

    Parameters
    ----------
    fit
        A fit of `lmer` with one grouping factor, whose predictors belong to people or to occasions:
        ``y ~ time * sex + (time | person)``, ``y ~ time + I(time**2) + (1 | person)`` and the like. A fit by REML is
        refitted by maximum likelihood.
    residuals
        ``"equal"``: one residual variance; ``"by occasion"``: one per occasion. The mixed model is refitted where it
        has the other. As in the fit if not given.
    missing
        What the SEM does with people who lack an occasion: ``"ml"`` uses what there is (full information),
        ``"listwise"`` leaves them out.
    time
        The column of the time; found by itself if there is one that varies within people.

    Returns
    -------
    GrowthCurve
        Prints as a table with notes.

    Raises
    ------
    OptionError
        If an argument is none of what is allowed.
    ModelError
        If the model has no such form: other grouping factors, predictors that vary over people and occasions,
        autocorrelated residuals. The message names the part.
    DataError
        If a person has two rows of one occasion, times are not common to all, or there are no more people than
        occasions.

    Examples
    --------
    >>> from mixsem import lmer
    >>> from mixsem.data import sleepstudy
    >>> curve = growth_curve(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy()))
    >>> curve.equal, round(curve.sem.loglik, 4)
    (True, -875.9697)
    >>> curve.frame[["parameter", "sem_parameter", "mixed", "sem"]].round(2).head(3)
                   parameter            sem_parameter   mixed     sem
    0            (Intercept)              Intercept ~ 1  251.41  251.41
    1                   Days                   Days ~ 1   10.47   10.47
    2  variance of (Intercept)  Intercept ~~ Intercept  565.52  565.52

    References
    ----------
    Curran (2003), Have multilevel models been structural equation models all along? Multivariate Behavioral Research
    38, 529-569. Numbers agree with ``growth()`` of lavaan and ``lmer()`` of lme4, with residual variances by occasion
    with ``varIdent`` of nlme.
    """
    require_fit(fit, "growth_curve")
    if missing not in ("ml", "listwise"):
        raise OptionError(f"missing={missing!r}", allowed="'ml' or 'listwise'")
    residual = residual_of(fit, residuals, time)
    model = read_growth(fit, residual, time)
    _require_people(model, missing)
    mixed = _by_maximum_likelihood(fit, residual)
    sem, was_helped = _fit_sem(model, mixed, missing)
    frame, scores = _side_by_side(model, mixed, sem), _scores(model, mixed, sem)
    difference = -2.0 * sem.loglik - mixed.objective
    tolerance = max(EQUAL, EQUAL_RELATIVE * abs(mixed.objective))
    fewer = len(model.wide) - sem.nobs
    notes = [
        likelihood_note(difference, tolerance, fewer=fewer, improper=improper(frame)),
        STARTED if was_helped else "",
        method_note(was_reml=fit.reml),
        residual_note(len(set(model.strata)), len(model.items), model.occasions.times.name),
        _scores_note(model, scores, same=fewer == 0 and abs(difference) <= tolerance),
        *people_notes(
            model.occasions.people.name,
            len(model.wide),
            mixed.nobs,
            int((model.occasions.rows >= 0).all(axis=1).sum()),
            fit.design.n_rows - mixed.nobs,
            missing,
        ),
        fit_note(
            sem.measures.chisq,
            sem.measures.df,
            sem.measures.pvalue,
            sem.nobs,
            known=sem.data.saturated is None or bool(sem.data.saturated.converged.all()),
            one_variance=len(set(model.strata)) == 1,
        ),
        BIC,
        few_occasions_note(len(model.items), len(model.random)),
    ]
    title = f"{fit.formula}: mixed model and growth curve"
    kept = tuple(note for note in notes if note)
    equal = fewer == 0 and abs(difference) <= tolerance
    return GrowthCurve(title, frame, kept, mixed, sem, model_text(model), model.wide, scores, equal)


def _require_people(model: GrowthModel, missing: str) -> None:
    complete = int((model.occasions.rows >= 0).all(axis=1).sum())
    people, variables = (len(model.wide) if missing == "ml" else complete), model.wide.shape[1]
    if people <= variables:
        with_all = "" if missing == "ml" else " with every occasion"
        raise DataError(
            f"{people:,} people{with_all} for {variables:,} variables (occasions and covariates):"
            " their covariances cannot be estimated",
            allowed="more people than occasions and covariates",
            todo="stay with the mixed model, which needs no such covariances",
        )


def _by_maximum_likelihood(fit: MixedFit, residual: Residual | None) -> MixedFit:
    from .mixed.engine.model import compile_model
    from .mixed.linear import fit_model

    specification = replace(fit.specification, reml=False, residual=residual)
    if residual == fit.specification.residual:
        return fit_model(specification, fit.model, fit.theta) if fit.reml else fit
    return fit_model(specification, compile_model(fit.design, residual), fit.theta)


def _fit_sem(model: GrowthModel, mixed: MixedFit, missing: str) -> tuple[SEMFit, bool]:
    """The growth curve, and whether it had to be started at the mixed model's estimates."""
    from .equations.entry import growth

    def fitted(text: str) -> SEMFit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingDataWarning)  # the notes say it
            return growth(text, model.wide, missing=missing)

    try:
        sem = fitted(model_text(model))
        if missing == "listwise" or (sem.converged and -2.0 * sem.loglik <= mixed.objective + EQUAL):
            return sem, False
    except ModelError:
        pass
    known = known_parameters(model, mixed)
    start = {(p.left, p.right): p.value for p in known} | {(item, item): p.value for p in known for item in p.items}
    try:
        return fitted(model_text(model, start)), True
    except ModelError as error:
        raise DataError(
            f"the covariances of {len(model.items)} occasions cannot be estimated from {len(model.wide)} people with"
            f" {mixed.nobs} values",
            allowed="people enough for unrestricted covariances, which a structural equation model begins with",
            todo="stay with the mixed model, which needs none, or leave out occasions that few people have",
        ) from error


def _side_by_side(model: GrowthModel, mixed: MixedFit, sem: SEMFit) -> pd.DataFrame:
    from .report.equation_frames import equation_parameters

    frame = equation_parameters(sem)
    lines = zip(*(frame[name].tolist() for name in ("lhs", "op", "rhs", "estimate", "se")), strict=True)
    estimates = {
        (left, operator.removesuffix("1"), right or "1"): (float(value), float(se))
        for left, operator, right, value, se in lines
    }
    measures = sem.measures
    whole = (-2.0 * sem.loglik, measures.aic, measures.bic, sem.n_params, sem.nobs, _rows_of(sem, model))
    return side_by_side(model, mixed, estimates, whole)


def _rows_of(sem: SEMFit, model: GrowthModel) -> int:
    """Values of the response that the SEM used."""
    assert sem.data.values is not None
    at = [sem.observed.index(item) for item in model.items]
    return int(np.isfinite(sem.data.values[:, at]).sum())


def _scores(model: GrowthModel, mixed: MixedFit, sem: SEMFit) -> pd.DataFrame:
    """Coefficients and factor scores of each person; people whom the SEM leaves out have no scores."""
    import pandas as pd

    from .factors.scores import factor_scores

    known = person_coefficients(model, mixed)
    scores = factor_scores(sem).reindex(model.wide.index)
    person = model.wide.index.name
    parts = [
        pd.DataFrame(
            {
                person: model.wide.index,
                "factor": model.factors[k].label,
                "coefficient": known[:, k],
                "score": scores[model.factors[k].name].to_numpy(),
            }
        )
        for k in model.random
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(difference=table["score"] - table["coefficient"])


def _scores_note(model: GrowthModel, scores: pd.DataFrame, *, same: bool) -> str:
    largest, person = scores["difference"].abs().max(), model.occasions.people.name
    what = f"coefficients of each {person}" + (", fixed effects of covariates included," if model.covariates else "")
    if not same:
        return f"The {what} and the regression factor scores of the SEM differ by up to {largest:.1g}, as the fits do."
    return f"The {what} and the regression factor scores of the SEM are equal: they differ by {largest:.1g} at most."
