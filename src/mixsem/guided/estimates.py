"""Variances and fixed effects, with what to know of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..mixed.fit import MixedFit
from ..mixed.inference.f_tables import f_table
from ..mixed.variance.explained import r2_mixed
from ..mixed.variance.intraclass import icc
from ..mixed.variance.latent import THEORETICAL
from ..report.mixed_tables import fixed_effect_table, random_effect_table
from ..report.table import Column, Table
from .part import Item, attempt, sentence
from .subject import may_profile, profile_refused

if TYPE_CHECKING:
    import pandas as pd

    from ..mixed.require import AnyFit
    from ..report.mixed_results import MixedResults
    from ..report.values import Format
    from .subject import Subject

__all__ = ["fixed_items", "has_icc", "variance_items"]

RESTRICTED = (
    "Limits are those of the profile likelihood, which is not restricted: with few levels they are a little low."
)
LONG = (
    "No intervals of standard deviations: to profile the likelihood of so large a model takes long; confint(fit) does."
)


def variance_items(subject: Subject) -> Iterator[Item]:
    """Standard deviations and correlations, then where the variance is, and how alike rows of a level are."""
    fit = subject.fit
    yield _random_effects(subject)
    if fit.residual is not None:
        yield fit.residual.table
    if isinstance(fit, MixedFit):
        yield from attempt("R²", lambda: [r2_mixed(fit).table])
    if has_icc(fit):
        yield from attempt("Intraclass correlation", lambda: [icc(fit).table])
    if not isinstance(fit, MixedFit):
        yield sentence(
            "R² of a generalised model rests on a convention, what a single observation adds to the variance, so that"
            " it is not computed unasked: r2(fit, method) and icc(fit, method) name the convention."
        )


def has_icc(fit: AnyFit) -> bool:
    """Whether there are intraclass correlations without a convention that somebody has to choose."""
    return isinstance(fit, MixedFit) or fit.family.link.name in THEORETICAL


def _random_effects(subject: Subject) -> Table:
    """The table of random effects, with profile limits of standard deviations where there are some."""
    fit, frame = subject.fit, subject.results.variance_frame
    table = random_effect_table(fit, fit.varcorr.notes)
    if subject.results.limits != "profile":
        why = profile_refused(fit) or ("confint(fit) computes them" if may_profile(fit) else LONG)
        return replace(table, notes=(*table.notes, f"No intervals of standard deviations: {why}."))
    at = next(i for i, column in enumerate(table.columns) if column.name == "sd") + 1
    form = table.columns[at - 1].format
    limits = _limit_columns(form)
    values = frame.loc[frame["effect2"].isna(), ["lower", "upper"]].itertuples(index=False, name=None)
    rows = tuple((*row[:at], *pair, *row[at:]) for row, pair in zip(table.rows, values, strict=True))
    notes = (*table.notes, *_correlations(frame), *([RESTRICTED] if fit.reml else []))
    return replace(table, columns=(*table.columns[:at], *limits, *table.columns[at:]), rows=rows, notes=notes)


def _limit_columns(form: Format) -> tuple[Column, Column]:
    over = "95% limits"
    return Column("lower", "Lower", form, group=over), Column("upper", "Upper", form, group=over)


def _correlations(frame: pd.DataFrame) -> Iterator[str]:
    """The limits of each correlation, in words."""
    pairs = frame[frame["effect2"].notna() & frame["lower"].notna()]
    texts = [
        f"{row.effect} and {row.effect2} by {row.group}, {row.lower:.2f} to {row.upper:.2f}"
        for row in pairs.itertuples(index=False)
    ]
    if texts:
        yield f"95% limits of correlations: {'; '.join(texts)}."


def fixed_items(subject: Subject) -> Iterator[Item]:
    """Tests and limits of coefficients, then of whole terms where these have several coefficients."""
    results = subject.results
    if not results.fit.model.p:
        yield sentence("There are no fixed effects.")
        return
    yield _coefficients(results)
    design = results.fit.design
    if results.terms is not None:
        yield results.terms.table
    elif len(design.fixed_names) > len(design.fixed_terms):
        yield from attempt("Tests of terms", lambda: [f_table(results.fit, 3, results.inference).table])


def _coefficients(results: MixedResults) -> Table:
    """Each coefficient with its test and its limits, whose methods the notes name."""
    frame = results.fixed_frame.rename(columns={"statistic": results.inference.statistic})
    frame = frame if frame["df"].notna().any() else frame.drop(columns="df")
    told = {
        "wald": "Limits are Wald's: estimate and standard error.",
        "profile": "Limits are those of the profile likelihood.",
        "none": "",
    }[results.limits]
    notes = tuple(note for note in (results.inference.note, told) if note)
    table = replace(fixed_effect_table(frame, notes), title="")
    if results.limits == "none":
        return table
    columns = (*table.columns, *_limit_columns(table.columns[1].format))
    pairs = frame[["lower", "upper"]].itertuples(index=False, name=None)
    return replace(table, columns=columns, rows=tuple((*r, *p) for r, p in zip(table.rows, pairs, strict=True)))
