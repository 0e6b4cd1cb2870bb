"""Layouts put causes before effects, keep nodes apart and lead long edges around the layers between."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixsem.plots.layered import layered_layout
from mixsem.plots.style import wrap

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Edges]:
    """Graphs without cycles: every edge leads to a higher number, and the numbers are shuffled."""
    n = draw(st.integers(2, 7))
    pairs = list(combinations(range(n), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1, max_size=12))
    names = draw(st.permutations(range(n)))
    return n, [(names[a], names[b]) for a, b in edges]


@given(graphs())
def test_causes_stand_left_of_effects(graph: tuple[int, Edges]) -> None:
    n, edges = graph
    layout = layered_layout(n, edges)
    for (cause, effect), bends in zip(edges, layout.bends, strict=True):
        layers = [layout.nodes[cause][0], *(x for x, _ in bends), layout.nodes[effect][0]]
        assert [b - a for a, b in pairwise(layers)] == [1.0] * (len(layers) - 1)


@given(graphs())
def test_nothing_stands_on_anything_else(graph: tuple[int, Edges]) -> None:
    n, edges = graph
    layout = layered_layout(n, edges)
    for (x1, y1), (x2, y2) in combinations(layout.nodes, 2):
        assert x1 != x2 or abs(y1 - y2) >= 0.999
    for bends in layout.bends:
        for x, y in bends:
            assert all(x != nx or abs(y - ny) >= 0.84 for nx, ny in layout.nodes)


def test_crossings_are_avoided() -> None:
    layout = layered_layout(4, [(0, 3), (1, 2)])
    assert (layout.nodes[0][1] - layout.nodes[1][1]) * (layout.nodes[3][1] - layout.nodes[2][1]) > 0


def test_a_chain_is_a_line() -> None:
    assert layered_layout(3, [(0, 1), (1, 2)]).nodes == ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0))


@pytest.mark.parametrize(
    ("label", "lines"),
    [
        ("narcissism", ["narcissism"]),
        ("policy_support", ["policy_", "support"]),
        ("institutional_trust", ["institutional_", "trust"]),
        ("two words", ["two words"]),
        ("incomprehensibilities", ["incomprehensi", "bilities"]),
        ("cost $", [r"cost \$"]),
    ],
)
def test_names_are_broken_where_it_hurts_least(label: str, lines: list[str]) -> None:
    assert wrap(label, 13).split("\n") == lines


@given(st.text(alphabet="ab_ $", min_size=1, max_size=40))
def test_wrapping_loses_nothing(label: str) -> None:
    kept = wrap(label, 9).replace("\n", "").replace(r"\$", "$").replace(" ", "")
    assert kept == label.replace(" ", "")
