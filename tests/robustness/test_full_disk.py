"""Disks that are full, folders that are read-only: what was there before is there afterwards, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mixsem.data.archive import write_whole
from mixsem.errors import OutputError
from mixsem.report.folder import write_folder

NEW = {"a.csv": b"new a", "b.html": b"new b", "c.json": b"new c"}
OLD = {"a.csv": b"old a", "c.json": b"old c", "mine.txt": b"mine"}


class Disk:
    """Counts what changes a disk, and fails at the operation of a number and at all after it (or at that one alone)."""

    def __init__(self, patch: pytest.MonkeyPatch, fails_at: int, *, for_ever: bool) -> None:
        self.count, self.fails_at, self.for_ever = 0, fails_at, for_ever
        for owner, name in (
            (Path, "write_bytes"),
            (Path, "write_text"),
            (Path, "mkdir"),
            (os, "replace"),
            (os, "rename"),
        ):
            patch.setattr(owner, name, self._checked(getattr(owner, name)))

    def _checked(self, action: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if self.count == self.fails_at or (
                self.for_ever and self.count > self.fails_at and action.__name__ not in ("replace", "rename")
            ):
                if action.__name__ == "write_bytes":  # half of a file is there when the disk is full
                    with open(arguments[0], "wb") as file:
                        file.write(arguments[1][: len(arguments[1]) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return action(*arguments, **named)

        return checked


@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_a_folder_is_whole_or_as_before_wherever_the_disk_is_full(there, for_ever, folder, snapshot, monkeypatch):
    target = folder / "deep" / "out"
    if there:
        target.mkdir(parents=True)
        for name, content in OLD.items():
            (target / name).write_bytes(content)
    before = snapshot()
    for fails_at in range(1, 100):
        with monkeypatch.context() as patch:
            disk = Disk(patch, fails_at, for_ever=for_ever)
            try:
                write_folder(target, NEW)
            except OutputError as error:
                assert "space" in str(error)
            else:
                assert disk.count < fails_at
                break
        assert snapshot() == before, fails_at
    assert fails_at > len(NEW)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == ({**OLD, **NEW} if there else NEW)


@pytest.mark.parametrize("there", [False, True])
def test_a_file_is_whole_or_as_before_wherever_the_disk_is_full(there, folder, snapshot, monkeypatch):
    target = folder / "moments.json"
    if there:
        target.write_bytes(b"old")
    before = snapshot()
    for fails_at in (1, 2):
        with monkeypatch.context() as patch:
            Disk(patch, fails_at, for_ever=True)
            with pytest.raises(OutputError, match="space"):
                write_whole(target, b"new content")
        assert snapshot() == before


#: Commands that write, and how large a file may become: below that of their largest file.
WRITING = {
    "fit": "fit survey.csv --group country --measurement measurement.txt --structural structural.txt --clusters 1-2"
    " --starts 5 --out out",
    "moments": "moments survey.csv --group country --measurement measurement.txt --out moments.json",
    "invariance": "invariance survey.csv --group country --measurement measurement.txt --out out",
    "cfa": "cfa measurement.txt survey.csv --out out",
    "lmer": "lmer y~x+(1|g) panel.csv --out out",
    "study run": "study run study.toml --workers 1 --out out",
    "power": "power --groups 12 --sizes 50 --replications 2 --workers 1 --starts 5 --out out",
}
LIMIT = 1000
STUDY = (
    'name = "s"\nreplications = 2\n[population]\nn_groups = 12\n[factors]\nbeta = [0.2]\n'
    "[methods.mmgsem]\nn_starts = 5\n"
)

_LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from mixsem.cli import main
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING)
def test_a_command_leaves_nothing_where_files_cannot_grow(command, folder, snapshot):
    pytest.importorskip("resource", reason="limits of files are set by a module of Unix")
    Path("study.toml").write_text(STUDY)
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").write_text("mine")
    before = snapshot()
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED.format(limit=LIMIT), *WRITING[command].split()], capture_output=True, text=True
    )
    assert done.returncode in (1, 2), done
    assert "Traceback" not in done.stderr and "mixsem: error:" in done.stderr, done
    left = {name: content for name, content in snapshot().items() if name not in before}
    if command in ("study run", "power"):  # what was finished stays: the same command goes on
        assert not [name for name in left if name.endswith((".tmp", ".parquet", ".csv", ".md", ".svg"))], left
    else:
        assert not left


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", ["lmer", "moments", "fit", "study run"])
def test_a_read_only_folder_is_refused_before_the_work(command, folder, command_refuses):
    Path("study.toml").write_text(STUDY)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        command_refuses(*WRITING[command].split())
    finally:
        folder.chmod(stat.S_IRWXU)
