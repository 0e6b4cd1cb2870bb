"""The JSON documents of commands that have no ``fit.json``: one object each, with format and version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import __version__

if TYPE_CHECKING:
    import pandas as pd

    from ..data.moments import SampleMoments
    from ..measurement.invariance import InvarianceTest
    from ..measurement.invariance_search import NonInvariance
    from ..report.table import Table
    from ..studies.power_result import PowerResult
    from ..studies.results import StudyResults

__all__ = ["document", "explain_json", "invariance_json", "moments_json", "power_json", "status_json", "tables_json"]

#: Raised when a key changes its meaning or goes.
FORMAT_VERSION = 1


def document(kind: str, content: Mapping[str, Any]) -> str:
    """One JSON document; numbers that are not finite become null, as in ``fit.json``."""
    from ..report.record import json_lines, plain

    head = {"format": f"mixsem-{kind}", "format_version": FORMAT_VERSION, "version": __version__}
    return json_lines({**head, **{key: plain(value) for key, value in content.items()}})


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.astype(object).to_dict("records")]


def invariance_json(test: InvarianceTest, search: NonInvariance | None, title: str) -> str:
    """Levels, and the steps and cells of a search."""
    found = None
    if search is not None:
        found = {
            "partial": search.partial,
            "measurement": search.measurement,
            "stopped": search.stopped,
            "steps": _rows(search.to_pandas()),
            "cells": _rows(search.first),
        }
    content = {
        "title": title,
        "measurement": test.measurement,
        "partial": test.partial,
        "estimator": test.estimator,
        "n_groups": len(test.groups),
        "n_people": test.nobs,
        "levels": _rows(test.to_pandas()),
        "search": found,
        "warnings": [n.to_dict() for n in (*test.notices, *(search.notices if search is not None else ()))],
    }
    return document("invariance", content)


def power_json(result: PowerResult) -> str:
    """Every plan, and the answers in words."""
    content = {
        "threshold": result.threshold,
        "wanted": result.wanted,
        "replications": result.study.replications,
        "seed": result.study.seed,
        "answers": result.answers,
        "plans": _rows(result.plans),
    }
    return document("power", content)


def moments_json(moments: SampleMoments, path: object) -> str:
    """The account of what was written: sizes, and what was dropped; the moments themselves are in the file."""
    groups = zip(moments.groups, moments.n, moments.n_dropped, strict=True)
    content = {
        "file": str(path),
        "items": moments.items,
        "group": moments.group,
        "missing": moments.missing,
        "n_people": moments.n_total,
        "groups": [{"group": group, "n": n, "n_dropped": dropped} for group, n, dropped in groups],
        "warnings": [notice.to_dict() for notice in moments.notices],
    }
    return document("moments-account", content)


def status_json(results: StudyResults, folder: object) -> str:
    """How far a study is."""
    from .study_status import seconds_per_data_set

    each, left = seconds_per_data_set(results.frame), results.study.n_data_sets - results.n_done
    failed = results.failed
    errors = failed.groupby(["method", "error"], sort=False).size().reset_index(name="times") if len(failed) else failed
    content = {
        "study": results.study.name,
        "folder": str(folder),
        "n_data_sets": results.study.n_data_sets,
        "n_done": results.n_done,
        "n_failed": len(failed),
        "seconds_per_data_set": each,
        "seconds_left": None if each is None else left * each,
        "errors": _rows(errors[["method", "error", "times"]]) if len(failed) else [],
    }
    return document("study-status", content)


def tables_json(tables: Sequence[Table]) -> str:
    """Tables by title, one object per row."""
    return document("tables", {"tables": [{"title": t.title, "rows": _rows(t.to_pandas())} for t in tables]})


def explain_json(identifier: str, text: str) -> str:
    """The page of a message."""
    return document("message", {"identifier": identifier.strip().upper(), "text": text})
