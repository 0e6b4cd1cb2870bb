"""Every error that the package raises says what came and what is allowed or what to do: read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import mixsem
from mixsem import errors

SOURCE = Path(mixsem.__file__).parent
ERRORS = frozenset(
    name
    for name in errors.__all__
    if isinstance(value := getattr(errors, name), type) and issubclass(value, errors.MixsemError)
)


def without_advice(source: str) -> Iterator[ast.Call]:
    """Calls that make an error of one argument."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            given = {keyword.arg for keyword in node.keywords}
            if not given & {"allowed", "todo", None}:
                yield node


def test_every_error_says_what_is_allowed_or_what_to_do():
    found = [
        f"{path.relative_to(SOURCE)}, line {call.lineno}: {ast.unparse(call)[:100]}"
        for path in sorted(SOURCE.rglob("*.py"))
        if "Error(" in (text := path.read_text(encoding="utf-8"))
        for call in without_advice(text)
    ]
    assert not found, "\n".join(found)


def test_an_error_without_advice_is_found():
    assert list(without_advice("raise DataError('no rows')"))
    assert not list(without_advice("raise DataError('no rows', todo='add some')"))
