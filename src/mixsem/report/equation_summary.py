"""The summary of a structural equation model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from ..equations.fit import SEMFit
from ..equations.sam_fit import SAMFit
from .document import Listing, Prose, Summary
from .equation_facts import chisq_table, equation_facts, equation_title, fit_measure_table
from .equation_tables import defined_table, explained_table, parameter_tables
from .table import Column, Table
from .values import group_sizes, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["equation_summary", "two_step_summary"]


def equation_summary(fit: SEMFit, warnings: Sequence[Listing]) -> Summary:
    """Facts, tests, fit measures, parameters, explained variance, then the warnings.

    Parameters
    ----------
    fit
        A structural equation model.
    warnings
        Its notices, to be shown last.
    """
    defined, explained = defined_table(fit), explained_table(fit)
    parts: list[Table | Listing | Prose] = [Listing("", equation_facts(fit)), chisq_table(fit), fit_measure_table(fit)]
    parts += parameter_tables(fit)
    parts += [table for table in (defined, explained) if table is not None]
    return Summary(equation_title(fit), (*parts, *warnings))


def two_step_summary(fit: SAMFit, warnings: Sequence[Listing]) -> Summary:
    """Facts, measurement blocks, the test of step 2, parameters, explained variance, then the warnings.

    Parameters
    ----------
    fit
        What `sam` returned.
    warnings
        Its notices, to be shown last.
    """
    n, several = fit.data.moments.n, len(fit.groups) > 1
    people = f"{fit.nobs:,}" + (f"; groups of {group_sizes(n.tolist())}" if several else "")
    facts = [
        ("Method", f"{fit.method}, maximum likelihood in both steps"),
        ("People", people),
        ("Standard errors", "of step 2 allow for the uncertainty of step 1"),
        ("Converged", "yes" if fit.converged else "NO"),
    ]
    defined, explained = defined_table(fit), explained_table(fit)
    parts: list[Table | Listing | Prose] = [Listing("", tuple(facts)), _block_table(fit)]
    parts += parameter_tables(fit)
    parts += [table for table in (defined, explained) if table is not None]
    size = f"{plural(len(fit.factors), 'factor')}, {plural(len(fit.observed), 'observed variable')}"
    size += f", {plural(len(fit.groups), 'group')}" if several else ""
    return Summary(f"Structural after measurement: {size}", (*parts, *warnings))


def _block_table(fit: SAMFit) -> Table:
    """Fit of the measurement blocks and of step 2."""
    columns = (
        Column("part", "Part"),
        Column("chisq", "χ²", "decimal3"),
        Column("df", "df", "integer"),
        Column("pvalue", "p", "p"),
        Column("cfi", "CFI", "decimal3"),
        Column("rmsea", "RMSEA", "decimal3"),
        Column("srmr", "SRMR", "decimal3"),
        Column("reliability", "Reliability"),
    )
    rows: list[tuple[object, ...]] = []
    for block in fit.blocks:
        m = block.measures
        rows.append(
            (
                ", ".join(block.factors),
                m.chisq,
                m.df,
                m.pvalue,
                m.cfi,
                m.rmsea,
                m.srmr,
                _reliability(fit, block.factors),
            )
        )
    p = float(chdtrc(fit.df, fit.chisq)) if fit.df else None
    step2 = "structural part" if fit.method == "local" else "whole model, measurement as estimated"
    rows.append((step2, fit.chisq, fit.df, p, None, None, None, None))
    notes = ("Reliability: share of true variance in the score of a factor, median over groups.",)
    return Table("Fit", columns, tuple(rows), notes if fit.reliability is not None else (), (len(rows) - 1,))


def _reliability(fit: SAMFit, factors: Sequence[str]) -> str | None:
    if fit.reliability is None:
        return None
    middle = np.median(fit.reliability, axis=0)
    return ", ".join(f"{middle[fit.factors.index(factor)]:.3f}" for factor in factors)
