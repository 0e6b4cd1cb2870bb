"""Files, folders and patterns that are read in passing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixsem.data import SampleMoments, read_table, scan_table
from mixsem.data.scanning import can_scan
from mixsem.errors import DataError

FRAME = pd.DataFrame({"x": [1.0, 4.0, 2.0, 9.0, 3.0, 5.0], "g": ["A", "B"] * 3})


def same(path: Path | str, frame: pd.DataFrame = FRAME) -> bool:
    streamed, whole = (SampleMoments.from_frame(data, ["x"], "g") for data in (scan_table(path), frame))
    assert (streamed.covariances == pytest.approx(whole.covariances, rel=1e-12)) is True
    return streamed.groups == whole.groups and streamed.n.tolist() == whole.n.tolist()


def test_one_file_of_each_kind(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(FRAME)
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.to_feather(tmp_path / "a.feather")
    with pa.OSFile(str(tmp_path / "file.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(tmp_path / "stream.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    for path in tmp_path.iterdir():
        assert can_scan(path) and same(path), path.name


def test_folders_and_patterns(tmp_path: Path) -> None:
    for name, part in (("a", FRAME[:2]), ("b", FRAME[2:])):
        part.to_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "_metadata.parquet").write_bytes(b"of another program")
    (tmp_path / "readme.txt").write_text("no table")
    assert can_scan(tmp_path) and same(tmp_path)
    (tmp_path / "_metadata.parquet").unlink()
    assert same(tmp_path / "*.parquet") and same(str(tmp_path / "[ab].parquet"))


def test_hive_partitions_are_a_column(tmp_path: Path) -> None:
    pq.write_to_dataset(pa.Table.from_pandas(FRAME), tmp_path, partition_cols=["g"])
    assert same(tmp_path)


def test_files_of_different_number_types(tmp_path: Path) -> None:
    """Whole numbers in the first file must not cut the second one's fractions."""
    FRAME[:2].astype({"x": "int8"}).to_parquet(tmp_path / "a.parquet")
    fractions = FRAME[2:].assign(x=FRAME["x"][2:] + 0.5)
    fractions.to_parquet(tmp_path / "b.parquet")
    assert same(tmp_path, pd.concat([FRAME[:2], fractions]))


def test_what_cannot_be_scanned(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "bad.arrow").write_bytes(b"no table")
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "empty").mkdir()
    SampleMoments.from_frame(FRAME, ["x"], "g").save(tmp_path / "moments.parquet")
    for name, told in {
        "bad.parquet": "cannot be read",
        "bad.arrow": "cannot be read",
        "a.csv": r"read it whole: read_table",
        "empty": r"a folder without \.parquet files",
        "absent.parquet": "there is no file",
        "no*.parquet": "there is no file",
        "moments.parquet": "holds moments",
    }.items():
        with pytest.raises(DataError, match=told):
            scan_table(tmp_path / name)


def test_a_path_in_the_place_of_a_table_is_told(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"read_table\(path\), or scan_table\(path\)"):
        SampleMoments.from_frame(str(tmp_path / "a.parquet"), ["x"], "g")
    assert read_table(tmp_path / "a.parquet").equals(FRAME)
