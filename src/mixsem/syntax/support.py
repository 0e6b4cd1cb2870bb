"""What a confirmatory measurement model cannot use, refused by name and place."""

from __future__ import annotations

from ..errors import ModelError, UnsupportedModelError, enumerate_briefly
from .terms import ModelSyntax, Term

__all__ = ["require_measurement_model"]

_ALLOWED = "loadings '=~', (co)variances '~~', intercepts '~ 1', labels, and '==' between labels and numbers"

# operator -> what it is, and where it belongs
_OPERATORS = {
    "~": ("a regression", "put regressions among factors into the structural model, structural="),
    "<~": ("a composite", "measure the factor with '=~'"),
    "~*~": ("a scaling factor of an ordinal item", "treat the items as continuous"),
    "|": ("a threshold of an ordinal item", "treat the items as continuous"),
    "|~": ("the operator '|~'", "remove it"),
    "%": ("the operator '%'", "remove it"),
    ":~": ("a moderated parameter", "remove it; groups are the only moderator here"),
}

_MODIFIERS = {
    "efa": ("exploratory factors, efa()", "say with '=~' which items measure which factor"),
    "rv": (
        "a random slope, rv()",
        "let loadings vary with the option random= of the multilevel model, MLCFA",
    ),
    "prior": (
        "a prior distribution, prior()",
        "priors are options of the Bayesian methods, MGBCFA and MLCFA, not part of the model text",
    ),
}

_BLOCKS = {
    "level": "leave the levels to the multilevel model, MLCFA, which takes one model without headers",
    "block": "write 'group:' and the label of a group",
    "class": "clusters of groups are found in the structural step; write one model without this header",
}


def require_measurement_model(syntax: ModelSyntax) -> None:
    """Refuse everything but factors measured by items.

    Raises
    ------
    UnsupportedModelError
        Naming the first part that cannot be used, its line and column, and where it belongs.
    ModelError
        If there is no factor, or a name is neither a factor nor an item.
    """
    for term in syntax.terms:
        if term.op in _OPERATORS:
            raise _refused(term, *_OPERATORS[term.op])
        for name in term.modifiers.given:
            if name in _MODIFIERS:
                raise _refused(term, *_MODIFIERS[name])
        if ":" in term.rhs:
            raise _refused(term, "an interaction", "compute the product as an item of its own")
        if term.block is not None and term.block.kind != "group":
            raise _refused(term, f"a block '{term.block}'", _BLOCKS[term.block.kind])
    _require_two_layers(syntax)
    _require_plain_constraints(syntax)


def _require_two_layers(syntax: ModelSyntax) -> None:
    """Every name is a factor or an item, and no name is both."""
    factors, items = syntax.factors, syntax.indicators
    if not factors:
        raise ModelError(
            "the measurement model has no factor",
            allowed="lines such as 'F =~ x1 + x2 + x3'",
            todo="say with '=~' which items measure which factor",
        )
    for term in syntax.terms:
        if term.op == "=~" and term.rhs in factors:
            measured_by = [t.rhs for t in syntax.terms if t.op == "=~" and t.lhs == term.rhs]
            raise _refused(
                term,
                f"a factor as an indicator: '{term.rhs}' is measured by {enumerate_briefly(measured_by)}",
                "second-order factors are not supported; rename the factor if it should not be the item",
            )
        for name in (term.lhs, term.rhs):
            if name and name not in factors and name not in items:
                raise ModelError(
                    f"{term.place}: '{name}' in '{term}' is neither a factor nor an item",
                    allowed=f"factors {enumerate_briefly(factors)}; items {enumerate_briefly(items)}",
                    todo=f"say what measures '{name}' or what it measures, with '=~'",
                )
        if term.op == "~~" and (term.lhs in factors) != (term.rhs in factors):
            raise _refused(term, "a covariance of a factor with an item", "write a loading with '=~'")


def _require_plain_constraints(syntax: ModelSyntax) -> None:
    for constraint in syntax.constraints:
        if constraint.op != "==":
            raise UnsupportedModelError(
                f"{constraint.place}: '{constraint}' is an inequality constraint",
                allowed="'==' between labels and numbers",
                todo="remove it",
            )
    for definition in syntax.definitions:
        raise UnsupportedModelError(
            f"{definition.place}: '{definition}' is a defined parameter",
            allowed=_ALLOWED,
            todo="compute it from the estimates after the fit",
        )


def _refused(term: Term, what: str, todo: str) -> UnsupportedModelError:
    return UnsupportedModelError(f"{term.place}: '{term}' is {what}", allowed=_ALLOWED, todo=todo)
