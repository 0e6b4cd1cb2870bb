"""Agreement of partitions, against enumeration and known values."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixsem.errors import OptionError
from mixsem.simulate import adjusted_rand_index, correctly_clustered, match_labels

PARTITIONS = st.integers(2, 12).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 3), min_size=n, max_size=n) for _ in range(2)))
)


def by_pairs(a: list[int], b: list[int]) -> float:
    """Hubert and Arabie's index from the four kinds of pairs."""
    both = first = second = total = 0
    for i, j in combinations(range(len(a)), 2):
        same_a, same_b = a[i] == a[j], b[i] == b[j]
        both, first, second, total = both + (same_a and same_b), first + same_a, second + same_b, total + 1
    expected = first * second / total
    largest = (first + second) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)


@given(PARTITIONS)
def test_adjusted_rand_index_counts_pairs(pair: tuple[list[int], list[int]]) -> None:
    assert adjusted_rand_index(*pair) == pytest.approx(by_pairs(*pair), abs=1e-12)


@given(PARTITIONS, st.permutations(range(4)))
def test_numbering_does_not_matter(pair: tuple[list[int], list[int]], renumbered: list[int]) -> None:
    a, b = pair
    other = [renumbered[k] for k in a]
    assert adjusted_rand_index(other, b) == pytest.approx(adjusted_rand_index(a, b), abs=1e-12)
    assert correctly_clustered(other, b) == correctly_clustered(a, b)
    np.testing.assert_array_equal(match_labels(a, other)[a], other)


@given(PARTITIONS)
def test_matching_is_the_best_of_all(pair: tuple[list[int], list[int]]) -> None:
    a, b = pair
    best = max(np.mean([p[x] == y for x, y in zip(a, b, strict=True)]) for p in permutations(range(4)))
    assert correctly_clustered(a, b) == best
    assert np.mean(match_labels(a, b)[a] == np.array(b)) == best


def test_known_values() -> None:
    assert adjusted_rand_index([0, 0, 0], [1, 1, 1]) == adjusted_rand_index([0, 1, 2], [2, 0, 1]) == 1.0
    assert adjusted_rand_index([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx(-0.5)
    assert adjusted_rand_index(["a"], [0]) == 1.0


def test_more_clusters_than_there_are() -> None:
    matched = match_labels([0, 1, 2, 2], [1, 1, 0, 0])
    assert sorted(matched) == [0, 1, 2] and matched[2] == 0


def test_partitions_refused() -> None:
    for bad in (([0, 1], [0]), ([], []), ([[0, 1]], [[0, 1]])):
        with pytest.raises(OptionError, match="partitions of shapes"):
            adjusted_rand_index(*bad)
    for labels in (["a", "b"], [-1, 0], [0.5, 1.0]):
        with pytest.raises(OptionError, match="not numbered from 0"):
            match_labels(labels, [0, 1])
