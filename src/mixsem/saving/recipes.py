"""Kinds that are not stored field by field: what of them goes into the file, and how the rest is made again.

Compiled models are functions of a specification or table and of data; storing them would tie files to the insides of
today's code. Parameters are stored beside the names that they had, and refused under others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import MixsemWarning, Notice
from . import mixed_recipes as mixed
from . import step_recipes as steps
from .parameters import Fields

__all__ = ["RECIPES", "Recipe", "holds_rows"]


@dataclass(frozen=True)
class Recipe:
    """How a kind travels.

    Attributes
    ----------
    fields
        What the file has of it.
    take_apart
        From an object to these fields.
    put_together
        From these fields to an object.
    """

    fields: tuple[str, ...]
    take_apart: Callable[[Any], Fields]
    put_together: Callable[[Fields], Any]


def _notice_apart(notice: Notice) -> Fields:
    return {"category": notice.name, "text": notice.text, "groups": notice.groups}


def _notice_together(fields: Fields) -> Notice:
    known = {category.__name__: category for category in MixsemWarning.__subclasses__()}
    # A category of a later version is still trouble, if of no name that is known here.
    return Notice(known.get(fields["category"], MixsemWarning), str(fields["text"]), tuple(fields["groups"]))


def _link_together(fields: Fields) -> Any:
    from ..mixed.generalised.links import LINKS

    return LINKS[fields["name"]]


def _membership_together(fields: Fields) -> Any:
    from ..mixtures.design import build_design, formula_variables

    return build_design(formula_variables(fields["formula"])[0], fields["frame"])


RECIPES: Mapping[str, Recipe] = {
    "notice": Recipe(("category", "text", "groups"), _notice_apart, _notice_together),
    "link": Recipe(("name",), lambda link: {"name": link.name}, _link_together),
    "membership-design": Recipe(
        ("formula", "frame"), lambda design: {"formula": design.formula, "frame": design.frame}, _membership_together
    ),
    "compiled-sem": Recipe(
        ("estimator", "data", "table", "parameters"), steps.compiled_sem_apart, steps.compiled_sem_together
    ),
    "measurement-fit": Recipe(steps.MEASUREMENT, steps.measurement_apart, steps.measurement_together),
    "bayesian-fit": Recipe(steps.BAYESIAN, steps.bayesian_apart, steps.bayesian_together),
    "multilevel-fit": Recipe(steps.MULTILEVEL, steps.multilevel_apart, steps.multilevel_together),
    "compiled-mixed-model": Recipe(
        (*mixed.DESIGN, "response", "residual", "eta"), mixed.model_apart, mixed.model_together
    ),
    "compiled-generalised-model": Recipe(
        (*mixed.DESIGN, "family"), mixed.generalised_apart, mixed.generalised_together
    ),
    "generalised-fit": Recipe(mixed.GENERALISED, mixed.generalised_fit_apart, mixed.generalised_fit_together),
    "profile": Recipe(mixed.PROFILE, mixed.profile_apart, mixed.profile_together),
}

#: Kinds that keep rows of people.
_ROWS = frozenset(
    ("grouped-data", "missing-patterns", "compiled-mixed-model", "compiled-generalised-model", "growth-curve")
)


def holds_rows(kind: str, value: Any) -> bool:
    """Whether an object keeps rows of people."""
    return kind in _ROWS or (kind == "sem-data" and value.values is not None)
