"""Dask and PySpark reduce their partitions where they are, and give what NumPy gives."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixsem.data import SampleMoments
from mixsem.errors import DataError, MixsemWarning

ITEMS = ("x", "y", "z")

# What partitions may cost, relative to the largest covariance; the claim is 1e-10.
SAME = 1e-12
SAME_EM = 1e-10


def table(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) + 100, columns=list(ITEMS))
    frame = frame.mask(rng.random(frame.shape) < 0.1)
    return frame.assign(g=pd.Series(rng.integers(0, 5, n).astype(float)).mask(rng.random(n) < 0.02))


def quietly(data: Any, missing: str = "listwise") -> SampleMoments:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixsemWarning)
        return SampleMoments.from_frame(data, ITEMS, "g", missing=missing)


def assert_same(one: SampleMoments, other: SampleMoments) -> None:
    tolerance = SAME_EM if one.missing == "ml" else SAME
    assert (one.groups, one.notices, one.missing) == (other.groups, other.notices, other.missing)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_array_equal(one.n_dropped, other.n_dropped)
    np.testing.assert_allclose(one.means, other.means, rtol=tolerance)
    np.testing.assert_allclose(one.covariances, other.covariances, atol=tolerance * np.abs(other.covariances).max())


@pytest.mark.parametrize("missing", ["listwise", "pairwise", "ml"])
def test_dask_gives_what_pandas_gives(missing: str) -> None:
    dd = pytest.importorskip("dask.dataframe", reason="dask[dataframe] is not installed")
    frame = table()
    # An empty partition, and more of them than are merged at once.
    spread = dd.from_pandas(frame, npartitions=20).map_partitions(lambda part: part[part.index != 0])
    assert_same(quietly(spread, missing), quietly(frame.drop(index=0), missing))


def test_dask_never_has_the_whole_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each partition is reduced by itself."""
    dd = pytest.importorskip("dask.dataframe", reason="dask[dataframe] is not installed")
    from mixsem.data.streaming import clusters

    seen: list[int] = []
    reduce = clusters.reduced_frames

    def counting(frames: Any, reduction: Any) -> Any:
        frames = list(frames)
        seen.extend(len(frame) for frame in frames)
        return reduce(frames, reduction)

    monkeypatch.setattr(clusters, "reduced_frames", counting)
    quietly(dd.from_pandas(table(), npartitions=10))
    assert seen == [60] * 10


def test_dask_tells_what_is_wrong() -> None:
    dd = pytest.importorskip("dask.dataframe", reason="dask[dataframe] is not installed")
    frame = dd.from_pandas(table(), npartitions=3)
    with pytest.raises(DataError, match="no column 'z'"):
        quietly(frame[["x", "y", "g"]])
    with pytest.raises(DataError, match="column 'z' holds text"):
        quietly(frame.assign(z="many"))
    with pytest.raises(DataError, match="no rows"):
        quietly(frame[frame["x"] > 1e9])


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not installed")
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)  # else Spark takes the first python3 of the path
        session = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


@pytest.mark.slow
def test_spark_gives_what_pandas_gives(spark: Any) -> None:
    frame = table()
    rows = frame.astype(object).where(frame.notna(), None)
    spread = spark.createDataFrame(
        list(rows.itertuples(index=False, name=None)), "x double, y double, z double, g double"
    )
    spread = spread.repartition(3)
    for missing in ("listwise", "pairwise", "ml"):
        assert_same(quietly(spread, missing), quietly(frame, missing))
    with pytest.raises(DataError, match="column 'z' holds text"):
        quietly(spread.withColumn("z", spread["z"].cast("string").substr(1, 0)))
    with pytest.raises(DataError, match="no column 'z'"):
        quietly(spread.drop("z"))
