"""The structural model compiled: which factor regresses on which, in what order, with which residual covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, OptionError, UnsupportedModelError, did_you_mean, enumerate_briefly
from ..syntax.sem import ModelSyntax, Term, parse_model, parse_parameter
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
        Indices of the factors joined by each regression, shape (R,).
    fixed
        Value of a regression fixed by the user, NaN where free, shape (R,).
    slot
        Which free coefficient stands behind a regression, -1 where fixed, shape (R,).
    equal
        Whether a free coefficient is the same in all clusters, shape (J,).
    """

    factors: tuple[str, ...]
    exogenous: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...]
    outcome: NDArray[np.int64]
    predictor: NDArray[np.int64]
    fixed: NDArray[np.float64]
    slot: NDArray[np.int64]
    equal: NDArray[np.bool_]

    @property
    def names(self) -> tuple[str, ...]:
        """The regressions as ``outcome~predictor``, length R."""
        pairs = zip(self.outcome, self.predictor, strict=True)
        return tuple(f"{self.factors[j]}~{self.factors[i]}" for j, i in pairs)

    @property
    def n_exogenous_parameters(self) -> int:
        """Variances and covariances of the exogenous factors in one group."""
        return len(self.exogenous) * (len(self.exogenous) + 1) // 2

    @property
    def n_residual_parameters(self) -> int:
        """Residual variances and covariances in one group (or cluster)."""
        return sum(len(b) * (len(b) + 1) // 2 for b in self.blocks)

    def n_regressions(self, k: int) -> int:
        """Free regressions of k clusters; an equal one counts once."""
        return int(self.equal.sum() + k * (~self.equal).sum())


def compile_structural(text: str, factors: Sequence[str], *, equal: Sequence[str] = ()) -> PathModel:
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
    """
    syntax = parse_model(text)
    require_structural_model(syntax, factors)
    regressions = [t for t in syntax.terms if t.op == "~"]
    if not regressions:
        raise ModelError(
            "the structural model has no regression",
            allowed="lines such as 'outcome ~ predictor1 + predictor2' among the factors",
            todo="write at least one regression",
        )
    used = {name for t in regressions for name in (t.lhs, t.rhs)}
    names = tuple(f for f in factors if f in used)
    index = {name: i for i, name in enumerate(names)}
    outcomes = [index[f] for f in names if any(t.lhs == f for t in regressions)]
    # In the order of the factors, so that the order of lines in the text changes nothing.
    regressions = sorted(regressions, key=lambda t: (index[t.lhs], index[t.rhs]))
    edges = [(index[t.rhs], index[t.lhs]) for t in regressions]
    slot, is_equal, fixed = _free_coefficients(regressions, equal)
    blocks = _residual_blocks(syntax, index, outcomes, edges)
    return PathModel(
        factors=names,
        exogenous=tuple(i for i in range(len(names)) if i not in outcomes),
        blocks=_causal_order(blocks, edges, names),
        outcome=np.array([index[t.lhs] for t in regressions]),
        predictor=np.array([index[t.rhs] for t in regressions]),
        fixed=fixed,
        slot=slot,
        equal=is_equal,
    )


def _free_coefficients(
    regressions: Sequence[Term], equal: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    """Number the free coefficients; those with a label or named in `equal` are the same in all clusters."""
    named = set()
    known = {(t.lhs, t.rhs) for t in regressions}
    for text in equal:
        lhs, op, rhs = parse_parameter(text)
        if op != "~" or (lhs, rhs) not in known:
            listed = [f"{a} ~ {b}" for a, b in sorted(known)]
            raise OptionError(
                f"equal= names {text!r}, which is not a regression of the model",
                allowed=enumerate_briefly(listed),
                todo=did_you_mean(text, listed) or "name regressions as they stand in the structural model",
            )
        named.add((lhs, rhs))
    slots: dict[str, int] = {}
    slot, is_equal, fixed = [], [], []
    for term in regressions:
        value = term.modifiers.fixed[0] if term.modifiers.fixed else None
        fixed.append(np.nan if value is None else value)
        if value is not None:
            slot.append(-1)
            continue
        label = term.modifiers.label[0] if term.modifiers.label else ""
        key = label or f"{term.lhs}~{term.rhs}"
        if key not in slots:
            slots[key] = len(slots)
            is_equal.append(False)
        slot.append(slots[key])
        is_equal[slots[key]] |= bool(label) or (term.lhs, term.rhs) in named
    return np.array(slot), np.array(is_equal, dtype=bool), np.array(fixed)


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
