"""Files of `save` with random changes: a fit, or a refusal, and nothing is executed."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

import mixsem as mx
from mixsem.errors import MixsemError

MANY = 100
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    return mx.save(fit, tmp_path_factory.mktemp("saved") / "sleep.mixsem")


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return made.getvalue()


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def loads_or_refuses(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = mx.load(path)
        except MixsemError as error:
            assert error.allowed or error.todo, error
            return
    assert type(found).__module__.startswith("mixsem.")


@settings(max_examples=MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.data())
def test_a_file_whose_document_is_changed_loads_or_is_refused(saved, tmp_path, chance):
    content = parts(saved)
    document = json.loads(content["document.json"])
    where = [place for place in places(document) if place]
    for _ in range(chance.draw(st.integers(1, 3))):
        changed = copy.deepcopy(document)
        place = chance.draw(st.sampled_from(where))
        at = changed
        try:
            for key in place[:-1]:
                at = at[key]
            if chance.draw(st.booleans()):
                at[place[-1]] = chance.draw(ANYTHING)
            else:
                del at[place[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        document = changed
    path = tmp_path / "changed.mixsem"
    path.write_bytes(packed({**content, "document.json": json.dumps(document).encode()}))
    loads_or_refuses(path)


@settings(max_examples=MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.data())
def test_a_file_whose_bytes_are_changed_loads_or_is_refused(saved, tmp_path, chance):
    content = saved.read_bytes()
    begin, end = sorted(chance.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    path = tmp_path / "changed.mixsem"
    path.write_bytes(
        content[:begin] + chance.draw(st.binary(max_size=20)) + content[begin if chance.draw(st.booleans()) else end :]
    )
    loads_or_refuses(path)


@settings(max_examples=MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.data())
def test_a_file_whose_arrays_are_changed_loads_or_is_refused(saved, tmp_path, chance):
    content = parts(saved)
    name = chance.draw(st.sampled_from(sorted(n for n in content if n.endswith(".npy"))))
    data = content[name]
    at = chance.draw(st.integers(0, len(data) - 1))
    piece = chance.draw(
        st.binary(min_size=1, max_size=10) | st.sampled_from([b"'O'", b"(99999999999,)", b"__import__"])
    )
    path = tmp_path / "changed.mixsem"
    path.write_bytes(packed({**content, name: data[:at] + piece + data[at + len(piece) :]}))
    loads_or_refuses(path)
