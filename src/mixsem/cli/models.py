"""The measurement model that was asked for, and the draws that were asked to be kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.moments import SampleMoments
from ..errors import OutputError
from ..syntax.sem import parse_model
from .options import FitOptions
from .step1 import ApproximateLoadings, EqualLoadings, PosteriorOptions, RandomLoadings
from .variance import prior_variance
from .wording import about_model

if TYPE_CHECKING:
    from ..bayes.draws import Sampling
    from ..data.ordinal import OrdinalMoments
    from ..measurement.bayes_fit import BayesianFit
    from ..measurement.fit import MeasurementFit
    from .console import Progress

__all__ = ["check_draws_file", "draws_path", "fit_measurement", "written_draws"]

#: First bytes of a NetCDF file as it is written here (HDF5).
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def fit_measurement(
    moments: SampleMoments | OrdinalMoments, options: FitOptions, progress: Progress | None = None
) -> MeasurementFit | BayesianFit:
    """Run step 1 with the method that was asked for."""
    step1, text, blocks = options.step1, options.measurement.text, options.blocks
    with about_model(options.measurement):
        if isinstance(step1, EqualLoadings):
            from ..measurement.mgcfa import MGCFA

            model = MGCFA(text, equal=step1.equal, partial=step1.partial, blocks=blocks, ordered=step1.ordered)
            # How missing values were treated was decided when the data were read, or by whoever made the moments.
            model = replace(model, missing=moments.missing) if isinstance(moments, SampleMoments) else model
            return model.fit(moments)
        assert isinstance(moments, SampleMoments)  # the other methods refuse --ordered
        missing = moments.missing
        sampler, sampling = step1.posterior.sampler, _sampling(step1.posterior)
        if isinstance(step1, RandomLoadings):
            from ..measurement.mlcfa import MLCFA

            ml = MLCFA(text, blocks=blocks, method=sampler, sampling=sampling, missing=missing)
            ml = ml if step1.random is None else replace(ml, random=step1.random)
            ml = ml if step1.posterior.priors is None else replace(ml, priors=step1.posterior.priors)
            return ml.fit(moments, seed=options.seed, progress=progress)
        from ..measurement.mgbcfa import MGBCFA

        mg = MGBCFA(
            text,
            prior_variance=prior_variance(step1.variance, parse_model(text).factors),
            symmetric=step1.symmetric,
            reference=_label(step1, moments.groups),
            blocks=blocks,
            method=sampler,
            sampling=sampling,
            missing=missing,
        )
        mg = mg if step1.posterior.priors is None else replace(mg, priors=step1.posterior.priors)
        return mg.fit(moments, seed=options.seed, progress=progress)


def _sampling(posterior: PosteriorOptions) -> Sampling:
    from ..bayes.draws import DEFAULT_SAMPLING as usual
    from ..bayes.draws import Sampling

    return Sampling(
        chains=posterior.chains or usual.chains,
        warmup=posterior.warmup or usual.warmup,
        draws=posterior.draws or usual.draws,
        target_accept=posterior.target_accept or usual.target_accept,
    )


def _label(step1: ApproximateLoadings, groups: Sequence[Hashable]) -> Hashable | None:
    """The reference group: labels may be numbers, what is typed is text."""
    return next((group for group in groups if str(group) == step1.reference), step1.reference)


def draws_path(options: FitOptions) -> Path | None:
    """Where the draws go; None if nobody wants them."""
    return None if isinstance(options.step1, EqualLoadings) else options.step1.posterior.save_draws


def check_draws_file(path: Path, out: Path) -> None:
    """Find out, before long work begins, whether the draws can be written."""
    if path.is_dir():
        raise OutputError(f"--save-draws {path} is a folder", allowed="a file name that ends in .nc")
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                raise OutputError(
                    f"--save-draws {path} exists and holds no draws",
                    allowed="a new file, or draws to be replaced",
                    todo="choose another name",
                )
    if path.parent.resolve() == out.resolve():
        return  # it is made with the results
    if not path.parent.is_dir():
        raise OutputError(f"--save-draws {path}: there is no folder {path.parent}", todo="make it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"--save-draws {path}: nothing can be written there", todo="choose another folder")


@contextlib.contextmanager
def written_draws(measurement: MeasurementFit | BayesianFit, path: Path | None) -> Iterator[None]:
    """Write the draws to a passing file, which takes its name when the results are written too."""
    from ..measurement.bayes_fit import BayesianFit

    if path is None or not isinstance(measurement, BayesianFit):
        yield
        return
    home = next(folder for folder in path.absolute().parents if folder.is_dir())
    passing = home / f".{path.name}.{os.getpid()}.tmp"
    try:
        try:
            measurement.to_arviz().to_netcdf(str(passing), engine="h5netcdf")
        except OSError as error:
            raise _cannot_write(path, error) from error
        yield
        try:
            os.replace(passing, path)
        except OSError as error:
            raise _cannot_write(path, error) from error
    finally:
        passing.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"--save-draws {path} cannot be written: {error.strerror or error}",
        allowed="a place that may be written to, on a disk with space left",
        todo="choose another file",
    )
