"""Named errors and warnings.

An error says three things: what came, what is allowed, what to do next. Statistical trouble is not an
error: it is a `Notice` kept on the fit, issued once as a warning whose category names the trouble.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "ApproximationWarning",
    "BoundaryWarning",
    "ConvergenceWarning",
    "CorrelationInputWarning",
    "DataError",
    "DivergenceWarning",
    "EmptyClusterWarning",
    "EqualFactorsWarning",
    "FewGroupsWarning",
    "FewStartsWarning",
    "HeywoodWarning",
    "IdentificationWarning",
    "InformationCriterionWarning",
    "LowReliabilityWarning",
    "MissingDataWarning",
    "MixsemError",
    "MixsemWarning",
    "ModelError",
    "ModelSyntaxError",
    "NonPositiveDefiniteWarning",
    "Notice",
    "OptionError",
    "OutputError",
    "PolychoricWarning",
    "PriorScaleWarning",
    "RankDeficiencyWarning",
    "ResidualFloorWarning",
    "SamplingWarning",
    "SeparationWarning",
    "SingleIndicatorWarning",
    "SmallGroupWarning",
    "SparseCategoriesWarning",
    "UndefinedParameterWarning",
    "UnsupportedModelError",
    "UnusedFactorWarning",
    "WeakMarkerWarning",
    "did_you_mean",
    "enumerate_briefly",
    "notify",
]


class MixsemError(Exception):
    """Base of all errors of the package.

    Parameters
    ----------
    got
        What came, one sentence.
    allowed
        What is allowed, or what exists.
    todo
        What to do next.
    """

    def __init__(self, got: str, *, allowed: str = "", todo: str = "") -> None:
        self.got, self.allowed, self.todo = got, allowed, todo
        lines = [got, allowed and f"  allowed: {allowed}", todo and f"  next: {todo}"]
        super().__init__("\n".join(line for line in lines if line))


class DataError(MixsemError, ValueError):
    """The data cannot be used: a missing column, text among numbers, no complete row."""


class ModelError(MixsemError, ValueError):
    """The model is not a model for these data: unknown factor, cycle, no degrees of freedom left."""


class UnsupportedModelError(ModelError):
    """The syntax is valid, but the method asked for cannot use this part of it."""


class OptionError(MixsemError, ValueError):
    """An argument is outside what is allowed."""


class OutputError(MixsemError, OSError):
    """A result cannot be written or read."""


class ModelSyntaxError(MixsemError, ValueError):
    """Model syntax that cannot be read, with the place where reading stopped.

    Parameters
    ----------
    got, allowed, todo
        As in `MixsemError`.
    text
        The whole model text.
    line, column
        Where it happened, both counted from 1.
    """

    def __init__(self, got: str, *, text: str, line: int, column: int, allowed: str = "", todo: str = "") -> None:
        self.line, self.column = line, column
        source = text.splitlines()[line - 1] if 0 < line <= len(text.splitlines()) else ""
        # Tabs stay tabs, so that the caret stands below its place.
        marker = "".join(c if c == "\t" else " " for c in source[: column - 1].ljust(column - 1)) + "^"
        place = f"line {line}, column {column}: {got}\n    {source}\n    {marker}"
        super().__init__(place, allowed=allowed, todo=todo)


class MixsemWarning(UserWarning):
    """Base of all warnings of the package.

    Attributes
    ----------
    identifier
        Stable name of the message, such as ``"MX101"``: what `explain` and the page of help go by.
    """

    identifier: ClassVar[str] = ""

    def __init_subclass__(cls, identifier: str = "") -> None:
        super().__init_subclass__()
        cls.identifier = identifier or cls.identifier


class ApproximationWarning(MixsemWarning, identifier="MX301"):
    """The draws of the fast method, Laplace proposals, hold too few effective ones of a group's factor."""


class BoundaryWarning(MixsemWarning, identifier="MX101"):
    """An estimate lies on a bound or an inequality constraint binds."""


class ConvergenceWarning(MixsemWarning, identifier="MX102"):
    """An optimiser stopped before it was done."""


class CorrelationInputWarning(MixsemWarning, identifier="MX213"):
    """Correlation matrices were given in the place of covariance matrices."""


class HeywoodWarning(MixsemWarning, identifier="MX201"):
    """A variance was estimated as zero or negative."""


class NonPositiveDefiniteWarning(MixsemWarning, identifier="MX202"):
    """A covariance matrix is not positive definite."""


class SmallGroupWarning(MixsemWarning, identifier="MX203"):
    """A group has too few people for the model."""


class MissingDataWarning(MixsemWarning, identifier="MX106"):
    """Values are missing: rows were dropped, or moments estimated from incomplete ones."""


class PolychoricWarning(MixsemWarning, identifier="MX214"):
    """A polychoric correlation is nearly 1, so that its standard error cannot be trusted."""


class SparseCategoriesWarning(MixsemWarning, identifier="MX215"):
    """A category of an ordered item, or a combination of two, is missing in a group."""


class EmptyClusterWarning(MixsemWarning, identifier="MX204"):
    """A cluster holds no group, or two clusters share the same regressions."""


class FewStartsWarning(MixsemWarning, identifier="MX205"):
    """Few random starts reached the best solution."""


class ResidualFloorWarning(MixsemWarning, identifier="MX206"):
    """A residual variance ran towards zero and was held at its floor."""


class IdentificationWarning(MixsemWarning, identifier="MX105"):
    """The data do not determine a parameter: its estimate is one of many that fit as well."""


class InformationCriterionWarning(MixsemWarning, identifier="MX302"):
    """A Bayesian information criterion cannot be trusted."""


class LowReliabilityWarning(MixsemWarning, identifier="MX207"):
    """A factor hardly varies in a group, so that its regressions there rest on next to nothing."""


class SingleIndicatorWarning(MixsemWarning, identifier="MX208"):
    """A factor has one item, which is taken as measured without error."""


class WeakMarkerWarning(MixsemWarning, identifier="MX209"):
    """The marker variable hardly depends on its factor, so that the factor's scale is arbitrary."""


class SamplingWarning(MixsemWarning, identifier="MX303"):
    """Chains of posterior draws do not agree, or are too short to tell."""


class DivergenceWarning(MixsemWarning, identifier="MX304"):
    """Draws diverged: the sampler may have missed part of the posterior."""


class FewGroupsWarning(MixsemWarning, identifier="MX103"):
    """Random effects or predictors of clusters were estimated from few groups, or a multigroup model from one."""


class PriorScaleWarning(MixsemWarning, identifier="MX305"):
    """Priors are stated in units that are far from those of the items."""


class RankDeficiencyWarning(MixsemWarning, identifier="MX104"):
    """Columns of the fixed part follow from earlier ones and were left out."""


class EqualFactorsWarning(MixsemWarning, identifier="MX210"):
    """Factor variances or correlations, which clusters rest on, are held equal over groups."""


class SeparationWarning(MixsemWarning, identifier="MX107"):
    """A predictor separates clusters without overlap, so that its coefficient runs to infinity."""


class UndefinedParameterWarning(MixsemWarning, identifier="MX212"):
    """A defined parameter has no value at the estimates."""


class UnusedFactorWarning(MixsemWarning, identifier="MX211"):
    """A factor is measured, but the structural model does not use it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of statistical trouble, as kept on a fit and shown in reports.

    Attributes
    ----------
    category
        The warning class that names the trouble.
    text
        What happened, what it means, what to do.
    groups
        Labels of the groups concerned, in the order of the fit; empty if none in particular.
    """

    category: type[MixsemWarning]
    text: str
    groups: tuple[Hashable, ...] = ()

    @property
    def name(self) -> str:
        """Name of the category, such as ``HeywoodWarning``."""
        return self.category.__name__

    @property
    def identifier(self) -> str:
        """Stable identifier of the category, such as ``MX101``; see `mixsem.explain`."""
        return self.category.identifier

    @property
    def heading(self) -> str:
        """Name and identifier, such as ``HeywoodWarning [MX201]``."""
        return f"{self.name} [{self.identifier}]" if self.identifier else self.name

    def to_dict(self) -> dict[str, object]:
        """As plain data for JSON."""
        return {"name": self.name, "text": self.text, "groups": [str(g) for g in self.groups]}


def notify(notices: Iterable[Notice]) -> None:
    """Issue each notice as a warning of its category, pointing at the line outside the package that led to it."""
    notices = tuple(notices)
    if not notices:
        return
    depth, frame = 1, sys._getframe(1)
    # functools: the dispatch of functions such as `glance`, which stands between the package and its user.
    passed_over = {__package__, "functools"}
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in passed_over:
        depth, frame = depth + 1, frame.f_back
    for notice in notices:
        ending = f" [{notice.identifier}]" if notice.identifier else ""
        warnings.warn(notice.text + ending, notice.category, stacklevel=depth + 1)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the closest candidate, or an empty string."""
    names = [str(c) for c in candidates]
    folded = {c.casefold(): c for c in names}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]!r}?" if close else ""


def enumerate_briefly(things: Sequence[object], limit: int = 8) -> str:
    """Join labels for a message, cutting a long list after `limit` with the count of the rest."""
    shown = ", ".join(str(t) for t in things[:limit])
    rest = len(things) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
