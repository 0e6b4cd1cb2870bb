"""Errors and warnings in the words of the command line: what a step calls ``min_size=`` is ``--min-size``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from ..errors import MixsemError, ModelError, ModelSyntaxError
from .options import ModelText

__all__ = ["about_model", "in_options"]

_OPTIONS = {
    "min_size": "--min-size",
    "missing": "--missing",
    "levels": "--levels",
    "kinds": "--kinds",
    "threshold": "--threshold",
    "min_share": "--min-share",
    "group_equal": "--group-equal",
    "group_partial": "--group-partial",
    "estimator": "--estimator",
    "std_lv": "--std-lv",
    "meanstructure": "--meanstructure",
    "ordered": "--ordered",
    "partial": "--partial",
    "blocks": "--blocks",
    "group": "--group",
    "residuals": "--residuals",
    "group_specific": "--group-specific",
    "n_starts": "--starts",
    "seed": "--seed",
    "structural": "--structural",
    "k": "--clusters",
    "random": "--random",
    "prior_variance": "--prior-variance",
    "reference": "--reference",
    "priors": "--priors",
    "target_accept": "--target-accept",
    "ddf": "--ddf",
    "weights": "--weights",
    "offset": "--offset",
}

#: Advice that exists in Python only, and what the command line has in its place.
_ELSEWHERE = {
    "; starting clusters are given with start=": "",
    "Raise max_iterations.": "More iterations can be allowed in Python (max_iterations).",
    "SampleMoments.from_frame with min_size=": "min_size=",
    "Fit again from fit.theta with start=, a larger max_evaluations or another method; see all_fit().": (
        "Try another --optimizer; all_fit() in Python tries them all."
    ),
    "leave missing= out": "leave --missing out",
    "leave ordered= out": "leave --ordered out",
    "lower min_size": "lower --min-size",
    "(min_size)": "(--min-size)",
    "(method='nuts')": "(--sampler nuts)",
    "(MGBCFA or MGCFA)": "(--method mixmg-bsem or mmgsem)",
}

#: Several values of an argument, such as ``equal=('loadings', 'intercepts')`` of step 1 or ``levels=('metric',)``.
_VALUES = re.compile(r"(?<![\w.\-])equal=\(('\w+'(?:, '\w+')*),?\)")

_SEVERAL = re.compile(rf"(?<![\w.\-])({'|'.join(_OPTIONS)})=\(('[^']*'(?:, '[^']*')*),?\)")

#: An argument of a Python call, such as ``blocks='joint'``, ``k=9`` or just ``min_size=``.
_ARGUMENT = re.compile(rf"(?<![\w.\-])({'|'.join(_OPTIONS)})=(?!=)('[^']*'|\d+|range\(1, 7\))?")

#: The group of autocorrelated residuals, its time left open.
_AR1 = re.compile(r'(?<![\w.\-])ar1=\("([^"]+)", \.\.\.\)')

_SAMPLING = re.compile(r"Sampling\((\w+=[\d.]+(?:, \w+=[\d.]+)*)\)")


def in_options(message: str) -> str:
    """Put the options of the command line in the place of Python's arguments, in an error or a warning.

    Examples
    --------
    >>> in_options("k=9 with 8 groups; estimate factors together (blocks='joint'), or drop groups (min_size=)")
    '--clusters 9 with 8 groups; estimate factors together (--blocks joint), or drop groups (--min-size)'
    >>> in_options("group_equal=('loadings', 'means'), but there is no group=")
    '--group-equal loadings means, but there is no --group'
    """
    equal = "--equal-regressions" if "regression" in message else "--equal"
    for python, here in _ELSEWHERE.items():
        message = message.replace(python, here)
    message = _VALUES.sub(lambda found: f"--equal {found[1].replace(chr(39), '').replace(',', '')}", message)
    message = _SEVERAL.sub(_several, message)
    message = _SAMPLING.sub(_sampling, message)
    message = _AR1.sub(r"--ar1 \1 ...", message)
    return _ARGUMENT.sub(_option, re.sub(r"(?<![\w.\-])equal=(?=[ \n)]|$)", equal, message))


def _sampling(found: re.Match[str]) -> str:
    """Settings of the sampler, such as ``Sampling(warmup=2000, draws=2000)``."""
    settings = (part.split("=") for part in found[1].split(", "))
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings)


def _several(found: re.Match[str]) -> str:
    """Values apart by blanks, in quotes if they hold some themselves."""
    values = re.findall("'([^']*)'", found[2])
    return " ".join([_OPTIONS[found[1]], *(f'"{value}"' if " " in value else value for value in values)])


def _option(found: re.Match[str]) -> str:
    value = "1-6" if (found[2] or "").startswith("range") else (found[2] or "").strip("'")
    return f"{_OPTIONS[found[1]]} {value}".rstrip()


@contextlib.contextmanager
def about_model(model: ModelText) -> Iterator[None]:
    """Say which of the two models an error is about, where it names a line of it.

    Raises
    ------
    ModelError
        In the place of an error that begins with a line.
    """
    try:
        yield
    except (ModelError, ModelSyntaxError) as error:
        if not error.got.startswith("line "):
            raise
        raise _renamed(error, model) from error


def _renamed(error: MixsemError, model: ModelText) -> ModelError:
    return ModelError(f"{model.name}, {error.got}", allowed=error.allowed, todo=error.todo)
