"""Which rows and levels a model loses to missing values, because of which variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import enumerate_briefly
from ...report.values import plural
from ..derived.frame_table import FrameTable

if TYPE_CHECKING:
    from .used_rows import UsedRows

__all__ = ["level_account", "row_account"]


def row_account(used: UsedRows) -> FrameTable:
    """Missing values of each variable, and the rows that are lost because of it alone.

    The frame has variable, role, missing, share, and alone: incomplete rows of which nothing else is missing.
    """
    import pandas as pd

    incomplete = ~used.complete
    records = []
    for name, absent in used.absent.items():
        others = [flags for other, flags in used.absent.items() if other != name]
        alone = absent.copy()
        for flags in others:
            alone &= ~flags
        records.append((name, used.roles[name], int(absent.sum()), float(absent.mean()), int(alone.sum())))
    frame = pd.DataFrame(records, columns=["variable", "role", "missing", "share", "alone"])
    frame = frame.sort_values("missing", ascending=False, kind="stable", ignore_index=True)
    lost = int(incomplete.sum())
    if not lost:
        return FrameTable("Missing values", frame, (f"All {used.n:,} rows are complete.",))
    outcome = int(used.outcome_only.sum())
    notes = [
        f"{lost:,} of {used.n:,} rows ({lost / used.n:.1%}) are left out. alone: rows of which nothing else is missing."
    ]
    if lost == used.n:
        notes.append("No row is complete: there is nothing to fit the model to, and nothing to predict from.")
    elif outcome:
        notes.append(
            f"{plural(outcome, 'row')} miss{'es' * (outcome == 1)} the outcome only: predict() knows all it needs of"
            " them."
        )
    if lost > outcome:
        causes = [
            f"{name} ({absent.sum():,})"
            for name, absent in used.absent.items()
            if name not in used.response and absent.any()
        ]
        notes.append(f"{plural(lost - outcome, 'row')} lost to other variables: {enumerate_briefly(causes)}.")
    return FrameTable("Missing values", frame, tuple(notes))


def level_account(used: UsedRows) -> FrameTable:
    """Levels of each grouping factor that keep all, some or none of their rows.

    The frame has group, levels, complete (levels that keep all rows), reduced, and lost; the notes name levels lost.
    """
    import pandas as pd

    records, notes = [], []
    for variables in used.groups:
        known = used.frame[list(variables)].notna().all(axis=1).to_numpy()
        kept = pd.Series(used.complete[known])
        by = [used.frame.loc[known, name].reset_index(drop=True).astype(object) for name in variables]
        sizes = kept.groupby(by).agg(["size", "sum"])
        lost = sizes.index[sizes["sum"] == 0]
        whole = int((sizes["sum"] == sizes["size"]).sum())
        name = ":".join(variables)
        records.append((name, len(sizes), whole, len(sizes) - whole - len(lost), len(lost)))
        if len(lost):
            labels = [":".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in lost]
            notes.append(f"No row is left of {enumerate_briefly([f'{name} {label}' for label in labels])}.")
    frame = pd.DataFrame(records, columns=["group", "levels", "complete", "reduced", "lost"])
    return FrameTable("Levels that keep all, some or none of their rows", frame, tuple(notes))
