"""Where the factors of a path diagram stand: in layers from cause to effect, with few crossings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Layout", "layered_layout"]

Edge = tuple[int, int]

#: Room of an edge that passes a layer, compared with that of a node.
PASSING = 0.7


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of nodes and the points that edges pass, in units of layers (x) and rows (y).

    Attributes
    ----------
    nodes
        Place of each node.
    bends
        For each edge the points it passes between its ends, so that it goes around the layers in between.
    """

    nodes: tuple[tuple[float, float], ...]
    bends: tuple[tuple[tuple[float, float], ...], ...]


def layered_layout(n_nodes: int, edges: Sequence[Edge]) -> Layout:
    """Lay out a graph without cycles in layers, causes at the left.

    Parameters
    ----------
    n_nodes
        Number of nodes; they are numbered from 0.
    edges
        Pairs of cause and effect.

    Returns
    -------
    Layout

    References
    ----------
    Sugiyama, Tagawa & Toda (1981), Methods for visual understanding of hierarchical system structures. IEEE
    Transactions on Systems, Man, and Cybernetics 11, 109-125.

    Examples
    --------
    >>> layout = layered_layout(3, [(0, 1), (0, 2), (1, 2)])
    >>> layout.nodes
    ((0.0, 0.0), (1.0, -0.35), (2.0, 0.0))
    >>> [(x, round(y, 2)) for x, y in layout.bends[1]]
    [(1.0, 0.5)]
    """
    depth = _depths(n_nodes, edges)
    layers: list[list[int]] = [[] for _ in range(max(depth, default=0) + 1)]
    for node in range(n_nodes):
        layers[depth[node]].append(node)
    segments: list[Edge] = []
    chains: list[list[int]] = []
    count = n_nodes
    for cause, effect in edges:  # a long edge passes a place of its own in every layer between
        chain = list(range(count, count + depth[effect] - depth[cause] - 1))
        count += len(chain)
        for step, stop in enumerate(chain, start=1):
            layers[depth[cause] + step].append(stop)
        segments += pairwise([cause, *chain, effect])
        chains.append(chain)
    layers = _ordered(layers, segments)
    place = {node: (float(x), y) for x, layer in enumerate(layers) for node, y in _rows(layer, n_nodes).items()}
    return Layout(
        nodes=tuple(place[node] for node in range(n_nodes)),
        bends=tuple(tuple(place[stop] for stop in chain) for chain in chains),
    )


def _rows(layer: list[int], n_nodes: int) -> dict[int, float]:
    """Places within a layer around zero; a passing edge takes less room than a node."""
    rooms = [1.0 if node < n_nodes else PASSING for node in layer]
    ends = [sum(rooms[: i + 1]) for i in range(len(rooms))]
    return {node: end - room / 2 - ends[-1] / 2 for node, end, room in zip(layer, ends, rooms, strict=True)}


def _depths(n_nodes: int, edges: Sequence[Edge]) -> list[int]:
    """Length of the longest way from a node without causes."""
    depth = [0] * n_nodes
    for _ in range(n_nodes):
        for cause, effect in edges:
            depth[effect] = max(depth[effect], depth[cause] + 1)
    return depth


def _ordered(layers: list[list[int]], segments: list[Edge]) -> list[list[int]]:
    """Order every layer by the mean place of its neighbours, forth and back, and keep the best order seen."""
    best, fewest = layers, _crossings(layers, segments)
    current = layers
    for sweep in range(8):
        forth = sweep % 2 == 0
        current = [list(layer) for layer in current]
        indices = range(1, len(current)) if forth else range(len(current) - 2, -1, -1)
        for x in indices:
            fixed = {node: place for place, node in enumerate(current[x - 1 if forth else x + 1])}
            links = [(a, b) if forth else (b, a) for a, b in segments]
            mean = {node: _mean([fixed[a] for a, b in links if b == node and a in fixed]) for node in current[x]}
            current[x].sort(key=mean.__getitem__)
        crossings = _crossings(current, segments)
        if crossings < fewest:
            best, fewest = current, crossings
    return best


def _mean(places: list[int]) -> float:
    return sum(places) / len(places) if places else 0.0


def _crossings(layers: list[list[int]], segments: list[Edge]) -> float:
    """Pairs of segments that cross; ties go to layouts with short segments."""
    place = {node: row - (len(layer) - 1) / 2 for layer in layers for row, node in enumerate(layer)}
    depth = {node: x for x, layer in enumerate(layers) for node in layer}
    crossed = sum(
        (place[a] - place[c]) * (place[b] - place[d]) < 0
        for i, (a, b) in enumerate(segments)
        for c, d in segments[:i]
        if depth[a] == depth[c]
    )
    return crossed + 1e-3 * sum(abs(place[a] - place[b]) for a, b in segments)
