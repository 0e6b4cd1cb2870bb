"""Result files are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mixsem.errors import OutputError
from mixsem.report import folder as folder_module
from mixsem.report.folder import check_folder, write_folder

FILES = {"a.txt": b"new a", "b.txt": b"new b", "c.txt": b"new c"}


def read(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def test_a_new_folder_appears_with_all_files(tmp_path: Path) -> None:
    paths = write_folder(tmp_path / "deep" / "out", FILES)
    assert paths == tuple(tmp_path / "deep" / "out" / name for name in FILES)
    assert read(tmp_path) == {"deep": None, "deep/out": None} | {f"deep/out/{k}": v for k, v in FILES.items()}


def test_a_new_folder_has_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    write_folder(tmp_path / "out", FILES)
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_files_of_other_names_stay(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"old b")
    (tmp_path / "mine.txt").write_bytes(b"mine")
    write_folder(tmp_path, FILES)
    assert read(tmp_path) == {**FILES, "mine.txt": b"mine"}


def test_the_working_folder_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_folder(".", FILES)
    assert read(tmp_path) == FILES


def breaks_after(calls: int, function: Callable[..., None], error: BaseException) -> Callable[..., None]:
    """The function, until it fails at one call; later calls (of the repair) work again."""
    count = 0

    def breaking(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count == calls:
            raise error
        function(*arguments)

    return breaking


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("calls", [1, 2, 3, 4, 5])
def test_old_files_are_put_back(
    calls: int, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files exist, so there are five moves; whichever fails, everything is as before."""
    for name in ("a.txt", "c.txt", "mine.txt"):
        (tmp_path / name).write_bytes(b"old")
    before = read(tmp_path)
    monkeypatch.setattr(folder_module.os, "replace", breaks_after(calls, os.replace, error))
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_folder(tmp_path, FILES)
    assert read(tmp_path) == before


@pytest.mark.parametrize("error", [OSError(13, "Permission denied"), KeyboardInterrupt()])
def test_parents_go_again(error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module.os, "rename", breaks_after(1, os.rename, error))
    with pytest.raises((OutputError, KeyboardInterrupt)):
        write_folder(tmp_path / "deep" / "deeper" / "out", FILES)
    assert read(tmp_path) == {}


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_folder(tmp_path / "out", FILES)
    monkeypatch.undo()
    assert read(tmp_path) == {}


def test_checking_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    before = read(tmp_path)
    assert check_folder(tmp_path / "new", FILES) == tmp_path / "new"
    assert check_folder(tmp_path, FILES) == tmp_path
    with pytest.raises(OutputError, match="is a file"):
        check_folder(tmp_path / "file", FILES)
    assert read(tmp_path) == before


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputError, match=r"b\.txt is a folder"):
        write_folder(tmp_path, FILES)
    assert read(tmp_path) == {"b.txt": None}
