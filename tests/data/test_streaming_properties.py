"""However rows are split, ordered and merged, the moments are the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mixsem.data.streaming.blocks import Reduction
from mixsem.data.streaming.finish import finished
from mixsem.data.streaming.parts import Part, merged_parts

# Deviations are of the size of the answers, below 1e3 here, and so are their roundings of 2e-16.
TOLERANCE = 1e-9

answers = arrays(
    np.float64,
    st.tuples(st.integers(6, 40), st.just(3)),
    elements=st.one_of(st.integers(-5, 5).map(float), st.floats(-1000, 1000), st.just(float("nan"))),
)


def part_of(values: np.ndarray, codes: np.ndarray, missing: str) -> Part:
    reduction = Reduction(("x", "y", "z"), "g", missing)
    found, local = np.unique(codes, return_inverse=True)
    return reduction.of_columns([f"g{code}" for code in found], local, list(values.T.copy()))


def numbers(part: Part) -> dict[object, np.ndarray]:
    """What is known of each cell, wherever it is."""
    moments = part.comoments
    found = {}
    for at, cell in enumerate(part.cells):
        if moments.n[at].any():
            found[cell] = np.r_[moments.n[at].ravel(), moments.means[at].ravel(), moments.products[at].ravel()]
    for at, label in enumerate(part.labels):
        found[label] = np.r_[part.n_used[at], part.n_dropped[at], part.n_missing[at]].astype(float)
    return found


@settings(max_examples=60)
@given(values=answers, data=st.data(), missing=st.sampled_from(["listwise", "pairwise", "ml"]))
def test_any_split_and_any_order_give_the_same(values: np.ndarray, data: st.DataObject, missing: str) -> None:
    rows = len(values)
    codes = np.array(data.draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows)))
    order = np.array(data.draw(st.permutations(range(rows))))
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=6)))
    whole = numbers(part_of(values, codes, missing))
    pieces = [at for at in np.split(order, cuts) if len(at)]
    merged = merged_parts(part_of(values[at], codes[at], missing) for at in pieces)
    assert merged is not None
    found = numbers(merged)
    assert found.keys() == whole.keys()
    for key, expected in whole.items():
        np.testing.assert_allclose(found[key], expected, rtol=TOLERANCE, atol=TOLERANCE)


@given(values=answers, missing=st.sampled_from(["listwise", "pairwise", "ml"]))
def test_a_tree_of_parts_gives_what_a_row_of_them_gives(values: np.ndarray, missing: str) -> None:
    pieces = [part_of(values[at : at + 2], np.arange(at, at + 2) % 3, missing) for at in range(0, len(values) - 1, 2)]
    one_by_one = merged_parts(pieces)
    halves = [merged_parts(pieces[:2]), merged_parts(pieces[2:])]
    tree = merged_parts(part for part in halves if part is not None)
    assert one_by_one is not None and tree is not None
    for key, expected in numbers(one_by_one).items():
        np.testing.assert_allclose(numbers(tree)[key], expected, rtol=TOLERANCE, atol=TOLERANCE)


@given(values=answers, missing=st.sampled_from(["listwise", "pairwise", "ml"]))
def test_parts_travel_as_bytes_without_loss(values: np.ndarray, missing: str) -> None:
    part = part_of(values, np.arange(len(values)) % 3, missing)
    back = Part.from_bytes(part.to_bytes())
    assert (back.labels, back.cells, back.n_rows, back.n_unlabelled) == (
        part.labels,
        part.cells,
        part.n_rows,
        part.n_unlabelled,
    )
    for one, other in zip(
        (*back.comoments, back.n_used, back.n_dropped, back.n_missing, back.infinite, back.huge),
        (*part.comoments, part.n_used, part.n_dropped, part.n_missing, part.infinite, part.huge),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@given(shift=st.floats(-1e9, 1e9), seed=st.integers(0, 1000))
def test_a_shift_changes_the_means_only(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(60, 3)) * 2**10) / 2**10  # exact in floating point also after the shift
    shifted = np.round(shift) + values
    codes = np.arange(60) % 2
    reduction = Reduction(("x", "y", "z"), "g")
    one, other = (
        finished(
            merged_parts(part_of(v[at], codes[at], "listwise") for at in np.split(np.arange(60), 7 * np.arange(1, 8))),
            reduction,
            None,
        )  # type: ignore[arg-type]
        for v in (values, shifted)
    )
    np.testing.assert_allclose(other.covariances, one.covariances, rtol=0, atol=1e-13)


def test_arrow_and_numpy_agree_on_types() -> None:
    """Every number type of Arrow, with and without missing values."""
    import narwhals as nw

    types = [pa.int8(), pa.int64(), pa.uint16(), pa.float32(), pa.float64(), pa.bool_(), pa.decimal128(21, 2)]
    for kind in types:
        for cells in ([1, 0, 1, 1], [1, None, 0, 1]):
            frame = nw.from_native(pa.table({"x": pa.array(cells).cast(kind)}), eager_only=True)
            part = Reduction(("x",), None)(frame)
            given = [cell for cell in cells if cell is not None]
            assert (
                part.comoments.means[0, 0, 0] == np.mean(given)
                or abs(part.comoments.means[0, 0, 0] - np.mean(given)) < 1e-15
            )
            assert part.n_used.tolist() == [len(given)]
