"""The structural model compiled: which factor regresses on which, in what order, with which residual covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, UnsupportedModelError, enumerate_briefly
from ..syntax.sem import ModelSyntax, Term, parse_model
from .coefficients import free_coefficients, regression_terms, require_same_predictors
from .support import require_structural_model

__all__ = ["PathModel", "compile_structural"]


@dataclass(frozen=True, eq=False, slots=True)
class PathModel:
    """A recursive path model among factors.

    Attributes
    ----------
    factors
        The factors the model uses, length Q, in the order of the measurement model.
    exogenous
        Indices of factors that are regressed on nothing.
    blocks
        Outcomes whose residuals covary, block after block in causal order; mostly one outcome each.
    outcome, predictor
        Indices of the factors joined by each regression, shape (R,). An intercept is a regression on the constant,
        whose index is Q.
    fixed
        Value of a regression fixed by the user, NaN where free, shape (R,).
    slot
        Which free coefficient of the clusters stands behind a regression, -1 where fixed or group-specific, shape (R,).
    equal
        Whether a free coefficient is the same in all clusters, shape (J,).
    group_specific
        Whether a regression is free in every group, shape (R,).
    meanstructure
        Whether factor means are part of the model.
    """

    factors: tuple[str, ...]
    exogenous: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]
    outcome: NDArray[np.int64]
    predictor: NDArray[np.int64]
    fixed: NDArray[np.float64]
    slot: NDArray[np.int64]
    equal: NDArray[np.bool_]
    group_specific: NDArray[np.bool_]
    meanstructure: bool = False

    @property
    def nodes(self) -> tuple[str, ...]:
        """What `outcome` and `predictor` index: the factors and, with means, the constant ``"1"``."""
        return (*self.factors, "1") if self.meanstructure else self.factors

    @property
    def is_intercept(self) -> NDArray[np.bool_]:
        """Which regressions are on the constant, shape (R,)."""
        return self.predictor == len(self.factors)

    @property
    def is_fixed(self) -> NDArray[np.bool_]:
        """Which regressions were fixed by the user, shape (R,)."""
        return ~np.isnan(self.fixed)

    @property
    def names(self) -> tuple[str, ...]:
        """The regressions as ``outcome~predictor``, length R."""
        pairs = zip(self.outcome, self.predictor, strict=True)
        return tuple(f"{self.nodes[j]}~{self.nodes[i]}" for j, i in pairs)

    @property
    def n_exogenous_parameters(self) -> int:
        """Variances and covariances of the exogenous factors in one group, and their means if there are any."""
        n = len(self.exogenous)
        return n * (n + 1) // 2 + n * self.meanstructure

    @property
    def n_residual_parameters(self) -> int:
        """Residual variances and covariances in one group (or cluster)."""
        return sum(len(b) * (len(b) + 1) // 2 for b in self.blocks)

    def n_regressions(self, k: int) -> int:
        """Free regressions of k clusters; an equal one counts once."""
        return int(self.equal.sum() + k * (~self.equal).sum())


def compile_structural(
    text: str,
    factors: Sequence[str],
    *,
    equal: Sequence[str] = (),
    group_specific: Sequence[str] = (),
    meanstructure: bool = False,
) -> PathModel:
    """Read a structural model in lavaan syntax and check that the mixture can use every part of it.

    Parameters
    ----------
    text
        Regressions ``outcome ~ predictors`` among factors and, if wanted, ``~~`` among outcomes. As in lavaan,
        residuals of factors that are only outcomes covary unless ``y1 ~~ 0*y2`` says otherwise.
    factors
        Factors of the measurement model.
    equal
        Regressions that are the same in all clusters, such as ``("support ~ narcissism",)``. A label in the
        model text means the same.
    group_specific
        Regressions that are free in every group.
    meanstructure
        Whether outcomes have intercepts, named as in ``"support ~ 1"``; in the text they need not be written.
    """
    syntax = parse_model(text)
    require_structural_model(syntax, factors, meanstructure=meanstructure)
    regressions = regression_terms(syntax, meanstructure)
    if not regressions:
        raise ModelError(
            "the structural model has no regression",
            allowed="lines such as 'outcome ~ predictor1 + predictor2' among the factors",
            todo="write at least one regression",
        )
    used = {name for t in regressions for name in (t.lhs, t.rhs) if name}
    names = tuple(f for f in factors if f in used)
    index = {name: i for i, name in enumerate(names)}
    outcomes = [index[f] for f in names if any(t.lhs == f for t in regressions)]
    # In the order of the factors, so that the order of lines in the text changes nothing.
    constant = len(names)
    regressions = sorted(regressions, key=lambda t: (index[t.lhs], index.get(t.rhs, constant)))
    edges = [(index[t.rhs], index[t.lhs]) for t in regressions if t.rhs]
    slot, is_equal, fixed, own = free_coefficients(regressions, equal, group_specific)
    outcome = np.array([index[t.lhs] for t in regressions])
    predictor = np.array([index.get(t.rhs, constant) for t in regressions])
    blocks = _residual_blocks(syntax, index, outcomes, edges)
    require_same_predictors(blocks, outcome, predictor, own, (*names, "1"))
    return PathModel(
        factors=names,
        exogenous=tuple(i for i in range(len(names)) if i not in outcomes),
        blocks=_causal_order(blocks, edges, names),
        outcome=outcome,
        predictor=predictor,
        fixed=fixed,
        slot=slot,
        equal=is_equal,
        group_specific=own,
        meanstructure=meanstructure,
    )


def _residual_blocks(
    syntax: ModelSyntax, index: dict[str, int], outcomes: list[int], edges: list[tuple[int, int]]
) -> list[tuple[int, ...]]:
    """Group the outcomes whose residuals covary: pure outcomes by default, others where the text says so."""
    predictors = {a for a, _ in edges}
    pure = [j for j in outcomes if j not in predictors]
    joined = {frozenset((a, b)) for a in pure for b in pure if a != b}
    for term in (t for t in syntax.terms if t.op == "~~"):
        _apply_covariance(term, index, outcomes, joined)
    blocks: list[set[int]] = []
    for j in outcomes:
        touching = [b for b in blocks if any(frozenset((j, i)) in joined for i in b)]
        blocks = [b for b in blocks if b not in touching] + [{j}.union(*touching)]
    for block in blocks:
        missing = [(a, b) for a in block for b in block if a < b and frozenset((a, b)) not in joined]
        if missing:
            names = {i: name for name, i in index.items()}
            pair = " ~~ ".join(names[i] for i in missing[0])
            raise UnsupportedModelError(
                f"residual covariances join {enumerate_briefly([names[i] for i in sorted(block)])}, but not {pair}",
                allowed="blocks of outcomes whose residuals all covary",
                todo=f"add '{pair}', or fix the others with '~~ 0*'",
            )
    return [tuple(sorted(b)) for b in blocks]


def _apply_covariance(term: Term, index: dict[str, int], outcomes: list[int], joined: set[frozenset[int]]) -> None:
    """Add or remove one residual covariance, or refuse it."""
    value = term.modifiers.fixed[0] if term.modifiers.fixed else None
    where = f"line {term.line}, column {term.column}: '{term.lhs} ~~ {term.rhs}'"
    unused = [name for name in (term.lhs, term.rhs) if name not in index]
    if unused:
        raise ModelError(
            f"{where}: {unused[0]} is in no regression", todo="add a regression with it, or remove this line"
        )
    a, b = index[term.lhs], index[term.rhs]
    if value is not None and not (value == 0 and a != b and a in outcomes and b in outcomes):
        raise UnsupportedModelError(
            f"{where} fixes a (co)variance at {value:g}",
            allowed="residual covariances of two outcomes, free or fixed at 0; all (co)variances of exogenous"
            " factors and all residual variances are estimated",
            todo="remove the line",
        )
    if a == b or (a not in outcomes and b not in outcomes):
        return  # free anyway
    if (a in outcomes) != (b in outcomes):
        raise UnsupportedModelError(
            f"{where} joins an exogenous factor and a residual",
            allowed="covariances among exogenous factors (always free) and among residuals of outcomes",
            todo="write a regression instead",
        )
    (joined.discard if value == 0 else joined.add)(frozenset((a, b)))


def _causal_order(
    blocks: list[tuple[int, ...]], edges: list[tuple[int, int]], names: tuple[str, ...]
) -> tuple[tuple[int, ...], ...]:
    """Sort the blocks so that predictors come first; a cycle is an error that shows the cycle."""
    home = {j: block for block in blocks for j in block}
    parents = {block: {home[a] for a, b in edges if b in block and a in home} for block in blocks}
    for block in blocks:
        if block in parents[block]:
            inside = [f"{names[b]} ~ {names[a]}" for a, b in edges if a in block and b in block]
            raise UnsupportedModelError(
                f"{inside[0]} joins two outcomes whose residuals covary",
                allowed="recursive models: a predictor's residual is uncorrelated with the outcome's",
                todo="drop the regression or the residual covariance",
            )
    ordered: list[tuple[int, ...]] = []
    waiting = sorted(blocks)
    while waiting:
        ready = [b for b in waiting if parents[b] <= set(ordered)]
        if not ready:
            raise UnsupportedModelError(
                f"the structural model has a cycle: {_cycle(edges, names)}",
                allowed="recursive models, in which no factor predicts itself through others",
                todo="remove one of these regressions",
            )
        ordered += ready
        waiting = [b for b in waiting if b not in ready]
    return tuple(ordered)


def _cycle(edges: list[tuple[int, int]], names: tuple[str, ...]) -> str:
    """One cycle among the regressions, as ``a -> b -> a``."""
    children: dict[int, list[int]] = {}
    for a, b in edges:
        children.setdefault(a, []).append(b)

    def walk(path: list[int]) -> list[int] | None:
        for child in children.get(path[-1], []):
            if child in path:
                return [*path[path.index(child) :], child]
            found = walk([*path, child])
            if found:
                return found
        return None

    found = next(filter(None, (walk([a]) for a in sorted(children))), [])
    return " -> ".join(names[i] for i in found) or "through residual covariances"
