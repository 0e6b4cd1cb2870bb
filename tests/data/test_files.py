"""Tables from files: what is missing, what is text, and the mistakes that files invite."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mixsem.data import GroupedData, SampleMoments, is_moments_file, read_table
from mixsem.data.grouped import read_grouped
from mixsem.errors import DataError

FRAME = pd.DataFrame({"country": ["NA", "DE", "NA", "DE"], "x": [1.0, np.nan, 3.5, 4.0], "y": [1, 2, 3, 5]})


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write by suffix, with NA for missing numbers as R does."""
    separator = "\t" if ".tsv" in path.name.lower() else ","
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    elif path.name == "stream.arrow":
        table = pa.Table.from_pandas(frame)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pandas(frame)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    else:
        compression = "gzip" if path.suffix.lower() == ".gz" else None
        frame.to_csv(path, index=False, sep=separator, na_rep="NA", compression=compression)


NAMES = (
    "a.csv",
    "a.csv.gz",
    "a.tsv",
    "a.tsv.gz",
    "A.CSV",
    "A.CSV.GZ",
    "A.Tsv.Gz",
    "a.parquet",
    "a.feather",
    "a.arrow",
    "stream.arrow",
)


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_every_format_are_the_same(name: str, tmp_path: Path) -> None:
    write(FRAME, tmp_path / name)
    table = read_table(tmp_path / name)
    pd.testing.assert_frame_equal(table, FRAME, check_dtype=False)
    assert table["y"].dtype == np.int64


def read(text: str, tmp_path: Path, group: str | None = None) -> pd.DataFrame:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    return read_table(tmp_path / "a.csv", group)


def test_na_is_a_label_in_text_and_missing_among_numbers(tmp_path: Path) -> None:
    table = read("country,x\nNA,1\nDE,NA\nNA,3\n,n/a\nnull,5\n", tmp_path)
    assert table["country"].isna().tolist() == [False, False, False, True, False]
    assert table["country"].dropna().tolist() == ["NA", "DE", "NA", "null"]
    assert table["x"].isna().tolist() == [False, True, False, True, False] and table["x"].sum() == 9


def test_a_file_of_namibia_alone(tmp_path: Path) -> None:
    table = read("country,x,empty\nNA,1,\nNA,2,\nNA,4,\n", tmp_path)
    assert GroupedData.from_frame(table, ["x"], "country").groups == ("NA",)
    assert table["empty"].isna().all()


def test_blank_cells_and_points_are_missing(tmp_path: Path) -> None:
    """As SPSS and SAS write them, and as people do who press the space bar."""
    table = read("country,x,y,empty\nNA,1,.,  \n  ,   ,TRUE, .\n.,.,FALSE,.\nnull,3, .  , \n", tmp_path)
    assert table["country"].dropna().tolist() == ["NA", "null"]
    assert table["x"].dropna().tolist() == [1, 3] and pd.api.types.is_numeric_dtype(table["x"])
    assert table["y"].dropna().tolist() == [True, False] and table["empty"].isna().all()
    with pytest.raises(DataError, match=r"'x' holds text: 'often' \(1\); 1 of 2 values(.|\n)*'\.', 'NA'"):
        GroupedData.from_frame(read("x\noften\n.\n3\n", tmp_path), ["x"])


GROUPS: dict[str, tuple[list[str], list[object]]] = {
    "whole numbers": (["10", "9", "0", "-3"], [10, 9, 0, -3]),
    "whole numbers and a missing one": (["123456789012345678", "", "9", "."], [123456789012345678, None, 9, None]),
    "whole numbers and NA": (["10", "NA", "9"], [10, None, 9]),
    "whole numbers between blanks": ([" 10", "9 ", "  "], [10, 9, None]),
    "whole numbers that were floats": (["1.0", "", "2.0"], [1, None, 2]),
    "leading zeros": (["00", "01", "10"], ["00", "01", "10"]),
    "a leading zero and NA": (["01", "NA", "2"], ["01", None, "2"]),
    "digits after the point": (["1.10", "1.1", "2.5"], ["1.10", "1.1", "2.5"]),
    "floats among whole numbers": (["1", "1.0", "2"], ["1", "1.0", "2"]),
    "a plus": (["+1", "1", "2"], ["+1", "1", "2"]),
    "minus nothing": (["-0", "0", "2"], ["-0", "0", "2"]),
    "powers of ten": (["1e3", "1000", "2"], ["1e3", "1000", "2"]),
    "too long for a number": (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
    "truth": (["TRUE", "True", "FALSE"], ["TRUE", "True", "FALSE"]),
    "text": (["NA", "1", "b"], ["NA", "1", "b"]),
}


@pytest.mark.parametrize("name", GROUPS)
def test_labels_are_read_as_they_are_written(name: str, tmp_path: Path) -> None:
    written, expected = GROUPS[name]
    rows = [f"{label},{i}" for i, label in enumerate(written)]
    table = read("\n".join(["g,x", *rows]), tmp_path, "g")
    labels = [None if pd.isna(label) else label for label in table["g"]]
    assert labels == expected
    assert [isinstance(label, str) for label in labels] == [isinstance(label, str) for label in expected]
    assert table["x"].tolist() == list(range(len(written)))
    assert set(read_grouped(table, ["x"], "g").groups) == {label for label in expected if label is not None}


def test_items_with_leading_zeros_are_numbers(tmp_path: Path) -> None:
    table = read("g,x\n01,01\n02,05\n", tmp_path, "g")
    assert table["x"].tolist() == [1, 5] and table["g"].tolist() == ["01", "02"]
    assert read("g,x\n01,01\n02,05\n", tmp_path, "country")["g"].tolist() == [1, 2]


def test_several_columns_hold_labels(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("g,h,x\n01,1.1,01\n02,1.10,05\n")
    table = read_table(path, ("g", "h", "country"))
    assert table["g"].tolist() == ["01", "02"] and table["h"].tolist() == ["1.1", "1.10"]
    assert table["x"].tolist() == [1, 5]


def test_booleans_with_missing_ones_stay_booleans(tmp_path: Path) -> None:
    table = read("g,x\nA,TRUE\nA,NA\nA,FALSE\n", tmp_path)
    assert table["x"].dropna().tolist() == [True, False]


def test_a_byte_order_mark_and_quotes_are_no_part_of_names(tmp_path: Path) -> None:
    table = read('\ufeff"country","x, y"\n"A, B",1\n', tmp_path)
    assert list(table.columns) == ["country", "x, y"] and table["country"][0] == "A, B"


def test_one_column_is_a_table_too(tmp_path: Path) -> None:
    assert read("x\n1\n2\n", tmp_path)["x"].tolist() == [1, 2]


REFUSED = {
    "semicolons": ("a.csv", b"g;x;y\nA;1;2\n", r"separated by semicolons(.|\n)*sep=';', decimal=','"),
    "tabs": ("a.csv", b"g\tx\nA\t1\n", "separated by tabs"),
    "commas in tsv": ("a.tsv", b"g,x\nA,1\n", "separated by commas"),
    "empty": ("a.csv", b"", "a.csv is empty"),
    "empty compressed": ("a.csv.gz", gzip.compress(b""), "is empty"),
    "a header only": ("a.csv", b"g,x\n", "no rows"),
    "a name twice": ("a.csv", b"x,y,x\n1,2,3\n", "more than one column named x"),
    "more cells than names": ("a.csv", b"x,y\n1,2\n1,2,3,4\n", "cannot be read"),
    "row names": ("a.csv", b"x,y\n1,1,2\n2,3,4\n", "2 column names, but 3 cells"),
    "not UTF-8": ("a.csv", "g,x\nÅ,1\n".encode("latin-1"), "not text in UTF-8"),
    "not compressed": ("a.csv.gz", b"g,x\nA,1\n", "cannot be read"),
    "cut off": ("a.csv.gz", gzip.compress(b"g,x\nA,1\n")[:-12], "cannot be read"),
    "no parquet": ("a.parquet", b"PAR1 or not", "cannot be read"),
    "no feather": ("a.feather", b"", "cannot be read"),
    "no arrow": ("a.arrow", b"nothing of the kind", "cannot be read"),
    "another suffix": ("a.sav", b"$FL2", r"no suffix(.|\n)*\.csv, \.csv\.gz, \.tsv"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_refused(name: str, tmp_path: Path) -> None:
    file, content, message = REFUSED[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / file)


def test_a_row_too_long_is_told_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        read("x,y\n1,2\n1,2,3,4\n", tmp_path)
    assert refused.value.got.count("\n") == 0 and "line 3, saw 4" in refused.value.got
    assert len(str(refused.value).splitlines()) == 2


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)


def test_moments_files_are_told_from_others(tmp_path: Path) -> None:
    moments = SampleMoments.from_covariances({"A": [[1.0]]}, 10, items=["x"])
    for name in ("a.json", "a.json.gz"):
        moments.save(tmp_path / name)
        assert is_moments_file(tmp_path / name)
    (tmp_path / "fit.json").write_text('{"format": "mixsem-fit"}')
    (tmp_path / "broken.json.gz").write_text("no gzip")
    (tmp_path / "a.csv").write_text("mixsem-moments\n1\n")
    assert not any(is_moments_file(tmp_path / n) for n in ("fit.json", "broken.json.gz", "a.csv", "none.json", "."))
