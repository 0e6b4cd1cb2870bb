"""``mixsem demo``: the main job on a survey whose true clusters are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..report.folder import check_folder
from ..report.names import RESULT_FILES
from ..syntax.sem import parse_model
from .commands import fit_and_write, print_results
from .console import progress_bar, short_warnings
from .options import DataOptions, FitOptions, ModelText
from .step1 import default_options

if TYPE_CHECKING:
    from ..structural.select import MixtureSelection

__all__ = ["demo"]

TITLE = "Support for a policy in 48 countries (simulated survey)"


def demo(out: Path, method: str = "mmgsem", *, quiet: bool) -> None:
    """Cluster the countries of the simulated survey, write the results, compare with the truth."""
    check_folder(out, RESULT_FILES)

    from ..data.datasets import simulated_survey, survey_models
    from ..data.intake import as_moments

    measurement, structural = survey_models()
    options = _options(measurement, structural, out, method, quiet=quiet)
    items = parse_model(measurement).indicators
    with (
        short_warnings(quiet=quiet),
        progress_bar(options.n_stages, quiet=quiet, first=options.first_stage) as progress,
    ):
        moments = as_moments(simulated_survey(), items, options.data.group)
        fits = fit_and_write(moments, options, progress)
    print_results(fits, options)
    if not quiet:
        print(_compare_with_truth(fits))
        print(f"Open {out / 'report.html'} in a browser.")


def _options(measurement: str, structural: str, out: Path, method: str, *, quiet: bool) -> FitOptions:
    return FitOptions(
        data=DataOptions(files=(), group="country", min_size=None),
        measurement=ModelText("measurement model", measurement),
        structural=ModelText("structural model", structural),
        out=out,
        clusters=(1, 2, 3, 4, 5, 6),
        choose=None,
        step1=default_options(method),
        blocks="factor",
        residuals="group",
        equal_regressions=(),
        n_starts=100,
        seed=1,
        title=TITLE,
        quiet=quiet,
        command="mixsem demo" + (f" --method {method}" if method != "mmgsem" else ""),
    )


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
