"""Tables of invariance tests, searches for non-invariant items, alignment and random-effect steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..measurement.invariance import InvarianceTest
from ..measurement.invariance_alignment import Alignment
from ..measurement.invariance_search import NonInvariance
from ..measurement.invariance_steps import TIED, RandomEffectSteps
from .table import Cell, Column, Table
from .values import plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "alignment_frame",
    "alignment_table",
    "cell_table",
    "cutoff_table",
    "level_frame",
    "level_table",
    "random_table",
    "search_table",
]

LEVELS = (
    Column("chisq", "χ²", "decimal3", group="test of the model"),
    Column("df", "df", "integer", group="test of the model"),
    Column("pvalue", "p", "p", group="test of the model"),
    Column("diff_chisq", "Δχ²", "decimal3", group="against the level before"),
    Column("diff_df", "Δdf", "integer", group="against the level before"),
    Column("diff_p", "p", "p", group="against the level before"),
    Column("cfi", "CFI", "decimal3", group="descriptive fit"),
    Column("diff_cfi", "Δ", "decimal3", group="descriptive fit"),
    Column("rmsea", "RMSEA", "decimal3", group="descriptive fit"),
    Column("rmsea_lower", "5%", "decimal3", group="descriptive fit"),
    Column("rmsea_upper", "95%", "decimal3", group="descriptive fit"),
    Column("diff_rmsea", "Δ", "decimal3", group="descriptive fit"),
    Column("srmr", "SRMR", "decimal3", group="descriptive fit"),
    Column("diff_srmr", "Δ", "decimal3", group="descriptive fit"),
    Column("aic", "AIC", "decimal1", group="criteria"),
    Column("diff_aic", "Δ", "decimal1", group="criteria"),
    Column("bic", "BIC", "decimal1", group="criteria"),
    Column("diff_bic", "Δ", "decimal1", group="criteria"),
)


def level_frame(test: InvarianceTest) -> pd.DataFrame:
    """One row per block and level, unrounded."""
    import pandas as pd

    return pd.DataFrame(_records(test))


def _records(test: InvarianceTest) -> list[dict[str, Any]]:
    records = []
    for step in test.levels:
        m, c = step.measures, step.comparison
        record: dict[str, Any] = {"block": step.block, "level": step.level, "converged": step.fit.converged}
        for name in ("chisq", "df", "pvalue", "scale", "cfi", "rmsea", "rmsea_lower", "rmsea_upper", "srmr"):
            record[name] = getattr(m, name)
        record |= {"aic": m.aic, "bic": m.bic, "n_params": m.n_params}
        differences = {"chisq": "chisq", "df": "df", "p": "pvalue"}
        differences |= {name: name for name in ("cfi", "rmsea", "srmr", "aic", "bic")}
        for name, attribute in differences.items():
            record[f"diff_{name}"] = np.nan if c is None else getattr(c, attribute)
        for verdict in c.verdicts if c is not None else ():
            record[_column_name(f"within {verdict.source}")] = verdict.met
        records.append(record)
    return records


def _column_name(text: str) -> str:
    """A name that every statistics program reads: ``within_chen_2007``."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def level_table(test: InvarianceTest) -> Table:
    """One row per block and level."""
    several = len(test.blocks) > 1
    stub = (*((Column("block", "Block"),) if several else ()), Column("level", "Level"))
    records = _records(test)
    likelihood = any(np.isfinite(r["aic"]) for r in records)
    columns = tuple(c for c in LEVELS if likelihood or c.group != "criteria")
    table = Table.from_records("Measurement invariance", (*stub, *columns), records, _level_notes(test))
    blocks = [r["block"] for r in records]
    rules = tuple(i for i in range(1, len(blocks)) if blocks[i] != blocks[i - 1])
    return Table(table.title, table.columns, table.rows, table.notes, rules)


def _level_notes(test: InvarianceTest) -> tuple[str, ...]:
    notes = ["5%, 95%: limits of the 90% confidence interval of RMSEA. Δ: change against the level before."]
    if test.levels[0].fit.robust is not None:
        methods = {s.comparison.method for s in test.levels if s.comparison is not None}
        kind = test.levels[0].fit.described.kind
        text = f"χ² is corrected for non-normal data (estimator {test.estimator}); CFI and RMSEA are the {kind} ones."
        said = {
            "satorra-bentler-2001": "scaled (Satorra & Bentler, 2001)",
            "satorra-bentler-2010": "scaled (Satorra & Bentler, 2010; the method of 2001 fails here)",
            "satorra-2000": "scaled and shifted (Satorra, 2000)",
        }
        named = [words for method, words in said.items() if method in methods]
        text += f" Δχ² is {'; '.join(named)}." if named else ""
        notes.append(text)
    if test.partial:
        notes.append(f"Free at all levels: {', '.join(test.partial)}.")
    return tuple(notes)


def cutoff_table(test: InvarianceTest) -> Table:
    """Each step against each source's cut-offs: the limit, and whether the step stays within."""
    from ..measurement.invariance_measures import CUTOFFS

    several = len(test.blocks) > 1
    columns = (
        *((Column("block", "Block"),) if several else ()),
        Column("level", "Step to"),
        Column("source", "Source"),
        Column("for", "found for"),
        *(Column(name, f"Δ{name.upper()}") for name in ("cfi", "rmsea", "srmr")),
        Column("met", "all within"),
    )
    records = []
    for step in test.levels:
        if step.comparison is None:
            continue
        limits = {cutoff.source: cutoff for cutoff in CUTOFFS.get(step.level, ())}
        for verdict in step.comparison.verdicts:
            limit = limits[verdict.source]
            record: dict[str, object] = {"block": step.block, "level": step.level, "source": verdict.source}
            record |= {"for": limit.remark, "met": verdict.met}
            for name, sign in (("cfi", "−"), ("rmsea", ""), ("srmr", "")):
                within, size = getattr(verdict, name), getattr(limit, name)
                if size is not None and within is not None:
                    record[name] = f"{sign}{size:.3f} {'met' if within else 'not met'}"
            records.append(record)
    notes = (
        "Cut-offs are rules of thumb from simulations; they are listed, not applied. They say nothing about how much a"
        " deviation matters for what is compared.",
    )
    return Table.from_records("Cut-offs of the literature", columns, records, notes)


def search_table(found: NonInvariance) -> Table:
    """One row per step of a search."""
    columns = (
        Column("kind", "Testing"),
        Column("parameter", "Freed"),
        Column("flagged", "groups", "integer", group="flagged before"),
        Column("share", "share", "decimal2", group="flagged before"),
        Column("largest", "largest change", group="flagged before"),
        Column("chisq", "χ²", "decimal1", group="fit after"),
        Column("df", "df", "integer", group="fit after"),
        Column("cfi", "CFI", "decimal3", group="fit after"),
        Column("rmsea", "RMSEA", "decimal3", group="fit after"),
        Column("srmr", "SRMR", "decimal3", group="fit after"),
        Column("aic", "AIC", "decimal1", group="fit after"),
        Column("bic", "BIC", "decimal1", group="fit after"),
    )
    records = []
    for step in found.steps:
        record: dict[str, object] = {name: getattr(step, name) for name in ("kind", "chisq", "df", "cfi", "rmsea")}
        record |= {name: getattr(step, name) for name in ("srmr", "aic", "bic")}
        record["parameter"] = step.parameter or "(start)"
        if step.parameter:
            record |= {"flagged": step.flagged, "share": step.share}
        if step.largest is not None:
            sign = "−" if step.largest[1] < 0 else "+"
            record["largest"] = f"{sign}{abs(step.largest[1]):.2f} in {step.largest[0]}"
        records.append(record)
    rule = found.rules
    how = {"BH": "Benjamini-Hochberg", "holm": "Holm", "none": "unadjusted"}[rule.correction]
    notes = (
        f"Flagged: score test with p < {rule.alpha:g} ({how} over all groups and parameters) and an expected change of"
        f" more than {rule.threshold:g} standard deviations. The largest change is in these units. χ² and what follows"
        " from it are not corrected for non-normality.",
    )
    return Table.from_records("Freed parameters", columns, records, notes)


def cell_table(found: NonInvariance) -> Table:
    """One row per parameter: groups flagged before anything was freed, and at the end."""
    columns = (
        Column("parameter", "Parameter"),
        Column("first", "groups", "integer", group="at the start"),
        Column("first_size", "mean |change|", "decimal3", group="at the start"),
        Column("first_max", "largest", "decimal3", group="at the start"),
        Column("last", "groups", "integer", group="at the end"),
        Column("last_size", "mean |change|", "decimal3", group="at the end"),
        Column("remark", "Remark"),
    )
    last = {str(name): rows for name, rows in found.last.groupby("parameter", sort=False)}
    freed = {"".join(name.split()) for name in found.partial}
    records = []
    for name, rows in found.first.groupby("parameter", sort=False):
        size = rows["deviation"].abs()
        record: dict[str, object] = {"parameter": name, "first": int(rows["flagged"].sum())}
        record |= {"first_size": float(size.mean()), "first_max": float(size.max())}
        if "".join(str(name).split()) in freed:
            record["remark"] = "freed"
        elif str(name) in last:
            end = last[str(name)]
            record |= {"last": int(end["flagged"].sum()), "last_size": float(end["deviation"].abs().mean())}
            record["remark"] = "flagged, but kept as an anchor" if str(name) in found.stopped else ""
        records.append(record)
    return Table.from_records("Parameters", columns, records, (f"{plural(len(found.fit.groups), 'group')}.",))


def alignment_frame(aligned: Alignment) -> pd.DataFrame:
    """Aligned loadings and intercepts of every group."""
    import pandas as pd

    G = len(aligned.groups)
    frames = []
    for f in aligned.factors:
        for j, item in enumerate(f.items):
            for kind, values, errors, member in (
                ("loading", f.loadings, f.loading_errors, f.loading_invariant),
                ("intercept", f.intercepts, f.intercept_errors, f.intercept_invariant),
            ):
                columns = {"estimate": values[:, j], "se": errors[:, j], "invariant": member[:, j]}
                labels = {"group": pd.Series(list(aligned.groups), dtype=object), "factor": [f.factor] * G}
                frames.append(pd.DataFrame({**labels, "item": item, "kind": kind, **columns}))
    return pd.concat(frames, ignore_index=True)


def alignment_table(aligned: Alignment) -> Table:
    """One row per item and kind."""
    columns = (
        Column("factor", "Factor"),
        Column("item", "Item"),
        *(
            Column(f"{kind}_{name}", label, form, group=f"{kind}s")  # type: ignore[arg-type]
            for kind in ("loading", "intercept")
            for name, label, form in (
                ("mean", "mean", "decimal3"),
                ("min", "min", "decimal3"),
                ("max", "max", "decimal3"),
                ("r2", "R²", "decimal3"),
                ("out", "groups out", "integer"),
            )
        ),
    )
    records = []
    for f in aligned.factors:
        for j, item in enumerate(f.items):
            record: dict[str, object] = {"factor": f.factor, "item": item}
            for kind in ("loading", "intercept"):
                values = getattr(f, f"{kind}s")[:, j]
                record |= {f"{kind}_mean": values.mean(), f"{kind}_min": values.min(), f"{kind}_max": values.max()}
                record[f"{kind}_r2"] = float(getattr(f, f"{kind}_r2")[j])
                record[f"{kind}_out"] = int((~getattr(f, f"{kind}_invariant")[:, j]).sum())
            records.append(record)
    notes = (
        "R²: share of the differences between groups in the configural model that factor means and variances explain;"
        " groups out: not in the set of groups in which the parameter is invariant.",
    )
    return Table.from_records("Aligned parameters", columns, records, notes)


def random_table(found: RandomEffectSteps) -> Table:
    """One row per block and step."""
    columns = (
        Column("block", "Block"),
        Column("added", "Random too"),
        Column("spread", "SD over groups", "decimal3"),
        Column("dic", "DIC", "decimal1"),
        Column("difference", "Difference", "decimal1"),
        Column("p_d", "p", "decimal1", subscript="D"),
        Column("remark", "Remark"),
    )
    rows = []
    for s in found.steps:
        words = ["chosen"] if s.chosen else ["tied"] if s.tied else []
        words += ["sampling trouble"] if s.trouble else []
        added = s.added.replace("=~", " =~ ") if s.added else "(none)"
        rows.append((s.block, added, s.spread, Cell(s.dic, strong=s.chosen), s.difference, s.p_d, ", ".join(words)))
    blocks = [s.block for s in found.steps]
    rules = tuple(i for i in range(1, len(blocks)) if blocks[i] != blocks[i - 1])
    notes = (
        "Each row makes one more parameter random, the one with the largest SD over groups first (SD: in the model with"
        f" all of them random). Random in all models: {', '.join(found.always) or 'nothing else'}. tied: difference"
        f" below {TIED:g} Monte-Carlo standard errors.",
    )
    return Table("Random parameters compared by DIC", columns, tuple(rows), notes, rules)
