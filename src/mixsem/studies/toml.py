"""Study files: TOML in, `Study` out, and back."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import OptionError, did_you_mean
from ..simulate.populations import Population
from .study import Method, Study, own_fields

__all__ = ["PRESETS", "read_study", "write_study"]

PRESETS = ("mixml-1", "mixml-2", "mixmg-bsem", "mixmg-sem")
"""The published studies, by name."""

_NUMBERS = ("replications", "cells", "seed")
_TOP = ("name", "title", *_NUMBERS, "sample", "population", "factors", "methods")
_METHOD = tuple(f.name if f.name != "kind" else "method" for f in dataclasses.fields(Method) if f.name != "name")


def read_study(source: str | Path) -> Study:
    """Read a study.

    Parameters
    ----------
    source
        Name of a preset (``"mixml-1"``, ``"mixml-2"``, ``"mixmg-bsem"``, ``"mixmg-sem"``), or a TOML file; text that
        contains a line break is taken for the TOML itself.

    Returns
    -------
    Study

    Raises
    ------
    OptionError
        If there is no such preset or file, the file is no TOML, or it describes no study; the message says which key.

    Examples
    --------
    >>> read_study("mixml-1").n_data_sets
    48000
    >>> study = read_study('''
    ... name = "sizes"
    ... replications = 10
    ... [population]
    ... n_groups = 24
    ... [factors]
    ... group_size = [50, 100]
    ... [methods.mmgsem]
    ... ''')
    >>> study.n_data_sets, study.methods[0].n_starts
    (20, 50)
    """
    text, where = _text_of(source)
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(
            f"{where} is no TOML: {error}", todo="correct the line; strings stand in quotes, tables in [brackets]"
        ) from None
    try:
        return _study(content)
    except OptionError as error:
        raise OptionError(f"{where}: {error.got}", allowed=error.allowed, todo=error.todo) from None


def write_study(study: Study) -> str:
    """Write a study as TOML that `read_study` reads.

    Raises
    ------
    OptionError
        If its population has models of the user's own, which study files do not know.

    Examples
    --------
    >>> print(write_study(read_study("mixmg-bsem")).split("[methods")[0].strip().splitlines()[-1])
    cross_loading = [0, 0.2, 0.4]
    """
    if not isinstance(study.population, Population):
        raise OptionError(
            f"study {study.name!r} has a population with models of its own", allowed="a Population in a study file"
        )
    head: dict[str, Any] = {"name": study.name, "title": study.title, "replications": study.replications}
    head |= {"cells": study.cells, "seed": study.seed}
    if "sample" not in study.factors:
        head["sample"] = study.sample
    lines = _lines(head)
    lines += ["", "[population]", *_lines(_without(own_fields(study.population), study.factors))]
    lines += ["", "[factors]", *_lines(study.factors)]
    for method in study.methods:
        changed = _without(own_fields(method), ("name", "kind"))
        if method.kind != method.name:
            changed["method"] = method.kind
        lines += ["", f"[methods.{_quoted(method.name)}]", *_lines(changed)]
    return "\n".join(lines) + "\n"


def _text_of(source: str | Path) -> tuple[str, str]:
    """TOML text, and how errors call it."""
    if isinstance(source, str) and "\n" in source:
        return source, "the study"
    if str(source) in PRESETS:
        file = resources.files("mixsem.studies").joinpath("presets", f"{source}.toml")
        return file.read_text(encoding="utf-8"), f"preset {source}"
    path = Path(source)
    if path.suffix != ".toml" and not path.is_file():
        raise OptionError(
            f"no study {str(source)!r}",
            allowed=f"a TOML file, or one of {', '.join(PRESETS)}",
            todo=did_you_mean(str(source), PRESETS) or "check the path",
        )
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OptionError(f"{path} cannot be read: {why}", todo="check path and encoding") from None


def _study(content: Mapping[str, Any]) -> Study:
    _known("a study", content, _TOP)
    for name in ("name", "factors", "methods"):
        if name not in content:
            raise OptionError(f"no {name!r}", allowed="name, [factors] and [methods.NAME]", todo=f"add {name}")
    for name in ("population", "factors", "methods"):
        _table(name, content.get(name, {}))
    given = {**content.get("population", {}), **({"sample": ""} if "sample" in content else {})}
    for name in content["factors"]:
        if name in given:
            raise OptionError(f"{name!r} is a factor and given a value for all cells", todo="leave out one of them")
    options = {name: content[name] for name in (*_NUMBERS, "sample") if name in content}
    return Study(
        str(content["name"]),
        _population(content.get("population", {})),
        {name: _levels(name, levels) for name, levels in content["factors"].items()},
        tuple(_method(name, _table(f"methods.{name}", options)) for name, options in content["methods"].items()),
        title=str(content.get("title", "")),
        **options,
    )


def _population(content: Mapping[str, Any]) -> Population:
    known = [f.name for f in dataclasses.fields(Population)]
    if "sample" in content:
        raise OptionError("[population] has no 'sample'", todo="write it at the top of the file, or as a factor")
    _known("[population]", content, known)
    options: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in content.items()}
    return Population(**options)


def _levels(name: str, levels: Any) -> tuple[Any, ...]:
    if not isinstance(levels, list) or not all(isinstance(level, str | int | float) for level in levels):
        raise OptionError(f"factor {name} = {levels!r}", allowed="a list of numbers or strings", todo="write [1, 2]")
    return tuple(levels)


def _method(name: str, content: Mapping[str, Any]) -> Method:
    _known(f"[methods.{name}]", content, _METHOD)
    options: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in content.items()}
    for key in ("clusters", "starts", "prior_variance"):
        if key in options and not isinstance(options[key], tuple):
            options[key] = (options[key],)
    return Method(name, options.pop("method", ""), **options)


def _table(name: str, content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise OptionError(f"{name} = {content!r}", allowed=f"a table: a line [{name}] and keys below it")
    return content


def _known(what: str, content: Mapping[str, Any], known: tuple[str, ...] | list[str]) -> None:
    for name in content:
        if name not in known:
            raise OptionError(f"{what} has no {name!r}", allowed=", ".join(known), todo=did_you_mean(name, known))


def _without(content: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _lines(content: Mapping[str, Any]) -> list[str]:
    return [f"{_quoted(name)} = {_value(value)}" for name, value in content.items() if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return _string(value) if isinstance(value, str) else repr(value)


def _quoted(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _string(name)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML's escapes are JSON's
