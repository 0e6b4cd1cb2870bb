"""The page of a study for the documentation: what was run, its numbers beside the papers', speed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, OutputError
from ..report.table import Table
from ..report.values import plural
from .derived import derived_rows
from .page_effects import effect_tables
from .page_tables import HOUR, runs_table, speed_table, stability_table, trouble_table
from .results import StudyResults
from .study import Method, Study
from .tables import study_tables
from .toml import PRESETS, read_study, write_study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_runs", "results_page"]

#: Columns of a table that can be read on a page.
WIDEST = 12


def results_page(
    results: StudyResults,
    *,
    remarks: str = "",
    commit: str = "",
    figures: Mapping[str, str] | None = None,
    tables: Sequence[Table] | None = None,
    effects: Sequence[Table] | None = None,
    runs: Sequence[Mapping[str, Any]] | None = None,
    cores: int = 2,
) -> str:
    """Write the page of a study as Markdown.

    Why numbers differ from published ones no program knows: that is what `remarks` are for.

    Parameters
    ----------
    results
        Results of a study, of all its data sets or of those that exist.
    remarks
        Markdown that stands after the tables, under a heading of its own unless it begins with one.
    commit
        Commit of the package that ran it.
    figures
        What each figure shows, by the name of its file beside the page.
    tables
        Tables of means; `study_tables` of the results if None.
    effects
        Tables of effect sizes; `anova_effects` of the papers' measures if None.
    runs
        Records of the runs; those in the folder of the results if None.
    cores
        Cores of the machine that the whole design is projected to, beside 100.

    Returns
    -------
    str
        The same results give the same text.

    Raises
    ------
    DataError
        If there is no result yet.
    """
    if results.frame.empty:
        raise DataError(f"the study {results.study.name!r} has no result yet", todo="run some of it")
    source = derived_rows(results)
    if tables is None:
        tables = study_tables(source)
    if effects is None:
        effects = effect_tables(source)
    if runs is None:
        runs = read_runs(results.folder)
    study, frame = results.study, results.frame
    parts = [f"# Simulation study {study.name}", study.title and f"{study.title}."]
    parts += ["## What was run", _facts(results, runs, commit), _again(study)]
    if tables:
        parts += ["## Means", *(_shown(table) for table in tables)]
    if remarks.strip():
        parts += [*([] if remarks.lstrip().startswith("#") else ["## Remarks"]), remarks.strip()]
    if figures:
        parts += ["## Figures", *(f"![{what}]({name})\n\n*{what}*" for name, what in figures.items())]
    if effects:
        parts += ["## Which factors matter", *(_shown(table) for table in effects)]
    parts += ["## Local maxima, failures, notices", *_troubles(study, frame)]
    parts += ["## Speed", _shown(speed_table(study, frame, cores)), _shown(runs_table(runs))]
    return "\n\n".join(part for part in parts if part) + "\n"


def read_runs(folder: str | Path | None) -> list[dict[str, Any]]:
    """Records of the runs of a study, oldest first; a line that a killed process left half-written is skipped.

    Parameters
    ----------
    folder
        Folder of the study.

    Raises
    ------
    OutputError
        If the file is there and cannot be read.
    """
    path = None if folder is None else Path(folder) / "runs.jsonl"
    if path is None or not path.exists():
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{path} cannot be read: {error}", todo="check rights and disk") from error
    found = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def _facts(results: StudyResults, runs: Sequence[Mapping[str, Any]], commit: str) -> str:
    """Design, seed, methods, versions and hours, one line each."""
    study = results.study
    chosen, possible = len(study.chosen_cells), len(study.all_cells)
    cells = plural(chosen, "cell") if chosen == possible else f"{chosen:,} of {plural(possible, 'cell')}"
    sets = f"{cells}, {plural(study.replications, 'replication')} of each: {plural(study.n_data_sets, 'data set')}"
    if results.n_done < study.n_data_sets:
        sets += f", of which {results.n_done:,} are done"
    lines = [f"{sets}; seed {study.seed}."]
    if chosen < possible:
        lines.append("The cells are a fraction in which levels, and pairs of levels, are as even as they can be.")
    levels = "; ".join(f"`{name}` " + ", ".join(f"{v}" for v in values) for name, values in study.factors.items())
    lines.append(f"Factors: {levels}.")
    lines += [_method(method) for method in study.methods]
    versions = _distinct(runs, "version")
    if versions or commit:
        made = f"mixsem {', '.join(versions)}".strip() + (f", commit `{commit}`" if commit else "")
        others = [f"{label} {', '.join(some)}" for label, key in (("Python", "python"), ("NumPy", "numpy"))
                  if (some := _distinct(runs, key))]  # fmt: skip
        lines.append("; ".join([made, *others, *_distinct(runs, "machine")]) + ".")
    if "cpu_seconds" in results.frame:
        cpu = float(results.frame["cpu_seconds"].sum()) / HOUR
        clock = sum(float(run.get("seconds") or 0.0) for run in runs) / HOUR
        lines.append(f"{cpu:,.2f} hours of CPU" + (f" in {clock:,.2f} hours." if clock else "."))
    return "\n".join(f"- {line}" for line in lines)


def _method(method: Method) -> str:
    """Settings of a method in words."""
    said = []
    if method.kind in ("mixml-sem", "mixmg-bsem", "ml-sem"):
        fast = f"the fast method with {plural(method.n_draws, 'draw')}"
        chains = plural(method.chains, "chain")
        nuts = f"NUTS, {chains} of {plural(method.draws, 'draw')} after {plural(method.warmup, 'draw')} of warm-up"
        said.append(fast if method.sampler == "laplace" else nuts)
    if method.prior_variance:
        said.append("prior variances " + ", ".join(method.variants))
    elif method.kind == "mixmg-bsem":
        said.append("the true prior variance")
    if method.kind != "ml-sem":
        numbers = ", ".join(map(str, method.clusters))
        said.append("the true number of clusters" + (f" and {numbers}" if numbers else ""))
        said.append(plural(method.n_starts, "random start"))
    kind = "" if method.kind == method.name else f" ({method.kind})"
    return f"`{method.name}`{kind}: {'; '.join(said)}."


def _again(study: Study) -> str:
    """How to run it again."""
    options = ""
    if study.name in PRESETS:
        preset = read_study(study.name)
        same = replace(preset, cells=study.cells, replications=study.replications, seed=study.seed)
        if write_study(same) == write_study(study):
            options = f" --cells {study.cells}" if study.cells is not None else ""
            options += f" --replications {study.replications}" if study.replications != preset.replications else ""
            options += f" --seed {study.seed}" if study.seed != preset.seed else ""
            return f"To run it again:\n\n```sh\nmixsem study run {study.name}{options} --out {study.name}\n```"
    file = f"{study.name}.toml"
    return (
        f"To run it again, with this file as `{file}`:\n\n```toml\n{write_study(study)}```\n\n"
        f"```sh\nmixsem study run {file} --out {study.name}\n```"
    )


def _troubles(study: Study, frame: pd.DataFrame) -> list[str]:
    stability, trouble = stability_table(study, frame), trouble_table(study, frame)
    parts = [_shown(stability)] if stability.rows else []
    failed = int((frame["status"] == "failed").sum())
    tried = plural(len(frame), "analysis", "analyses")
    parts.append(f"{failed:,} of {tried} failed." if failed else f"None of {tried} failed.")
    return [*parts, _shown(trouble)] if trouble.rows else parts


def _shown(table: Table) -> str:
    """A table as Markdown; nothing of one without rows. One that is too wide becomes one table per group of columns."""
    groups = list(dict.fromkeys(c.group for c in table.columns if c.group))
    if len(table.columns) <= WIDEST or len(groups) < 2:
        return table.to_markdown() if table.rows else ""
    parts = []
    for group in groups:
        kept = [i for i, c in enumerate(table.columns) if c.group in ("", group)]
        columns = tuple(replace(table.columns[i], group="") for i in kept)
        rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
        notes = table.notes if group == groups[-1] else ()
        parts.append(Table(f"{table.title}: {group}", columns, rows, notes).to_markdown())
    return "\n\n".join(parts)


def _distinct(runs: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    """Values of a key in the records, each once."""
    return list(dict.fromkeys(str(run[key]) for run in runs if run.get(key) is not None))
