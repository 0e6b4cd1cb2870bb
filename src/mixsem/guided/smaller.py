"""The model beside the next simpler ones: which of its random effects do the data support?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import MixsemError, MixsemWarning
from ..mixed.fit import MixedFit
from ..mixed.inference.compare import compare
from ..mixed.penalties.penalised import is_penalised
from ..mixed.selection.aic_table import aic_table
from ..mixed.selection.conditional_aic import caic
from ..mixed.selection.reduced_formula import with_bars
from ..mixed.selection.refitting import with_random_terms
from ..mixed.selection.supported import smaller_random_parts
from ..mixed.selection.variance_test import LARGEST, variance_test
from ..report.table import Column, Table
from .part import Item, sentence
from .subject import CONDITIONAL_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..mixed.inference.compare import MixedComparison
    from ..mixed.require import AnyFit
    from .subject import Subject

__all__ = ["smaller_items"]

#: More smaller models are not fitted unasked.
MOST_MODELS = 8
THIS = "this model"
COLUMNS = (
    Column("model", "Model"),
    Column("n_params", "Parameters", "integer"),
    Column("aic", "AIC", "decimal1"),
    Column("delta", "Delta", "decimal1"),
    Column("weight", "Weight", "decimal2"),
    Column("caic", "cAIC", "decimal1"),
    Column("chisq", "Chi-square", "decimal2", group="Against this model"),
    Column("df_diff", "df", "integer", group="Against this model"),
    Column("p_value", "p", "p", group="Against this model"),
    Column("p_boundary", "p (boundary)", "p", group="Against this model"),
)


def smaller_items(subject: Subject) -> Iterator[Item]:
    """Models with one random effect, or its correlations, less: likelihood ratios and information criteria."""
    fit = subject.fit
    if isinstance(fit, MixedFit) and is_penalised(fit):
        yield sentence("A penalised fit has no likelihood to compare by; fit the model without penalty= to do so.")
        return
    smaller = list(smaller_random_parts(fit))  # type: ignore[arg-type]
    if not smaller:
        yield from _single(fit)
    elif not subject.may_refit:
        yield sentence("Not computed, as each smaller model would take a while: compare(small, fit) does it.")
    elif len(smaller) > MOST_MODELS:
        count = f"There are {len(smaller)} models that are one step simpler"
        yield sentence(f"{count}: supported_model(formula, data) goes through them.")
    else:
        yield _table(fit, {f"without {part.what}": _refitted(fit, part.bars) for part in smaller})
    why = ": it refits both by maximum likelihood, as REML cannot compare fixed parts" if fit.reml else ""
    yield sentence(f'A model with fewer fixed effects is compared by compare(fit, fit.update(". ~ . - x")){why}.')


def _single(fit: AnyFit) -> Iterator[Item]:
    """A model whose only random effect is an intercept."""
    factor = fit.design.factors[0]
    if isinstance(fit, MixedFit) and fit.residual is None and factor.n_levels <= LARGEST:
        yield variance_test(fit).table
    else:
        yield sentence(
            f"The only random effect is that of {factor.name}: the next simpler model takes all rows as independent."
        )


def _refitted(fit: AnyFit, bars: tuple[str, ...]) -> AnyFit:
    if isinstance(fit, MixedFit):
        return with_random_terms(fit, bars)
    return fit.update(with_bars(fit.design.formula, bars))


def _table(fit: AnyFit, smaller: Mapping[str, AnyFit]) -> Table:
    """All models in one table, this one first."""
    fits = {THIS: fit, **smaller}
    criteria = aic_table(*fits.values(), names=tuple(fits)).frame.set_index("model")  # type: ignore[arg-type]
    records = []
    tests = {
        name: compare(small, fit, names=(f"the one {name}", THIS))  # type: ignore[arg-type]
        for name, small in smaller.items()
    }
    for name, one in fits.items():
        record: dict[str, object] = {"model": name, "caic": _conditional(one)}
        record |= {str(column): value for column, value in criteria.loc[name].items()}
        record["n_params"] = one.n_params
        if name in tests:
            last = tests[name].frame.iloc[-1]
            record |= {column: last[column] for column in ("chisq", "df_diff", "p_value", "p_boundary")}
        records.append({column.name: record.get(column.name) for column in COLUMNS})
    kept = [c for c in COLUMNS if any(record[c.name] is not None for record in records)]
    notes = (*_test_notes(tests), *_criterion_notes(any(record["caic"] is not None for record in records)))
    return Table.from_records("", kept, records, notes)


def _conditional(fit: AnyFit) -> float | None:
    """The conditional AIC where there is one."""
    if not isinstance(fit, MixedFit) or fit.nobs > CONDITIONAL_ROWS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixsemWarning)
            return caic(fit).caic
    except MixsemError:
        return None


def _test_notes(tests: Mapping[str, MixedComparison]) -> Iterator[str]:
    """What the comparisons have to say: what all say first, then what each says; formulas last."""
    notes = [found.notes for found in tests.values()]
    every = [note for note in notes[0] if all(note in others for others in notes)]
    told = dict.fromkeys([*every, *(note for others in notes for note in others)])
    names = (f"{THIS}: ", *(f"the one {name}: " for name in tests))
    formulas = [note.removeprefix("the one ") for prefix in names for note in told if note.startswith(prefix)]
    counted = "Parameters are"  # the facts of the fit say it
    words = (note for note in told if not note.startswith((*names, counted)))
    yield from (note[:1].upper() + note[1:].replace(". the one", ". The one") for note in words)
    yield from formulas


def _criterion_notes(conditional: bool) -> Iterator[str]:
    yield (
        "AIC is for new levels: models within 2 of the lowest are as good. It helps to choose; it does not choose, and"
        " effects that the design demands stay."
    )
    if conditional:
        yield "cAIC, the conditional AIC, is for the levels at hand, and counts the random effects that these use."
