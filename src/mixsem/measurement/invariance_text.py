"""Model texts of parts of a measurement model, and with other marker items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import UnsupportedModelError, enumerate_briefly
from ..syntax.blocks import Blocks, partition_factors
from ..syntax.sem import parse_model
from ..syntax.support import require_measurement_model
from ..syntax.table import measurement_table
from ..syntax.terms import ModelSyntax, Term

__all__ = ["block_models", "with_markers"]


def block_models(text: str, blocks: Blocks) -> tuple[tuple[str, str], ...]:
    """Split a measurement model into its blocks: pairs of the factors' names and the block's own model text.

    Raises
    ------
    UnsupportedModelError
        If there are several blocks, and the text has modifiers, constraints or ``group:`` headers.
    """
    syntax = parse_model(text)
    require_measurement_model(syntax)
    parts = partition_factors(measurement_table(syntax, groups=("",)), blocks)
    if len(parts) == 1:
        return ((", ".join(parts[0]), text),)
    _require_plain(syntax)
    return tuple((", ".join(part), _text_of(syntax, part)) for part in parts)


def _require_plain(syntax: ModelSyntax) -> None:
    places = [t.place for t in syntax.terms if t.modifiers.given or t.block is not None]
    places += [c.place for c in syntax.constraints] + [d.place for d in syntax.definitions]
    if places:
        raise UnsupportedModelError(
            f"{places[0]}: modifiers, constraints and group headers cannot be divided into measurement blocks",
            allowed="blocks='joint', which fits all factors together",
            todo="leave blocks= out, or write one model per block",
        )


def _text_of(syntax: ModelSyntax, part: Sequence[str]) -> str:
    """The lines of a model that belong to some of its factors."""
    inside = {*part, *(t.rhs for t in syntax.terms if t.op == "=~" and t.lhs in part)}
    kept = [t for t in syntax.terms if t.lhs in inside and (t.rhs in inside or t.op == "~1")]
    loadings = [
        f"{factor} =~ " + " + ".join(t.rhs for t in kept if t.op == "=~" and t.lhs == factor) for factor in part
    ]
    return "\n".join([*loadings, *(str(t) for t in kept if t.op != "=~")])


def with_markers(text: str, free: Sequence[tuple[str, str]]) -> tuple[str, dict[str, str]]:
    """Give factors whose marker shall be free over groups another marker.

    Parameters
    ----------
    text
        A measurement model without fixed loadings: the first item of each factor is its marker.
    free
        Pairs of factor and item whose loadings shall be free.

    Returns
    -------
    tuple
        The model text, with ``NA*`` before the old marker and ``1*`` before the new one (the first item that is not to
        be free), and the new marker by factor; empty if no marker had to change.

    Examples
    --------
    >>> with_markers("F =~ x1 + x2 + x3", [("F", "x1")])
    ('F =~ NA*x1 + 1*x2 + x3', {'F': 'x2'})
    """
    syntax = parse_model(text)
    changed: dict[str, str] = {}
    inserted: dict[tuple[int, int], str] = {}
    for factor in syntax.factors:
        terms = [t for t in syntax.terms if t.op == "=~" and t.lhs == factor]
        if (factor, terms[0].rhs) not in free:
            continue
        kept = [t for t in terms if (factor, t.rhs) not in free and not t.modifiers.given]
        if not kept:
            raise UnsupportedModelError(
                f"{factor} has no item left that could be its marker",
                allowed=f"an item without a modifier, among {enumerate_briefly([t.rhs for t in terms])}",
                todo="keep an item invariant",
            )
        inserted[_at(terms[0])] = "NA*"
        inserted[_at(kept[0])] = "1*"
        changed[factor] = kept[0].rhs
    return _insert(text, inserted), changed


def _at(term: Term) -> tuple[int, int]:
    return term.line, term.column


def _insert(text: str, pieces: Mapping[tuple[int, int], str]) -> str:
    """Insert pieces at lines and columns, both counted from 1."""
    lines = text.splitlines(keepends=True)
    for line, column in sorted(pieces, reverse=True):
        old = lines[line - 1]
        lines[line - 1] = old[: column - 1] + pieces[line, column] + old[column - 1 :]
    return "".join(lines)
