"""A folder of result files: written whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import OutputError
from ..locking import alone_in

__all__ = ["check_folder", "write_folder"]


def check_folder(folder: str | Path, names: Iterable[str]) -> Path:
    """Find out, before long work begins, whether files of these names can be written to a folder.

    Nothing is left behind: a passing folder is made where the results will be, and removed.

    Parameters
    ----------
    folder
        Where the files shall go; need not exist.
    names
        Names of the files. Files of these names are replaced, others are left alone.

    Raises
    ------
    OutputError
        If a file is in the way, or nothing can be written there.
    """
    target = Path(folder)
    try:
        if target.is_dir():
            blocked = next((target / name for name in names if (target / name).is_dir()), None)
            if blocked is not None:
                raise OutputError(f"{blocked} is a folder", todo="remove it, or write to another folder")
        elif target.exists() or target.is_symlink():
            raise OutputError(f"{target} is a file", allowed="a folder, or a path where one can be made")
        passing = _passing_folder(target)
        passing.mkdir()
        passing.rmdir()
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise _cannot_write(target, error) from error
    return target


def write_folder(folder: str | Path, contents: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write all files or none; files of other names in the folder are left alone.

    The files are written to a passing folder beside (or, if the folder exists, inside) it and then moved. If
    anything fails, also by an interruption, what was there before is put back.

    Parameters
    ----------
    folder
        Where the files go; made if needed.
    contents
        Content of each file by its name.

    Returns
    -------
    tuple of Path
        The files, in the order given.

    Raises
    ------
    OutputError
        If they cannot be written.
    """
    target = check_folder(folder, contents)
    passing = _passing_folder(target)
    try:
        passing.mkdir()
        for name, content in contents.items():
            (passing / name).write_bytes(content)
        with alone_in(passing.parent, target):
            if target.is_dir():
                _replace(passing, target, tuple(contents))
            else:
                _appear(passing, target)
    except OutputError:
        raise
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(passing, ignore_errors=True)
    return tuple(target / name for name in contents)


def _passing_folder(target: Path) -> Path:
    """Where files wait: on the same disk as the target, so that moving them is one step.

    Inside the target if that exists (its parent may be read-only, or another disk), else as its sibling in
    the nearest parent that exists.
    """
    home = target
    while not home.is_dir():
        if home.exists() or home == home.parent:
            break  # mkdir will say what is wrong
        home = home.parent
    return home / f".{target.name or 'mixsem'}.{uuid.uuid4().hex[:8]}.tmp"


def _appear(passing: Path, target: Path) -> None:
    """Rename the passing folder; parents made for it go again if that fails."""
    made = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(passing, target)
    except BaseException:
        for parent in made:
            if parent.is_dir():
                parent.rmdir()
        raise


def _replace(passing: Path, target: Path, names: tuple[str, ...]) -> None:
    """Move files into an existing folder, keeping the old ones aside until all are there."""
    aside = passing / "aside"
    aside.mkdir()
    moved: list[str] = []
    try:
        for name in names:
            moved.append(name)
            if (target / name).exists():
                os.replace(target / name, aside / name)
            os.replace(passing / name, target / name)
    except BaseException:
        for name in moved:
            if (aside / name).exists():
                os.replace(aside / name, target / name)
            elif not (passing / name).exists():
                (target / name).unlink(missing_ok=True)
        raise


def _cannot_write(target: Path, error: OSError | ValueError) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(
        f"nothing can be written to {target}: {reason}",
        allowed="a folder that may be written to, on a disk with space left",
        todo="choose another folder",
    )
