"""A fit as plain data: the layout of ``fit.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np

from .. import __version__
from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import MeasurementFit
from ..mixtures.errors import StandardErrors
from ..mixtures.known import known_errors
from ..mixtures.propagate import PropagatedPosterior, known_propagated
from ..structural.choice import Choice
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .bayesian_record import bayesian_record, bayesian_settings
from .bayesian_section import BayesianDetails, bayesian_details
from .frames import mixture_parameters
from .inference_section import inference_record

__all__ = ["fit_record", "json_lines", "json_text", "plain"]

#: The version is raised when a key of ``fit.json`` changes its meaning or goes; new keys do not raise it.
FORMAT, FORMAT_VERSION = "mixsem-fit", 1

Record = dict[str, object]


def fit_record(
    fits: MixtureSelection,
    choice: Choice,
    *,
    measurement: MeasurementFit | BayesianFit | None,
    min_size: int | None,
    title: str,
    details: BayesianDetails | None = None,
    errors: StandardErrors | None = None,
    propagated: PropagatedPosterior | None = None,
) -> Record:
    """Everything ``fit.json`` holds; numbers that are not finite become None.

    Parameters
    ----------
    fits
        All fits.
    choice
        Which one is described, and why.
    measurement
        The measurement model, if there was one.
    min_size
        Smallest group that was kept when the data were read.
    title
        Title of the report.
    details
        What was computed from the draws of a Bayesian measurement model; None computes it.
    errors
        Standard errors of the fit that is described; None for those that are known without being asked.
    propagated
        Its propagated membership probabilities; None computes them.
    """
    fit = fits[choice.k]
    record: Record = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": __version__,
        "title": title,
        "method": fit.moments.method,
        "k": fit.k,
        "choice": {"rule": choice.rule, "reason": choice.reason},
        "loglik": fit.loglik,
        "loglik_observed": fit.loglik_observed,
        "n_params": fit.n_params,
        "n_params_factors": fit.n_params_factors,
        "entropy_r2": fit.entropy_r2,
        "n_groups": len(fit.groups),
        "n_people": fit.nobs,
        "n_starts": fit.starts.n_starts,
        "n_best": fit.starts.n_best,
        "converged": fit.starts.converged,
        "proportions": fit.proportions,
        "clusters": _clusters(fit, known_propagated(fit) if propagated is None else propagated),
        "coefficients": mixture_parameters(fit, known_errors(fit)[0] if errors is None else errors).to_dict("records"),
        **inference_record(fit, errors),
        "selection": fits.rows(),
        "choices": fits.choices,
        "warnings": [notice.to_dict() for notice in fits.notices],
        "models": {
            "measurement": None if measurement is None else measurement.specification.measurement,
            "structural": fit.specification.structural,
        },
        "settings": _settings(fits, measurement, min_size),
        "measurement": None if measurement is None else _measurement(measurement, details),
    }
    return {key: plain(value) for key, value in record.items()}


def _clusters(fit: MixtureFit, propagated: PropagatedPosterior | None) -> list[Record]:
    """One record per group: most probable cluster, its probability, all probabilities, propagated ones, people."""
    counted = [None] * len(fit.groups) if propagated is None else propagated.probabilities
    columns = (fit.groups, fit.clusters, fit.posterior.max(axis=1), fit.posterior, counted, fit.moments.n)
    names = ("group", "cluster", "probability", "probabilities", "propagated", "n")
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _settings(fits: MixtureSelection, measurement: MeasurementFit | BayesianFit | None, min_size: int | None) -> Record:
    mixture = fits.fits[0].specification
    settings: Record = {
        "k": list(fits),
        "residuals": mixture.residuals,
        "equal_regressions": mixture.equal,
        "group_specific": mixture.group_specific,
        "meanstructure": mixture.meanstructure,
        "n_starts": mixture.n_starts,
        "start": mixture.start if isinstance(mixture.start, str) else "given",
        "tolerance": mixture.tolerance,
        "max_iterations": mixture.max_iterations,
        "residual_floor": mixture.residual_floor,
        "seed": fits.fits[0].starts.seed,
        "min_size": min_size,
    }
    if measurement is not None:
        settings["missing"] = measurement.moments.missing
    if isinstance(measurement, BayesianFit):
        return settings | bayesian_settings(measurement)
    if measurement is not None:
        model = measurement.specification
        settings |= {
            "group": measurement.moments.group,
            "equal": model.equal,
            "partial": model.partial,
            "blocks": model.blocks,
            "std_lv": model.std_lv,
            "ordered": model.ordered,
        }
    return settings


def _measurement(measurement: MeasurementFit | BayesianFit, details: BayesianDetails | None) -> Record:
    if isinstance(measurement, BayesianFit):
        return bayesian_record(measurement, bayesian_details(measurement) if details is None else details)
    return {
        "loglik": measurement.loglik,
        "n_params": measurement.n_params,
        "converged": measurement.converged,
        "n_dropped": measurement.moments.n_dropped.sum(),
        "blocks": [
            {"factors": block.factors, "items": block.items, **block.measures.to_dict()} for block in measurement.blocks
        ],
    }


def plain(value: object) -> object:
    """Turn a value into what JSON knows: numbers that are not finite become None, unknown types become text.

    Examples
    --------
    >>> plain({"a": np.array([1.5, np.nan]), "b": np.int64(2), "c": (True, float("inf"))})
    {'a': [1.5, None], 'b': 2, 'c': [True, None]}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(entry) for entry in value]
    return value if value is None or isinstance(value, str | int) else str(value)


def json_text(content: object) -> str:
    """Plain data as JSON on one line."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def json_lines(record: Mapping[str, object]) -> str:
    """JSON with one line per key, and one per entry of a list of records: fit for reading and comparing."""
    lines = []
    for key, value in record.items():
        several = isinstance(value, list) and value and isinstance(value[0], dict)
        entries = value if isinstance(value, list) else []
        text = "[\n  " + ",\n  ".join(map(json_text, entries)) + "\n ]" if several else json_text(value)
        lines.append(f" {json_text(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
