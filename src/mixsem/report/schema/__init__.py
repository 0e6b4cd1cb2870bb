"""The layout of ``fit.json`` as a JSON schema (draft 2020-12), which programs can check and describe files with."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

__all__ = ["fit_schema", "fit_schema_text"]


def fit_schema_text() -> str:
    """The schema as it is shipped."""
    return resources.files(__name__).joinpath("fit.schema.json").read_text(encoding="utf-8")


def fit_schema() -> dict[str, Any]:
    """The JSON schema of every ``fit.json``: clusterings, structural equation models, mixed models of both kinds.

    Returns
    -------
    dict
        A schema of draft 2020-12; the layouts are in ``$defs``, and the key ``format`` of a file says which it has.

    Examples
    --------
    >>> schema = fit_schema()
    >>> schema["$id"], sorted(schema["$defs"])
    ('urn:mixsem:schema:fit:1', ['clusters', 'glmer', 'lmer', 'sem', 'warning'])
    """
    found: dict[str, Any] = json.loads(fit_schema_text())
    return found
