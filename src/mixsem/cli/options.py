"""Arguments as typed, validated options: everything that can be refused without opening the data."""

from __future__ import annotations

import argparse
import glob
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError, did_you_mean
from .output import Output, output_options
from .parser import METHODS
from .step1 import EqualLoadings, Step1Options, one_of, step1_options

__all__ = [
    "DataOptions",
    "FitOptions",
    "ModelText",
    "MomentsOptions",
    "fit_options",
    "moments_options",
]

_MODEL = "a text file with the model, or the model itself, which contains '~'"

#: More clusters than this in `--clusters` is a slip of the pen.
MOST_CLUSTERS = 1000

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")

BLOCK_WORDS = ("factor", "joint")

# What only a path looks like: a home folder in front, or the suffix of a text file at the end.
_PATH = re.compile(r"~[\w.-]*[/\\].+|.*\.(?:txt|lav|lavaan)|.*[/\\].*\.(?:r|mod|model|dat)", re.IGNORECASE)
_OPERATOR = re.compile(r"=~|\s~~?\s")


@dataclass(frozen=True, slots=True)
class ModelText:
    """A model and where it came from.

    Attributes
    ----------
    name
        How messages call it, such as ``measurement model m.txt``.
    text
        The model.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which data to read: files, grouping column, smallest group, and what becomes of missing values."""

    files: tuple[Path, ...]
    group: str | None
    min_size: int | None
    missing: str = "listwise"


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Everything ``mixsem fit`` was asked to do; the names are those of the methods' functions."""

    data: DataOptions
    measurement: ModelText
    structural: ModelText
    out: Path
    output: Output
    clusters: tuple[int, ...]
    choose: int | None
    step1: Step1Options
    blocks: str | tuple[tuple[str, ...], ...]
    residuals: str
    equal_regressions: tuple[str, ...]
    n_starts: int
    seed: int
    group_specific: tuple[str, ...] = ()
    meanstructure: bool = False

    @property
    def n_stages(self) -> int:
        """Stages of the progress bar: measurement, each number of clusters, report."""
        return len(self.clusters) + 2

    @property
    def first_stage(self) -> float:
        """Length of the first stage on the bar: sampling takes most of the time."""
        return 1.0 if isinstance(self.step1, EqualLoadings) else 4.0 * self.n_stages


@dataclass(frozen=True, slots=True)
class MomentsOptions:
    """Everything ``mixsem moments`` was asked to do; the items or a model that names them."""

    data: DataOptions
    items: tuple[str, ...]
    measurement: ModelText | None
    out: Path
    output: Output


def fit_options(arguments: argparse.Namespace, command: str = "") -> FitOptions:
    """Validate the arguments of ``mixsem fit``; `command` is how they were typed.

    Raises
    ------
    OptionError
        If an argument is outside what is allowed, or a model file cannot be read.
    """
    one_of("--method", arguments.method, METHODS)
    clusters = cluster_numbers(arguments.clusters)
    choose = None if arguments.choose is None else _whole("--choose", arguments.choose, least=1)
    if choose is not None and choose not in clusters:
        raise OptionError(
            f"--choose {choose} is not among --clusters {arguments.clusters}",
            allowed=", ".join(map(str, clusters)),
            todo="choose one of them, or add it to --clusters",
        )
    step1 = step1_options(arguments)
    return FitOptions(
        data=_data_options(arguments),
        measurement=model_text("measurement", arguments.measurement),
        structural=model_text("structural", arguments.structural),
        out=_path("--out", arguments.out),
        output=output_options(arguments, command),
        clusters=clusters,
        choose=choose,
        step1=step1,
        blocks=block_option(arguments.blocks),
        residuals=one_of("--residuals", arguments.residuals, ("group", "cluster")),
        equal_regressions=tuple(arguments.equal_regressions or ()),
        n_starts=_whole("--starts", arguments.starts, least=1),
        seed=_whole("--seed", arguments.seed, least=0),
        group_specific=tuple(arguments.group_specific or ()),
        meanstructure=_meanstructure(arguments, step1),
    )


def _meanstructure(arguments: argparse.Namespace, step1: Step1Options) -> bool:
    """Whether to cluster on factor means, which only equal intercepts make comparable."""
    if arguments.meanstructure and not (isinstance(step1, EqualLoadings) and "intercepts" in step1.equal):
        raise OptionError(
            "--meanstructure without equal intercepts",
            allowed="with --method mmgsem and --equal loadings intercepts: only then factor means can be compared",
            todo="add --equal loadings intercepts, or leave --meanstructure out",
        )
    return bool(arguments.meanstructure)


def moments_options(arguments: argparse.Namespace, command: str = "") -> MomentsOptions:
    """Validate the arguments of ``mixsem moments``; errors are those of `fit_options`."""
    items = tuple(name.strip() for name in (arguments.items or "").split(",") if name.strip())
    if arguments.items is not None and not items:
        raise OptionError("--items names no column", allowed="names separated by commas, such as x1,x2,x3")
    return MomentsOptions(
        data=_data_options(arguments),
        items=items,
        measurement=None if arguments.measurement is None else model_text("measurement", arguments.measurement),
        out=_path("--out", arguments.out),
        output=output_options(arguments, command),
    )


def cluster_numbers(text: str) -> tuple[int, ...]:
    """Read ``--clusters``: a number, a range, or a list of both.

    Examples
    --------
    >>> cluster_numbers("3"), cluster_numbers("1-4"), cluster_numbers("2,4,6-7")
    ((3,), (1, 2, 3, 4), (2, 4, 6, 7))
    """
    numbers: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first = int(match[1]) if match else 0
        last = int(match[2] or match[1]) if match else 0
        if not 1 <= first <= last <= MOST_CLUSTERS:
            why = f": the range {part.strip()} runs backwards" if match and 1 <= last < first else ""
            raise OptionError(
                f"--clusters {text!r}{why}",
                allowed=f"numbers from 1 to {MOST_CLUSTERS}: one, a range or a list, as in 3, 1-6 or 2,4,5",
                todo="--clusters 1-6 is a good beginning",
            )
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def block_option(text: str) -> str | tuple[tuple[str, ...], ...]:
    """Read ``--blocks``: a word, or factors joined by commas in blocks separated by semicolons.

    Examples
    --------
    >>> block_option("joint"), block_option("F1,F2;F3")
    ('joint', (('F1', 'F2'), ('F3',)))
    """
    if not set(text) & set(",;"):
        word = text.strip()
        if word not in BLOCK_WORDS:
            raise OptionError(
                f"--blocks {text}", allowed='factor, joint, "F1,F2;F3"', todo=did_you_mean(word, BLOCK_WORDS)
            )
        return word
    blocks = (tuple(name.strip() for name in block.split(",") if name.strip()) for block in text.split(";"))
    return tuple(block for block in blocks if block)


def model_text(kind: str, argument: str) -> ModelText:
    """Take a model from a file, or from the argument itself if it contains a ``~``.

    Raises
    ------
    OptionError
        If the file is missing, empty, or no text.
    """
    if not argument.strip():
        raise OptionError(f"--{kind}: the model is empty", allowed=_MODEL, todo="name the file, or write the model")
    path = _path_at_home(argument)
    if _is_file(path):
        return ModelText(f"{kind} model {path.name}", _read_model(kind, path))
    if ("~" in argument or "\n" in argument) and not _looks_like_path(argument):
        return ModelText(f"{kind} model", argument)
    what = "is a folder" if _exists(path) else "is no file"
    raise OptionError(
        f"--{kind}: {argument!r} {what}",
        allowed=_MODEL,
        todo="check the path",
    )


def _looks_like_path(argument: str) -> bool:
    return _PATH.fullmatch(argument) is not None and _OPERATOR.search(argument) is None


def _path_at_home(argument: str) -> Path:
    """Write out the home folder that a shell leaves as ``~`` between quotation marks."""
    path = Path(argument)
    try:
        return path.expanduser() if _looks_like_path(argument) and not _is_file(path) else path
    except RuntimeError:  # nobody of that name
        return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a model text may be too long for a name
        return False


def _is_pattern(path: Path) -> bool:
    """Tell whether a path in quotation marks stands for files that are there."""
    return any(character in str(path) for character in "*?[") and any(glob.iglob(str(path), recursive=True))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _read_model(kind: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else f"({error.strerror})"
        raise OptionError(
            f"--{kind}: the file {path} cannot be read {reason}".replace(" read is", " read: it is"),
            todo="save the model as plain text in UTF-8",
        ) from error
    if not text.strip():
        raise OptionError(f"--{kind}: the file {path} is empty", todo="write the model into it")
    return text


def _data_options(arguments: argparse.Namespace) -> DataOptions:
    files = tuple(_path("DATA", name) for name in arguments.data)
    absent = next((path for path in files if not _exists(path) and not _is_pattern(path)), None)
    if absent is not None:
        raise OptionError(f"there is no file {absent}", todo="check the path")
    repeated = [path for i, path in enumerate(files) if path in files[:i]]
    if repeated:
        raise OptionError(f"{repeated[0]} is given twice", todo="its people would be counted twice; name it once")
    if arguments.group is not None and not arguments.group.strip():
        raise OptionError("--group is empty", allowed="the name of a column", todo="name the column of the groups")
    min_size = None if arguments.min_size is None else _whole("--min-size", arguments.min_size, least=1)
    missing = one_of("--missing", arguments.missing, ("listwise", "ml", "pairwise"))
    return DataOptions(files, arguments.group, min_size, missing)


def _path(name: str, text: str) -> Path:
    if not text.strip():
        raise OptionError(f"{name} is empty", allowed="a path")
    return Path(text)


def _whole(name: str, text: str, *, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise OptionError(f"{name} {text}", allowed=f"a whole number, {least} or more")
    return value
