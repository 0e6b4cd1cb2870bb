"""What a structural model cannot use, refused by name and place."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ModelError, UnsupportedModelError, did_you_mean, enumerate_briefly
from ..syntax.sem import ModelSyntax, Term

__all__ = ["require_structural_model"]

_BELONGS = {
    "=~": "a loading belongs to the measurement model",
    "~1": "factor means are not part of this clustering unless meanstructure=True",
    "|": "thresholds belong to the measurement of ordinal items, which this method does not fit",
    "<~": "composites are not supported",
}


def require_structural_model(syntax: ModelSyntax, factors: Sequence[str], *, meanstructure: bool = False) -> None:
    """Every part is used or refused by name, with its line; intercepts are allowed with means."""
    for constraint in syntax.constraints:
        raise UnsupportedModelError(
            f"line {constraint.line}: a constraint with '{constraint.op}' in the structural model",
            allowed="fixed values (0.5*x), labels and equal= for regressions that are the same in all clusters",
            todo="give both regressions the same label, or drop the constraint",
        )
    for definition in syntax.definitions:
        raise UnsupportedModelError(
            f"line {definition.line}: the definition '{definition.name} :=' in the structural model",
            allowed="regressions '~' and residual covariances '~~'",
            todo="compute it from the coefficients of the fit",
        )
    for term in syntax.terms:
        _check_operator(term, meanstructure)
        for name in (term.lhs, term.rhs):
            if name not in factors and not (term.op == "~1" and not name):
                raise ModelError(
                    f"line {term.line}, column {term.column}: {name!r} in the structural model is not a factor"
                    " of the measurement model",
                    allowed=enumerate_briefly(factors),
                    todo=did_you_mean(name, factors) or "define it with =~ in the measurement model",
                )
        _check_modifiers(term)


def _check_operator(term: Term, meanstructure: bool) -> None:
    where = f"line {term.line}, column {term.column}: '{term.lhs} {term.op} {term.rhs}'".rstrip()
    if term.block is not None:
        raise UnsupportedModelError(
            f"{where} stands in a block '{term.block.kind}: {term.block.name}'",
            allowed="one structural model for all groups; clusters are found, not named",
            todo="remove the block header",
        )
    if term.op not in ("~", "~~", "~1") or (term.op == "~1" and not meanstructure):
        raise UnsupportedModelError(
            f"{where}: {_BELONGS.get(term.op, 'this operator is not supported here')}",
            allowed="regressions '~' and residual covariances '~~' among factors",
            todo="move or remove it",
        )
    if term.op == "~" and term.lhs == term.rhs:
        raise ModelError(f"{where}: a factor cannot predict itself", todo="remove it")


def _check_modifiers(term: Term) -> None:
    m = term.modifiers
    where = f"line {term.line}, column {term.column}: '{term.lhs} {term.op} {term.rhs}'"
    given = {
        "start()": m.start,
        "lower()": m.lower,
        "upper()": m.upper,
        "equal()": m.equal,
        "prior()": m.prior,
        "rv()": m.rv,
        "efa()": m.efa,
    }
    for name, value in given.items():
        if value:
            raise UnsupportedModelError(
                f"{where} has the modifier {name}",
                allowed="a number (fixed) or a label (the same in all clusters)",
                todo="remove the modifier; starting clusters are given with start=",
            )
    if len(m.fixed) > 1 or len(m.label) > 1:
        raise UnsupportedModelError(
            f"{where} has a modifier c(...) with one entry per group",
            allowed="one number or one label, valid for all clusters",
            todo="name regressions that are the same in all clusters in equal=",
        )
    if term.op == "~~" and (m.label and m.label[0]):
        raise UnsupportedModelError(
            f"{where} has a label: residual (co)variances cannot be constrained here",
            allowed="y1 ~~ y2 (free) and y1 ~~ 0*y2 (none)",
            todo="remove the label; residuals='cluster' makes them the same within a cluster",
        )
