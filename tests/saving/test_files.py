"""What files are refused and why, and that files of earlier versions are read by later ones."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixsem as mx
from mixsem.errors import DataError, MixsemError, MixsemWarning, OptionError, OutputError
from mixsem.saving import read_header, versions
from mixsem.saving.versions import migrated

from . import mixed_kinds  # noqa: F401  its fits are registered on import
from .kinds import MAKERS

FILES = Path(__file__).with_name("files")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of a small fit."""
    return mx.save(mx.cfa("f =~ x1 + x2 + x3", mx.data.holzinger_swineford_1939()), tmp_path / "fit.mixsem")


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The file with another document."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(parts["document.json"])
    change(document)
    parts["document.json"] = json.dumps(document).encode()
    return rewritten(path, parts)


def rewritten(path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def fields_of(document: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(entry["fields"] for entry in document["objects"] if entry["kind"] == kind)


# --- versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sem", "mixture", "mixed", "generalised", "bayesian"])
def test_files_of_the_first_version_are_read(name: str) -> None:
    """These files stay as they are. If this fails, a field was renamed or removed: write a migration."""
    fit = mx.load(FILES / f"{name}.mixsem")
    assert repr(fit) == (FILES / f"{name}.txt").read_text(encoding="utf-8")
    assert read_header(FILES / f"{name}.mixsem").version == (1, 0)


def test_a_newer_major_version_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"version 2\.0 of the format, written by mixsem 7\.1[\s\S]*pip install"):
        mx.load(changed(path, lambda d: d.update(version=[2, 0], reader=[2, 0], mixsem="7.1")))


def test_a_newer_minor_version_that_needs_a_newer_reader_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="update mixsem"):
        mx.load(changed(path, lambda d: d.update(version=[1, 9], reader=[1, 8])))


def test_what_a_newer_minor_version_adds_is_left_out_and_told(path: Path) -> None:
    def add(document: dict[str, Any]) -> None:
        document.update(version=[1, 9], mixsem="0.9.0")
        document["objects"].insert(len(document["objects"]) - 1, {"kind": "sound", "fields": {"hertz": 440}})
        number = len(document["objects"])
        document["root"] = {"object": number - 1}
        document["objects"][-1]["fields"]["sound"] = {"object": number - 2}

    before = repr(mx.load(path))
    with pytest.warns(MixsemWarning, match=r"mixsem 0\.9\.0, which is newer: sem-fit\.sound left out"):
        assert repr(mx.load(changed(path, add))) == before


def test_an_unknown_kind_that_is_needed_is_an_error(path: Path) -> None:
    def replace(document: dict[str, Any]) -> None:
        document["version"] = [1, 9]
        next(entry for entry in document["objects"] if entry["kind"] == "optimum")["kind"] = "sound"

    with pytest.raises(DataError, match="'sound', which this version does not know"):
        mx.load(changed(path, replace))


def test_missing_fields_take_their_defaults(path: Path) -> None:
    before = repr(mx.load(path))
    assert repr(mx.load(changed(path, lambda d: fields_of(d, "sem").pop("orthogonal")))) == before
    with pytest.raises(DataError, match="the fields of sem do not fit together"):
        mx.load(changed(path, lambda d: fields_of(d, "sem").pop("model")))


def test_renamed_fields_are_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of today, read by a version 1.1 in which a field of today has another name."""
    steps = {"sem": (((1, 1), lambda f: {"model": f.pop("text"), **f}),)}
    monkeypatch.setattr("mixsem.saving.reading.migrated", lambda k, f, v: migrated(k, f, v, steps))
    monkeypatch.setattr(versions, "VERSION", (1, 1))
    renamed = changed(path, lambda d: fields_of(d, "sem").update(text=fields_of(d, "sem").pop("model")))
    assert mx.load(renamed).specification.model == "f =~ x1 + x2 + x3"


def test_parameters_in_another_order_are_refused(path: Path) -> None:
    def swap(document: dict[str, Any]) -> None:
        names = fields_of(document, "compiled-sem")["parameters"]["tuple"]
        names[0], names[1] = names[1], names[0]

    with pytest.raises(DataError, match="parameters are others than those of the model"):
        mx.load(changed(path, swap))


# --- broken and hostile files ----------------------------------------------------------------------------


def object_array() -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return content.getvalue()


def long_header() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(3))
    return content.getvalue().replace(b"(3,)", b"(9,)")


DOCUMENTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "format": (lambda d: d.update(format="pickle"), "does not say that mixsem"),
    "no version": (lambda d: d.pop("version"), "does not say its version"),
    "version": (lambda d: d.update(version=[1.5, True]), "does not say its version"),
    "no objects": (lambda d: d.update(objects=None), "no objects"),
    "root": (lambda d: d.update(root={"tuple": []}), "which object"),
    "root of another kind": (lambda d: d.update(kind="mixed-fit"), "something else than it says"),
    "later object": (lambda d: d["objects"][0]["fields"].update(x1={"object": 10**6}), "the file is broken"),
    "kind": (lambda d: d["objects"][0].update(kind="os.system"), "which there is not"),
    "extra field": (lambda d: fields_of(d, "sem").update(evil=1), "a field 'evil'"),
    "type of a field": (lambda d: fields_of(d, "optimum").update(theta="0"), r"optimum\.theta is str"),
    "array": (lambda d: fields_of(d, "optimum").update(theta={"array": 999}), "missing"),
    "path of an array": (lambda d: fields_of(d, "optimum").update(theta={"array": "../x"}), "without a number"),
    "repeated": (lambda d: fields_of(d, "sem").update(group_equal={"repeated": ["a", 10**15]}), "beyond all measure"),
    "tag": (lambda d: fields_of(d, "sem").update(model={"eval": "1"}), "of the kind 'eval'"),
    "two tags": (lambda d: fields_of(d, "sem").update(model={"tuple": [], "float": "nan"}), "says not what it is"),
    "number": (lambda d: fields_of(d, "optimum").update(step={"number": ["O", 1]}), "of the kind 'number'"),
    "estimator": (lambda d: fields_of(d, "compiled-sem").update(estimator="magic"), "estimator='magic'"),
    "model": (lambda d: fields_of(d, "parameter-row").update(op="=="), "the file is broken"),
}


@pytest.mark.parametrize(("change", "message"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_that_is_no_fit_is_refused(path: Path, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        mx.load(changed(path, change))
    assert caught.value.todo


PARTS: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "objects in arrays": (lambda p: p.update({"arrays/0.npy": object_array()}), "array 0"),
    "shorter than its header": (lambda p: p.update({"arrays/0.npy": long_header()}), "array 0"),
    "no array": (lambda p: p.update({"arrays/0.npy": b"\x93NUMPY"}), "array 0"),
    "another path": (lambda p: p.update({"../../evil.py": b"x"}), r"\.\./\.\./evil"),
    "something else": (lambda p: p.update({"fit.pkl": b"x"}), r"fit\.pkl"),
    "no document": (lambda p: p.pop("document.json"), r"no document\.json"),
    "no JSON": (lambda p: p.update({"document.json": b"{"}), "no JSON"),
    "nested": (lambda p: p.update({"document.json": b"[" * 100_000}), "no JSON"),
    "a list": (lambda p: p.update({"document.json": b"[]"}), "no JSON object"),
}


@pytest.mark.parametrize(("change", "message"), PARTS.values(), ids=PARTS)
def test_an_archive_of_something_else_is_refused(path: Path, change: Any, message: str) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with pytest.raises(DataError, match=message):
        mx.load(rewritten(path, parts))


def test_a_bomb_is_not_unpacked(path: Path) -> None:
    rewritten(path, {"document.json": b"{}", "arrays/0.npy": bytes(50_000_000)})
    assert path.stat().st_size < 100_000
    with pytest.raises(OutputError, match=r"unpacks to 0\.1 GB[\s\S]*max_bytes"):
        mx.load(path, max_bytes=10_000_000)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x04\x95", b"{}" * 500])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fit.mixsem"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is no file that mixsem\.save wrote"):
        mx.load(path)


def test_a_damaged_file_never_loads_quietly_as_another_fit(path: Path) -> None:
    """One byte after the other is turned: the file is refused, or the fit is the same (the byte meant nothing)."""
    content, before = path.read_bytes(), repr(mx.load(path))
    rng = np.random.default_rng(1)
    for at in rng.choice(len(content), 150, replace=False):
        path.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
        try:
            assert repr(mx.load(path)) == before
        except MixsemError as error:
            assert error.todo


def test_a_formula_in_a_file_runs_nothing(tmp_path: Path) -> None:
    """The formula of a mixed model is computed again: what it may call is what formulas may call."""
    target = tmp_path / "witness"
    path = mx.save(MAKERS["mixed_fit"](), tmp_path / "fit.mixsem")
    evil = f"Reaction ~ I(__import__('pathlib').Path({str(target)!r}).touch() or Days) + (Days | Subject)"
    with pytest.raises(DataError, match="the file is broken: compiled-mixed-model"):
        mx.load(changed(path, lambda d: fields_of(d, "compiled-mixed-model").update(formula=evil)))
    assert not target.exists()


# --- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [3, "fit", None, {"a": 1}, (1, 2), [1], np.zeros(3), object(), mx.SEM])
def test_only_results_are_saved(thing: object, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"fit is a {type(thing).__name__}"):
        mx.save(thing, tmp_path / "fit.mixsem")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    moments = MAKERS["sample_moments"]()
    with pytest.raises(OptionError, match=re.escape("a file whose name ends in .mixsem")):
        mx.save(moments, tmp_path / "fit.pkl")
    with pytest.raises(OutputError, match="there is no folder"):
        mx.save(moments, tmp_path / "none" / "fit.mixsem")
    (tmp_path / "folder.mixsem").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        mx.save(moments, tmp_path / "folder.mixsem")
    with pytest.raises(OutputError, match="there is no file"):
        mx.load(tmp_path / "none.mixsem")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.mixsem"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere; Windows has other rights")
def test_a_folder_that_is_read_only_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        mx.save(MAKERS["sample_moments"](), tmp_path / "fit.mixsem")


def test_a_file_says_whether_it_holds_rows_of_people(path: Path, tmp_path: Path) -> None:
    assert read_header(path) == read_header(path)
    assert (read_header(path).kind, read_header(path).rows) == ("sem-fit", True)
    moments = mx.save(MAKERS["sem_fit_of_moments"](), tmp_path / "moments.mixsem")
    assert (read_header(moments).kind, read_header(moments).rows) == ("sem-fit", False)
