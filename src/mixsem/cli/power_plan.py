"""The plan of ``mixsem power``: a TOML file, arguments, or both. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError, did_you_mean
from .output import Output, output_options
from .parser import METHODS
from .variance import number

__all__ = ["OWN", "PowerOptions", "power_options"]

#: Keys of [population] with models of one's own, and of the published one.
OWN = (
    "measurement", "structural", "coefficients", "proportions", "loadings", "reliability", "unique_variances",
    "factor_variances", "correlations", "loading_variance", "variance_sd", "correlation_sd", "unique_sd",
)  # fmt: skip
PUBLISHED = (
    "n_clusters", "beta", "reliability", "loading_variance", "cross_loading", "proportions", "kind",
)  # fmt: skip
# Key of the plan file -> option that replaces it.
_KEYS = {
    "n_groups": "--groups",
    "group_size": "--sizes",
    "method": "--method",
    "replications": "--replications",
    "choose_among": "--choose-among",
    "n_starts": "--starts",
    "threshold": "--threshold",
    "wanted": "--wanted",
    "seed": "--seed",
}
_NEEDED = ("measurement", "structural", "coefficients")


@dataclass(frozen=True, slots=True)
class PowerOptions:
    """Everything ``mixsem power`` was asked to do.

    Attributes
    ----------
    source
        How messages call the plan file; empty without one.
    population
        Fields of the population; of the user's own if there is ``"measurement"`` among them.
    plan
        Arguments of `power`, those that were given.
    """

    source: str
    population: Mapping[str, Any]
    plan: Mapping[str, Any]
    workers: int | None
    dask: str | None
    output: Output

    @property
    def own(self) -> bool:
        """Whether the models are the user's own."""
        return "measurement" in self.population


def power_options(arguments: argparse.Namespace, command: str = "") -> PowerOptions:
    """Validate arguments and plan file; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument or a key is not one of those allowed, or the file cannot be read.
    """
    for option in ("--out", "--dask"):
        given = getattr(arguments, option[2:])
        if given is not None and not given.strip():
            raise OptionError(f"{option} is empty", allowed="a folder" if option == "--out" else "an address")
    if arguments.workers is not None and arguments.dask is not None:
        raise OptionError("--workers with --dask", allowed="one of them: the cluster says how many workers it has")
    source = "" if arguments.plan is None else Path(arguments.plan).name
    content = {} if arguments.plan is None else _read(Path(arguments.plan))
    population = content.pop("population", {})
    plan = {key: _plan_value(key, value, f"{source}: {key}") for key, value in content.items()}
    for key, option in _KEYS.items():
        text = getattr(arguments, option[2:].replace("-", "_"))
        if text is not None:
            listed = key in ("n_groups", "group_size") or (key == "choose_among" and "," in text)
            plan[key] = _plan_value(key, [_typed(t) for t in text.split(",")] if listed else _typed(text), option)
    published = _published(arguments, source)
    if not source:
        population = {"n_clusters": 2, **published}
    if isinstance(plan.get("group_size"), list) and "measurement" not in population:
        ranges = [size for size in plan["group_size"] if isinstance(size, str)]
        if ranges:
            raise OptionError(
                f"a range of group sizes, {ranges[0]}, with the published population",
                allowed="numbers",
                todo="ranges belong to models of your own: a plan file with a measurement model in [population]",
            )
    _require_enough(plan, len(population.get("coefficients", ())) or population.get("n_clusters", 4))
    return PowerOptions(
        source,
        population,
        plan,
        None if arguments.workers is None else _whole("--workers", _typed(arguments.workers), least=1),
        arguments.dask,
        output_options(arguments, command),
    )


def _require_enough(plan: Mapping[str, Any], k: Any) -> None:
    """Refuse fewer groups than clusters, and a choice without the true number of clusters."""
    if isinstance(k, int):
        few = [n for n in plan.get("n_groups", ()) if n < k]
        if few:
            raise OptionError(f"{few[0]} groups in {k} clusters", allowed="a group for each cluster or more")
        among = plan.get("choose_among", (k, k + 1))
        if k not in among or len(among) < 2:
            raise OptionError(
                f"{k} clusters cannot be chosen among {', '.join(map(str, among))}",
                allowed="several numbers that include the true one",
                todo=f"--choose-among 1-{k + 1}, or leave it out: the number is then taken as known",
            )


def _published(arguments: argparse.Namespace, source: str) -> dict[str, Any]:
    """Fields of the published population that were given as arguments."""
    found: dict[str, Any] = {}
    for option, key in (
        ("--clusters", "n_clusters"),
        ("--beta", "beta"),
        ("--reliability", "reliability"),
        ("--loading-variance", "loading_variance"),
    ):
        text = getattr(arguments, option[2:].replace("-", "_"))
        if text is None:
            continue
        if source:
            raise OptionError(
                f"{option} with a plan file", allowed=f"{key} in [population] of {source}", todo=f"leave {option} out"
            )
        found[key] = text if key == "reliability" else _typed(text)
        if key == "n_clusters" and found[key] not in (2, 3, 4):
            raise OptionError(f"{option} {text}", allowed="2, 3 or 4", todo="--choose-among says what is fitted")
        if key in ("beta", "loading_variance") and isinstance(found[key], str):
            raise OptionError(f"{option} {text}", allowed="a number")
        if key == "reliability" and text not in ("high", "low"):
            raise OptionError(f"{option} {text}", allowed="high or low", todo=did_you_mean(text, ("high", "low")))
    return found


def _read(path: Path) -> dict[str, Any]:
    """Keys of a plan file, all of them known."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise OptionError(
            f"{path.name} is no TOML: {error}", todo="correct the line; text stands in quotes, tables in [brackets]"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OptionError(f"the plan file {path} cannot be read: {why}", todo="check the path") from None
    _known(f"{path.name}", content, ("population", *_KEYS))
    population = content.get("population")
    if not isinstance(population, dict):
        raise OptionError(
            f"{path.name} has no table [population]", allowed="a line [population] and keys below it, as in the manual"
        )
    where = f"{path.name}, [population]"
    if any(key in population for key in _NEEDED):
        _known(where, population, OWN)
        for key in _NEEDED:
            if key not in population:
                raise OptionError(f"{where} has no {key!r}", allowed=", ".join(OWN), todo=f"add {key}")
        for key in ("measurement", "structural"):
            if not isinstance(population[key], str):
                raise OptionError(f"{where}: {key} = {population[key]!r}", allowed="text in quotes")
        given = population["coefficients"]
        if not isinstance(given, list) or not all(isinstance(cluster, dict) for cluster in given):
            raise OptionError(
                f"{where}: coefficients = {given!r}",
                allowed='a table per cluster: [[population.coefficients]], and below it lines such as "y ~ x" = 0.3',
            )
    else:
        _known(where, population, PUBLISHED)
    return content


def _known(where: str, content: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in content:
        if key not in known:
            raise OptionError(f"{where} has no key {key!r}", allowed=", ".join(known), todo=did_you_mean(key, known))


def _typed(text: str) -> Any:
    """A number if the text is one."""
    value = number(text)
    return text.strip() if value is None else int(value) if value == int(value) and "." not in text else value


def _plan_value(key: str, value: Any, where: str) -> Any:
    """A value of a plan, checked; `where` is how messages call it."""
    if key in ("replications", "n_starts", "seed"):
        return _whole(where, value, least=0 if key == "seed" else 1)
    if key in ("threshold", "wanted"):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise OptionError(f"{where} {value}", allowed="a number above 0, up to 1")
        return value
    if key == "method":
        if value not in METHODS:
            raise OptionError(f"{where} {value}", allowed=", ".join(METHODS), todo=did_you_mean(str(value), METHODS))
        return value
    if key == "choose_among":
        return _numbers_of_clusters(value, where)
    values = value if isinstance(value, list) else [value]
    return [_size(v, where, key) for v in values]


def _size(value: Any, where: str, key: str) -> int | str:
    """A number of groups or people; of people also a range, as text or as a list of two."""
    if isinstance(value, list) and len(value) == 2 and key == "group_size":
        value = f"{value[0]}-{value[1]}"
    if isinstance(value, str) and key == "group_size":
        first, dash, last = value.partition("-")
        if dash and first.strip().isdecimal() and last.strip().isdecimal() and 2 <= int(first) <= int(last):
            return f"{int(first)}-{int(last)}"
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        more = " and ranges such as 50-200" if key == "group_size" else ""
        raise OptionError(f"{where} {value}", allowed=f"whole numbers from 2{more}, separated by commas")
    return value


def _numbers_of_clusters(value: Any, where: str) -> tuple[int, ...]:
    from .options import cluster_numbers

    if isinstance(value, str):
        try:
            return cluster_numbers(value)
        except OptionError as error:
            raise OptionError(f"{where} {value}", allowed=error.allowed, todo="1-4 is a good beginning") from None
    values = value if isinstance(value, list) else [value]
    return tuple(_whole(where, v, least=1) for v in values)


def _whole(where: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{where} {value}", allowed=f"a whole number, {least} or more")
    return value
