"""``mixsem demo``: the main job on a survey whose true clusters are known."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..report.names import RESULT_FILES
from ..syntax.sem import parse_model
from .commands import fit_and_write, print_results
from .console import progress_bar, short_warnings
from .options import DataOptions, FitOptions, ModelText
from .output import check_output, output_options
from .parser import DEMO_FOLDER, METHODS
from .step1 import default_options, one_of

if TYPE_CHECKING:
    from ..structural.select import MixtureSelection

__all__ = ["demo_options", "run_demo"]

TITLE = "Support for a policy in 48 countries (simulated survey)"


def demo_options(arguments: argparse.Namespace, command: str = "") -> FitOptions:
    """What ``mixsem fit`` would be asked to do with the survey.

    Raises
    ------
    OptionError
        If there is no such method, or the folder has no name.
    """
    method = one_of("--method", arguments.method, METHODS)
    told = "mixsem demo" + (f" --method {method}" if method != "mmgsem" else "")
    output = replace(output_options(arguments, told), title=TITLE)
    if output.out is None:
        output = replace(output, out=Path(DEMO_FOLDER))
    return FitOptions(
        data=DataOptions(files=(), group="country", min_size=None),
        measurement=ModelText("measurement model", ""),
        structural=ModelText("structural model", ""),
        out=Path(arguments.out),
        output=output,
        clusters=(1, 2, 3, 4, 5, 6),
        choose=None,
        step1=default_options(method),
        blocks="factor",
        residuals="group",
        equal_regressions=(),
        n_starts=100,
        seed=1,
    )


def run_demo(options: FitOptions) -> None:
    """Cluster the countries of the simulated survey, write the results, compare with the truth."""
    check_output(options.output, RESULT_FILES, ())

    from ..data.datasets import simulated_survey, survey_models
    from ..data.intake import as_moments

    measurement, structural = survey_models()
    options = replace(
        options,
        measurement=replace(options.measurement, text=measurement),
        structural=replace(options.structural, text=structural),
    )
    items, quiet = parse_model(measurement).indicators, options.output.quiet
    with (
        short_warnings(quiet=quiet),
        progress_bar(options.n_stages, quiet=quiet, first=options.first_stage) as progress,
    ):
        moments = as_moments(simulated_survey(), items, options.data.group)
        fits = fit_and_write(moments, options, progress)
    print_results(fits, options)
    if not quiet and not options.output.json:
        print(_compare_with_truth(fits))
        print(f"Open {options.out / 'report.html'} in a browser.")


def _compare_with_truth(fits: MixtureSelection) -> str:
    """How well the clusters that were found agree with those the survey was drawn from."""
    from ..data.datasets import survey_truth
    from ..simulate.agreement import adjusted_rand_index, correctly_clustered
    from ..structural.choice import choose_clusters

    truth = survey_truth().clusters
    fit = fits[choose_clusters(fits).k]
    true = [truth[str(group)] for group in fit.groups]
    found = fit.clusters.tolist()
    right = round(correctly_clustered(found, true) * len(true))
    return (
        f"The truth is known: {len(set(true))} clusters. Found: {fit.k}, {right} of {len(true)} countries"
        f" in the right cluster; adjusted Rand index {adjusted_rand_index(found, true):.2f} (1 = perfect)."
    )
