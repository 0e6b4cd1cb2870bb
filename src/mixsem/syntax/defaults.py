"""lavaan's default parameters: what a model contains though nobody wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as changed
from itertools import combinations
from math import nan

from .cells import Cell, Key
from .variables import Variables

__all__ = ["Defaults"]

_SAMPLE = Cell(fixed=nan)
_ZERO = Cell(fixed=0.0)
_FREE = Cell()

Written = dict[Key, Cell]


@dataclass(frozen=True, slots=True)
class Defaults:
    """Which of lavaan's defaults apply.

    Attributes
    ----------
    std_lv
        Scale the factors by unit variances instead of marker variables.
    meanstructure
        Model intercepts and factor means.
    free_variances, free_means
        Free the factor variances (means) in all groups but the first, because equal loadings (intercepts)
        carry the scale (origin) of the first group over.
    fixed_x
        Take the moments of covariates as given; otherwise they are parameters.
    orthogonal
        Fix the covariances of factors at zero.
    free_intercepts, factor_means
        Intercepts of observed variables are free, else zero; factor means are free in every group (growth curves).
    """

    std_lv: bool = False
    meanstructure: bool = False
    free_variances: bool = False
    free_means: bool = False
    fixed_x: bool = True
    orthogonal: bool = False
    free_intercepts: bool = True
    factor_means: bool = False

    def cells(self, variables: Variables, written: Written, *, first: bool) -> Iterator[tuple[Key, Cell]]:
        """Yield the default cells of one group, and the written cells that a default fixes.

        Parameters
        ----------
        variables
            The variables of the model.
        written
            What the user wrote for this group.
        first
            Whether this is the first group.
        """
        yield from self._scales(variables, written)
        for part in (self._variances, self._covariances, self._means):
            for key, cell in part(variables, written, first):
                if key not in written and (key[2], key[1], key[0]) not in written:
                    yield key, cell

    def _scales(self, variables: Variables, written: Written) -> Iterator[tuple[Key, Cell]]:
        """Markers or unit variances give the factors their scale, unless the user wrote a value or ``NA``."""
        for factor in variables.latent:
            marker = next(key for key in written if key[0] == factor and key[1] == "=~")
            if not self.std_lv and not written[marker].given:
                yield marker, changed(written[marker], fixed=1.0)
            key = (factor, "~~", factor)
            if self.std_lv and key in written and not written[key].given:
                yield key, changed(written[key], fixed=1.0)

    def _variances(self, variables: Variables, written: Written, first: bool) -> Iterator[tuple[Key, Cell]]:
        """Everything has a variance; that of a factor's only item is zero, for the two could not be told apart."""
        loadings = [key for key in written if key[1] == "=~"]
        alone = {of[0] for f in variables.latent if len(of := [key[2] for key in loadings if key[0] == f]) == 1}
        for name in variables.observed:
            if name not in variables.covariates:
                only = name in alone and sum(key[2] == name for key in loadings) == 1
                yield (name, "~~", name), _ZERO if only else _FREE
        unit = self.std_lv and (first or not self.free_variances)
        for factor in variables.latent:
            only = factor in alone and sum(key[2] == factor for key in loadings) == 1
            yield (factor, "~~", factor), Cell(fixed=1.0) if unit else _ZERO if only else _FREE

    def _covariances(self, variables: Variables, written: Written, first: bool) -> Iterator[tuple[Key, Cell]]:
        """Exogenous factors covary, so do the residuals of final outcomes, and covariates as they did in the sample."""
        latent = set(variables.latent)
        for a, b in (*combinations(variables.exogenous, 2), *combinations(variables.outcomes, 2)):
            yield _ordered(a, b, variables), _ZERO if self.orthogonal and {a, b} <= latent else _FREE
        for i, a in enumerate(variables.covariates):
            for b in variables.covariates[i:]:
                yield (a, "~~", b), _SAMPLE if self.fixed_x else _FREE

    def _means(self, variables: Variables, written: Written, first: bool) -> Iterator[tuple[Key, Cell]]:
        if not self.meanstructure:
            return
        for name in variables.observed:
            fixed = name in variables.covariates and self.fixed_x
            yield (name, "~1", ""), _SAMPLE if fixed else _FREE if self.free_intercepts else _ZERO
        for factor in variables.latent:
            free = self.factor_means or (self.free_means and not first)
            yield (factor, "~1", ""), _FREE if free else _ZERO


def _ordered(a: str, b: str, variables: Variables) -> Key:
    """Name a covariance in the order of the variables."""
    names = variables.names
    return (a, "~~", b) if names.index(a) <= names.index(b) else (b, "~~", a)
