"""What a structural equation model cannot use, refused by name and place."""

from __future__ import annotations

from ..errors import ModelError, OptionError, UnsupportedModelError, did_you_mean, enumerate_briefly
from ..options import Names, as_names
from ..syntax.terms import ModelSyntax, Term

__all__ = ["ordered_items", "require_sem"]

_ALLOWED = "loadings '=~', regressions '~', (co)variances '~~', intercepts '~ 1', constraints and ':='"

_OPERATORS = {
    "<~": ("a composite", "measure the factor with '=~'"),
    "~*~": ("a scaling factor of an ordinal item", "leave it out: the delta parameterisation sets it"),
    "|": ("a threshold", "leave it out: thresholds of ordered= items are free in every group"),
    "|~": ("the operator '|~'", "remove it"),
    "%": ("the operator '%'", "remove it"),
    ":~": ("a moderated parameter", "compare groups instead, with group="),
}
_MODIFIERS = {
    "efa": ("exploratory factors, efa()", "say with '=~' which items measure which factor"),
    "rv": ("a random slope, rv()", "use the multilevel models MLCFA or MLSEM"),
    "prior": ("a prior distribution, prior()", "use the Bayesian models MGBCFA or MLCFA"),
}


def require_sem(syntax: ModelSyntax) -> None:
    """Refuse what `cfa`, `sem` and `growth` do not estimate.

    Raises
    ------
    UnsupportedModelError
        Naming the first part that cannot be used, its line and column, and what to do instead.
    ModelError
        If there is nothing to estimate, or a variable predicts itself.
    """
    for term in syntax.terms:
        if term.op in _OPERATORS:
            raise _refused(term, *_OPERATORS[term.op])
        for name in term.modifiers.given:
            if name in _MODIFIERS:
                raise _refused(term, *_MODIFIERS[name])
        if ":" in term.rhs:
            raise _refused(term, "an interaction", "compute the product as a variable of its own")
        if term.block is not None and term.block.kind != "group":
            raise _refused(term, f"a block '{term.block}'", "write 'group:' and the label of a group")
        if term.op in ("=~", "~") and term.lhs == term.rhs:
            raise ModelError(f"{term.place}: '{term}' explains a variable by itself", allowed="two different names")
    if not syntax.terms:
        raise ModelError(
            "the model has no parameters", allowed=_ALLOWED, todo="write lines such as 'F =~ x1 + x2 + x3'"
        )


def ordered_items(ordered: Names | bool, syntax: ModelSyntax) -> tuple[str, ...]:
    """Names of the ordered items; True means every item of a factor."""
    items = tuple(item for item in syntax.indicators if item not in syntax.factors)
    if isinstance(ordered, bool):
        return items if ordered else ()
    names = as_names(ordered)
    for name in names:
        if name not in items:
            raise OptionError(
                f"ordered= names {name!r}, which is no item of a factor",
                allowed=enumerate_briefly(items, 20),
                todo=did_you_mean(name, items),
            )
    return names


def _refused(term: Term, what: str, todo: str) -> UnsupportedModelError:
    return UnsupportedModelError(f"{term.place}: '{term}' is {what}", allowed=_ALLOWED, todo=todo)
