"""Everything that users get travels: through pickle, copies and files, and is the same afterwards."""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest

import mixsem as mx
from mixsem.saving.registry import KINDS, class_of, name_of

from . import mixed_kinds
from .kinds import MAKERS

assert mixed_kinds  # importing it adds to the table

#: Kinds with two frames on one index: deep copies of pandas before 3 have two indexes, which files tell apart.
SHARED_INDEX = {"growth_curve"}

every_kind = pytest.mark.parametrize("name", MAKERS)


@cache
def file_of(name: str) -> bytes:
    """The file of a fit of the table."""
    with TemporaryDirectory() as folder:
        return mx.save(MAKERS[name](), Path(folder) / "fit.mixsem").read_bytes()


def loaded(name: str, folder: Path) -> object:
    """The fit as it comes from its file."""
    path = folder / "fit.mixsem"
    path.write_bytes(file_of(name))
    return mx.load(path)


@every_kind
def test_a_file_gives_the_fit_back(name: str, tmp_path: Path) -> None:
    """What was stored is the same to the last bit: saved again, the file has the same bytes. It prints the same."""
    again = loaded(name, tmp_path)
    assert type(again) is type(MAKERS[name]())
    assert mx.save(again, tmp_path / "again.mixsem").read_bytes() == file_of(name)
    assert repr(again) == repr(MAKERS[name]())


@every_kind
def test_pickle_and_copies_keep_the_fit(name: str, tmp_path: Path) -> None:
    """A pickle is looked at with the eyes of a file, which sees every field."""
    fit = MAKERS[name]()
    now = mx.save(fit, tmp_path / "now.mixsem").read_bytes()  # a profile remembers what was asked of it since
    copies = [pickle.loads(pickle.dumps(fit))]
    if name not in SHARED_INDEX or int(pd.__version__.split(".")[0]) >= 3:
        copies.append(copy.deepcopy(fit))
    for again in copies:
        assert mx.save(again, tmp_path / "again.mixsem").read_bytes() == now


def test_every_kind_that_a_file_may_hold_was_tried() -> None:
    """A new name in the registry needs a fit in the table."""
    tried = set()
    for name in MAKERS:
        with zipfile.ZipFile(io.BytesIO(file_of(name))) as archive:
            document = json.loads(archive.read("document.json"))
        tried |= {entry["kind"] for entry in document["objects"]}
    assert set(KINDS) - tried == set()


def test_every_public_result_can_be_saved() -> None:
    """A new public class needs a name in the registry."""
    classes = [value for name in mx.__all__ if isinstance(value := getattr(mx, name), type) and is_dataclass(value)]
    assert len(classes) > 40
    assert [c.__name__ for c in classes if name_of(c) is None] == []


def test_names_and_classes_match() -> None:
    for name in KINDS:
        found = class_of(name)
        assert found is not None and name_of(found) == name
    assert class_of("no-such-kind") is None and name_of(dict) is None


def test_other_processes_get_the_fit() -> None:
    """joblib's workers are processes of their own, to which functions and fits go by cloudpickle."""
    from joblib import Parallel, delayed

    fits = [MAKERS[name]() for name in ("measurement_fit", "sem_fit", "mixed_fit", "generalised_fit")]
    assert Parallel(n_jobs=2)(delayed(lambda fit: fit.nobs)(fit) for fit in fits) == [fit.nobs for fit in fits]
