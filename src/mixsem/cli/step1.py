"""Options of step 1: every method has its own, and refuses those of the others by name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import OptionError, did_you_mean
from .variance import VarianceOption, number, variance_option

__all__ = [
    "LEAST_DRAWS",
    "PRIORS",
    "SAMPLERS",
    "ApproximateLoadings",
    "EqualLoadings",
    "PosteriorOptions",
    "RandomLoadings",
    "Step1Options",
    "default_options",
    "one_of",
    "step1_options",
]

BAYESIAN = ("mixml-sem", "mixmg-bsem")
PRIORS = ("default", "blavaan", "mplus")
SAMPLERS = ("nuts", "laplace")
#: Fewest that can be asked for; as `mixsem.Sampling` has them, which is not imported before the arguments are good.
LEAST_DRAWS = {"--chains": 1, "--warmup": 50, "--draws": 10}

#: Which methods have an option; those of step 1 that all methods have are not listed.
_METHODS_OF = {
    "--partial": ("mmgsem",),
    "--equal": ("mmgsem",),
    "--ordered": ("mmgsem",),
    "--random": ("mixml-sem",),
    "--prior-variance": ("mixmg-bsem",),
    "--symmetric": ("mixmg-bsem",),
    "--reference": ("mixmg-bsem",),
    "--priors": BAYESIAN,
    "--sampler": BAYESIAN,
    "--chains": BAYESIAN,
    "--warmup": BAYESIAN,
    "--draws": BAYESIAN,
    "--target-accept": BAYESIAN,
    "--save-draws": BAYESIAN,
}

#: What a method has in the place of another's option.
_INSTEAD = {
    ("--partial", "mixml-sem"): "--random names what may differ between groups",
    ("--equal", "mixml-sem"): "what --random does not name is equal over groups",
    ("--partial", "mixmg-bsem"): '--prior-variance "F =~ x3=none" lets a loading differ freely',
    ("--equal", "mixmg-bsem"): "--prior-variance 0 holds all loadings equal",
    ("--random", "mmgsem"): "--partial names what may differ between groups",
    ("--random", "mixmg-bsem"): "--prior-variance says how much loadings may differ between groups",
    ("--prior-variance", "mmgsem"): "--partial names what may differ between groups",
    ("--prior-variance", "mixml-sem"): "--random names what may differ between groups",
}


@dataclass(frozen=True, slots=True)
class EqualLoadings:
    """Step 1 of mmgsem, with the names of `mixsem.MGCFA`."""

    partial: tuple[str, ...] = ()
    equal: tuple[str, ...] = ("loadings",)
    ordered: tuple[str, ...] | Literal[True] = ()


@dataclass(frozen=True, slots=True)
class PosteriorOptions:
    """Priors and sampling of a Bayesian step 1; None leaves the method's default."""

    priors: str | None = None
    sampler: str = "nuts"
    chains: int | None = None
    warmup: int | None = None
    draws: int | None = None
    target_accept: float | None = None
    save_draws: Path | None = None


@dataclass(frozen=True, slots=True)
class RandomLoadings:
    """Step 1 of mixml-sem, with the names of `mixsem.MLCFA`; None leaves the default."""

    random: tuple[str, ...] | None
    posterior: PosteriorOptions


@dataclass(frozen=True, slots=True)
class ApproximateLoadings:
    """Step 1 of mixmg-bsem, with the names of `mixsem.MGBCFA`."""

    variance: VarianceOption
    symmetric: bool
    reference: str | None
    posterior: PosteriorOptions


Step1Options = EqualLoadings | RandomLoadings | ApproximateLoadings


def step1_options(arguments: argparse.Namespace) -> Step1Options:
    """Validate the options of step 1.

    Raises
    ------
    OptionError
        If an option belongs to another method, or has a value that is not allowed.
    """
    method: str = arguments.method
    given = {option: getattr(arguments, option[2:].replace("-", "_")) for option in _METHODS_OF}
    for option, value in given.items():
        if value is not None and value is not False and method not in _METHODS_OF[option]:
            raise _of_another_method(option, method)
    if method == "mmgsem":
        equal = tuple(arguments.equal or ("loadings",))
        ordered = tuple(arguments.ordered or ())
        return EqualLoadings(
            tuple(arguments.partial or ()),
            () if equal == ("none",) else equal,
            True if ordered == ("all",) else ordered,
        )
    posterior = _posterior(arguments)
    if method == "mixml-sem":
        return RandomLoadings(_random(arguments.random), posterior)
    if arguments.symmetric and arguments.reference is not None:
        raise OptionError(
            "--reference and --symmetric exclude one another",
            allowed="a reference group, or the symmetric form, which has none",
            todo="leave one of them out",
        )
    return ApproximateLoadings(
        variance_option(arguments.prior_variance or ()), arguments.symmetric, arguments.reference, posterior
    )


def default_options(method: str) -> Step1Options:
    """Options of step 1 where none are given."""
    if method == "mmgsem":
        return EqualLoadings()
    posterior = PosteriorOptions()
    if method == "mixml-sem":
        return RandomLoadings(None, posterior)
    return ApproximateLoadings(VarianceOption(), False, None, posterior)


def _of_another_method(option: str, method: str) -> OptionError:
    own = [name for name, methods in _METHODS_OF.items() if method in methods]
    instead = _INSTEAD.get((option, method), "")
    return OptionError(
        f"{option} is an option of --method {' and '.join(_METHODS_OF[option])}, not of {method}",
        allowed=f"with {method}: {', '.join([*own, '--blocks'])}",
        todo=f"leave it out; {instead}" if instead else "leave it out, or choose another --method",
    )


def _random(given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    if "none" in given and len(given) > 1:
        raise OptionError(
            f"--random {' '.join(given)}",
            allowed="kinds or parameters, or 'none' alone",
            todo="leave 'none' out, or everything else",
        )
    return () if list(given) == ["none"] else tuple(given)


def _posterior(arguments: argparse.Namespace) -> PosteriorOptions:
    priors = None if arguments.priors is None else one_of("--priors", arguments.priors, PRIORS)
    sampler = one_of("--sampler", "nuts" if arguments.sampler is None else arguments.sampler, SAMPLERS)
    for option, value in (("--warmup", arguments.warmup), ("--target-accept", arguments.target_accept)):
        if sampler == "laplace" and value is not None:
            raise OptionError(
                f"{option} with --sampler laplace",
                allowed="--chains and --draws: their product is the number of draws, at most 1000",
                todo="leave it out: this sampler needs no tuning by hand",
            )
    return PosteriorOptions(
        priors,
        sampler,
        _whole("--chains", arguments.chains),
        _whole("--warmup", arguments.warmup),
        _whole("--draws", arguments.draws),
        _acceptance(arguments.target_accept),
        None if arguments.save_draws is None else _draws_path(arguments.save_draws),
    )


def _whole(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    least = LEAST_DRAWS[option]
    value = int(text) if text.isascii() and text.isdigit() else -1
    if value < least:
        raise OptionError(f"{option} {text}", allowed=f"a whole number, {least} or more")
    return value


def _acceptance(text: str | None) -> float | None:
    if text is None:
        return None
    value = number(text)
    if value is None or not 0.5 <= value < 1:
        raise OptionError(
            f"--target-accept {text}",
            allowed="a number from 0.5 up to, not including, 1",
            todo="0.8 is the default; 0.95 takes smaller steps, against divergences",
        )
    return value


def _draws_path(text: str) -> Path:
    if not text.lower().endswith(".nc"):
        raise OptionError(
            f"--save-draws {text!r}", allowed="a file name that ends in .nc (NetCDF)", todo="--save-draws draws.nc"
        )
    return Path(text)


def one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    """Refuse what is not among the allowed words."""
    if value not in allowed:
        raise OptionError(f"{option} {value}", allowed=", ".join(allowed), todo=did_you_mean(value, allowed))
    return value
