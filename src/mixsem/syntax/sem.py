"""lavaan's model syntax: from text to terms, constraints and definitions.

One reader for measurement and structural models. It knows the grammar only; what a method can use of
it is decided where the method is.
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import ModelSyntaxError, OptionError
from .cursor import Cursor
from .modifiers import Modifiers
from .scanner import statements
from .statement import read_statement
from .terms import Block, Constraint, Definition, ModelSyntax, Term

__all__ = [
    "Block",
    "Constraint",
    "Definition",
    "ModelSyntax",
    "Modifiers",
    "Term",
    "parse_model",
    "parse_parameter",
]


def parse_model(text: str) -> ModelSyntax:
    """Read a model in lavaan syntax.

    The whole grammar is read: the operators ``=~ <~ ~*~ ~~ ~ |~ | % :~``, constraints (``==``, ``<``,
    ``>``), definitions (``:=``) and block headers (``group: 1``); modifiers as numbers, ``NA``, labels,
    ``c(...)``, ``start()``, ``lower()``, ``upper()``, ``fixed()``, ``equal()``, ``label()``, ``rv()``,
    ``prior()``, ``0.5?x``, and ``efa("block")*`` on the left; comments after ``#`` or ``!``.

    A statement ends at ``;`` or at the end of a line. It goes on over line ends after an operator or a
    comma, inside parentheses, and before a line that begins with ``+``, ``*`` or an operator that the
    statement still lacks. Blank lines and comments do not matter.

    Repeating a parameter in the same block adds its modifiers up. Where lavaan's versions differ on
    contradictory repetitions (``1*x + 2*x``), this is an error; so are names and operators with a blank
    inside, which lavaan deprecates.

    Parameters
    ----------
    text
        The model.

    Returns
    -------
    ModelSyntax

    Raises
    ------
    ModelSyntaxError
        With line, column, what came and what is allowed, if any part of the text cannot be read.

    References
    ----------
    Rosseel, Y. (2012). lavaan: An R package for structural equation modeling. Journal of Statistical
    Software, 48(2). https://doi.org/10.18637/jss.v048.i02

    Examples
    --------
    >>> model = parse_model('''
    ...     trust =~ t1 + a*t2 + start(0.8)*t3   # three items
    ...     trust ~ age
    ...     total := a^2
    ... ''')
    >>> model.factors, model.indicators, model.observed
    (('trust',), ('t1', 't2', 't3'), ('t1', 't2', 't3', 'age'))
    >>> print(model.terms[1], model.terms[1].modifiers.label, model.terms[1].place)
    trust =~ t2 ('a',) line 2, column 19
    """
    if not isinstance(text, str):
        raise OptionError(f"model syntax came as {type(text).__name__}", allowed="text, as in 'F =~ x1 + x2 + x3'")
    terms: dict[tuple[object, ...], Term] = {}
    constraints: list[Constraint] = []
    definitions: dict[str, Definition] = {}
    block: Block | None = None
    for tokens in statements(text):
        match read_statement(Cursor(text, tokens)):
            case Block() as header:
                block = _nested(text, header, block, tokens[0].line, tokens[0].column)
            case Constraint() as constraint:
                constraints.append(constraint)
            case Definition() as definition:
                _require_new(text, definition, definitions)
                definitions[definition.name] = definition
            case list(written):
                for term in written:
                    _add(text, terms, replace(term, block=block))
    syntax = ModelSyntax(text, tuple(terms.values()), tuple(constraints), tuple(definitions.values()))
    _require_content(syntax)
    return syntax


def parse_parameter(text: str) -> tuple[str, str, str]:
    """Read the name of one parameter.

    Parameters
    ----------
    text
        One left-hand name, an operator, one right-hand name, as in options such as ``partial=``.

    Returns
    -------
    tuple of str
        Left-hand name, operator, right-hand name; ``("x1", "~1", "")`` for an intercept.

    Raises
    ------
    ModelSyntaxError
        If the text is not exactly one parameter.

    Examples
    --------
    >>> parse_parameter("narcissism =~ cnarc3")
    ('narcissism', '=~', 'cnarc3')
    >>> parse_parameter("cnarc3 ~ 1")
    ('cnarc3', '~1', '')
    """
    syntax = parse_model(text)
    alone = len(syntax.terms) == 1 and not syntax.constraints and not syntax.definitions
    if not alone or syntax.terms[0].block or syntax.terms[0].modifiers.given:
        raise ModelSyntaxError(
            "this is not the name of one parameter",
            text=text,
            line=1,
            column=1,
            allowed="'F =~ x1', 'x1 ~~ x2' or 'x1 ~ 1', without modifiers",
        )
    term = syntax.terms[0]
    return term.lhs, term.op, term.rhs


def _add(text: str, terms: dict[tuple[object, ...], Term], term: Term) -> None:
    """Add a term, or merge it with an earlier one for the same parameter of the same block."""
    pair = tuple(sorted((term.lhs, term.rhs))) if term.op == "~~" else (term.lhs, term.rhs)
    key = (term.block, term.op, pair)
    earlier = terms.setdefault(key, term)
    if name := earlier.modifiers.clash(term.modifiers):
        raise ModelSyntaxError(
            f"'{name}' of {term} was given on line {earlier.line} with another value",
            text=text,
            line=term.line,
            column=term.column,
            allowed="each modifier once per parameter and block",
            todo="remove one of the two",
        )
    terms[key] = replace(earlier, modifiers=earlier.modifiers.merge(term.modifiers))


def _nested(text: str, header: Block, current: Block | None, line: int, column: int) -> Block:
    """Put a level block inside the group block it stands in."""
    if header.kind == "level" and current is not None:
        return replace(header, outer=current if current.kind == "group" else current.outer)
    if header.kind == "group" and current is not None and current.kind == "level" and current.outer is None:
        raise ModelSyntaxError(
            "a group stands inside a level",
            text=text,
            line=line,
            column=column,
            allowed="levels inside groups",
            todo="write the group header first, then its levels",
        )
    return header


def _require_new(text: str, definition: Definition, earlier: dict[str, Definition]) -> None:
    if definition.name in earlier:
        raise ModelSyntaxError(
            f"'{definition.name}' was already defined on line {earlier[definition.name].line}",
            text=text,
            line=definition.line,
            column=definition.column,
            todo="choose another name",
        )


def _require_content(syntax: ModelSyntax) -> None:
    """Refuse a text that says nothing, and a definition under the name of a label."""
    if not (syntax.terms or syntax.constraints or syntax.definitions):
        raise ModelSyntaxError(
            "the model is empty",
            text=syntax.text,
            line=1,
            column=1,
            allowed="lines such as 'F =~ x1 + x2 + x3'",
        )
    labels = {label: term for term in syntax.terms for label in term.modifiers.label}
    for definition in syntax.definitions:
        if definition.name in labels:
            raise ModelSyntaxError(
                f"'{definition.name}' is already the label of {labels[definition.name]}",
                text=syntax.text,
                line=definition.line,
                column=definition.column,
                todo="choose another name",
            )
