"""What a model parameter is over groups: equal, free, random or approximately equal."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Approximate", "Equal", "Free", "Random", "Role"]


@dataclass(frozen=True)
class Equal:
    """The same value in all groups."""


@dataclass(frozen=True)
class Free:
    """A value of its own in every group, with the vague prior of its kind."""


@dataclass(frozen=True)
class Random:
    """Normally distributed over groups, on the log scale for a variance and Fisher's z scale for a correlation."""


@dataclass(frozen=True)
class Approximate:
    """Nearly equal: normally distributed around the reference group's value, or symmetrically around a common one.

    Attributes
    ----------
    variance
        Prior variance of the difference to the reference group; in the symmetric form half of it around the common
        value, so that any two groups differ with this variance.
    reference
        Index of the reference group; None for the symmetric form.
    """

    variance: float
    reference: int | None = 0


Role = Equal | Free | Random | Approximate
