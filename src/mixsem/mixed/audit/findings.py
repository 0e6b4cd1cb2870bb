"""What an audit of a design finds, and how it shows itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from ...report.document import Summary

__all__ = ["STEPS", "DesignAudit", "Finding", "Step", "in_order"]

Step = Literal["data", "simpler model", "scale", "few-level factors", "zero variances", "restart", "other optimiser"]
#: The order in which advice is given: what is cheapest to check, and most often the reason, comes first.
STEPS: tuple[Step, ...] = (
    "data",
    "simpler model",
    "scale",
    "few-level factors",
    "zero variances",
    "restart",
    "other optimiser",
)


@dataclass(frozen=True)
class Finding:
    """One thing that may trouble a model.

    Attributes
    ----------
    identifier
        Of its page of help; see `explain`.
    step
        Where its advice stands in the order of advice.
    what
        What was found.
    where
        Columns, terms or grouping factors.
    why
        Why it matters.
    todo
        What to do.
    """

    identifier: str
    step: Step
    what: str
    where: str
    why: str
    todo: str


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by the order of advice; those of one step keep theirs."""
    return tuple(sorted(findings, key=lambda finding: STEPS.index(finding.step)))


@dataclass(frozen=True, eq=False, repr=False)
class DesignAudit:
    """What `check_design` found; false if that is nothing.

    Attributes
    ----------
    formula
        The model.
    findings
        What may trouble it, in the order of advice: data, simpler model, scale, few-level factors, zero variances.
    sizes
        One row per grouping factor: group, levels, rows (of its levels: min, median, max), singletons.
    notes
        What is good to know, and no trouble.
    """

    formula: str
    findings: tuple[Finding, ...]
    sizes: pd.DataFrame
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.findings)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Identifiers of the findings, such as ``("MX104", "MX123")``."""
        return tuple(finding.identifier for finding in self.findings)

    @property
    def frame(self) -> pd.DataFrame:
        """One row per finding: identifier, step, what, where, why, todo."""
        import pandas as pd

        columns = ["identifier", "step", "what", "where", "why", "todo"]
        return pd.DataFrame([[getattr(f, c) for c in columns] for f in self.findings], columns=columns)

    def to_pandas(self) -> pd.DataFrame:
        """As `frame`."""
        return self.frame

    @property
    def summary(self) -> Summary:
        """Findings and sizes of clusters, ready to print."""
        from ...report.document import Listing, Prose, Summary
        from ...report.table import Column, Table

        entries = tuple((f"{f.identifier} {f.where}", f"{f.what} {f.why} What to do: {f.todo}") for f in self.findings)
        found = (
            Listing("Findings, in the order in which to see to them", entries, stacked=True)
            if entries
            else Prose("", ("Nothing to report.",))
        )
        heads = {"group": "Group", "levels": "Levels", "min": "Min", "median": "Median", "max": "Max"}
        columns = [
            Column(name, heads.get(name, "Singletons"), "text" if name == "group" else "integer")
            for name in self.sizes.columns
        ]
        columns[3] = Column("median", "Median", "decimal1")
        sizes = Table.from_records("Rows per level", columns, self.sizes.to_dict("records"), self.notes)  # type: ignore[arg-type]
        pages = [Prose("", (f"explain({name!r}) shows the page of a finding.",)) for name in self.identifiers[:1]]
        return Summary(f"Audit of {self.formula}", (found, sizes, *pages))

    def __repr__(self) -> str:
        return self.summary.to_text()

    def _repr_html_(self) -> str:
        return self.summary._repr_html_()
