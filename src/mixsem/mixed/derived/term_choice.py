"""Which random effects are meant: all, none, those of grouping factors, or terms as a formula has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...errors import ModelSyntaxError, OptionError, did_you_mean, enumerate_briefly
from ..formulas.formula import Bar, parse_formula
from ..formulas.formula_text import scan

if TYPE_CHECKING:
    from ..designs.design import Design

__all__ = ["choose_terms"]


def choose_terms(design: Design, random: str | Iterable[str]) -> tuple[int, ...]:
    """Positions of the random terms that are meant.

    Parameters
    ----------
    design
        The design.
    random
        ``"all"``, ``"none"``, or one or more grouping factors and terms, such as ``"Subject"`` or ``"(1 | plate)"``.

    Raises
    ------
    OptionError
        If there is no such term.

    Examples
    --------
    >>> from mixsem.data import sleepstudy
    >>> from mixsem.mixed.designs.design import read_design
    >>> choose_terms(read_design("Reaction ~ Days + (Days || Subject)", sleepstudy()), "(Days||Subject)")
    (0,)
    """
    if random == "all":
        return tuple(range(len(design.terms)))
    if random == "none":
        return ()
    texts = [random] if isinstance(random, str) else list(random) if isinstance(random, Iterable) else [random]
    found: set[int] = set()
    for text in texts:
        if not isinstance(text, str):
            raise _unknown(design, random)
        meant = _of_group(design, text) or _of_bars(design, text)
        if not meant:
            raise _unknown(design, text)
        found |= meant
    return tuple(sorted(found))


def _of_group(design: Design, name: str) -> set[int]:
    return {t for t, term in enumerate(design.terms) if design.factors[term.factor].name == name}


def _of_bars(design: Design, text: str) -> set[int]:
    if not text.lstrip().startswith("("):
        return set()
    try:
        wanted = [_key(bar) for bar in parse_formula(f"y ~ {text}").bars]
    except ModelSyntaxError:
        return set()
    places = {_key(term.bar): t for t, term in enumerate(design.terms)}
    return {places[key] for key in wanted} if all(key in places for key in wanted) else set()


def _key(bar: Bar) -> tuple[tuple[str, ...], frozenset[str], bool]:
    """What makes two terms the same: ``(1 + x | g)`` is written as ``(x | g)`` too."""
    words = tuple(token.text for token in scan(bar.columns))
    return (words[2:] if words[:2] == ("1", "+") else words), frozenset(bar.group), bar.correlated


def _unknown(design: Design, given: object) -> OptionError:
    groups, terms = [f.name for f in design.factors], [t.bar.text for t in design.terms]
    return OptionError(
        f"random={given!r}",
        allowed=enumerate_briefly(['"all"', '"none"', *map(repr, [*groups, *terms])], limit=20),
        todo=did_you_mean(str(given), [*groups, *terms]) or "name grouping factors, or terms as in the formula",
    )
