"""What ``mixsem fit`` and ``mixsem moments`` do: read, call the steps, write.

What takes a second to import is imported inside the functions, after what can be refused was refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..report.folder import check_folder
from ..report.names import RESULT_FILES
from ..syntax.sem import parse_model
from ..syntax.support import require_measurement_model
from .console import Progress, progress_bar, short_warnings
from .documents import moments_json
from .models import check_draws_file, draws_path, fit_measurement, written_draws
from .options import FitOptions, MomentsOptions
from .output import check_output, print_json, print_outcome, save_fit, spare_inputs
from .step1 import EqualLoadings
from .wording import about_model

if TYPE_CHECKING:
    from ..data.moments import SampleMoments
    from ..data.ordinal import OrdinalMoments
    from ..measurement.bayes_fit import BayesianFit
    from ..measurement.fit import MeasurementFit
    from ..report.document import Summary
    from ..structural.select import MixtureSelection

__all__ = ["fit", "fit_and_write", "moments", "print_results"]


def fit(options: FitOptions) -> None:
    """Read the data, cluster the groups, write the results and say where they are."""
    draws = draws_path(options)
    if draws is not None:
        check_draws_file(draws, options.out)
    others = [] if draws is None else [draws]
    check_output(options.output, RESULT_FILES, options.data.files, others)
    items = _check_models(options)

    from .reading import read_moments, read_ordered_moments

    with (
        short_warnings(quiet=options.output.quiet),
        progress_bar(options.n_stages, quiet=options.output.quiet, first=options.first_stage) as progress,
    ):
        ordered = options.step1.ordered if isinstance(options.step1, EqualLoadings) else ()
        read = read_ordered_moments(options.data, items, ordered) if ordered else read_moments(options.data, items)
        fits = fit_and_write(read, options, progress)
    print_results(fits, options)


def _check_models(options: FitOptions) -> tuple[str, ...]:
    """Find mistakes in the models before the data are read; return the items."""
    with about_model(options.measurement):
        measurement = parse_model(options.measurement.text)
        require_measurement_model(measurement)
    with about_model(options.structural):
        parse_model(options.structural.text)

        from ..structural.path_model import compile_structural

        compile_structural(
            options.structural.text,
            measurement.factors,
            equal=options.equal_regressions,
            group_specific=options.group_specific,
            meanstructure=options.meanstructure,
        )
    return measurement.indicators


def fit_and_write(moments: SampleMoments | OrdinalMoments, options: FitOptions, progress: Progress) -> MixtureSelection:
    """Run the three steps and write the result files."""
    from ..report.files import save_results

    measurement, fits = _three_steps(moments, options, progress)
    progress("report", 0, 1)
    with written_draws(measurement, draws_path(options)):
        save_results(
            fits,
            options.out,
            measurement=measurement,
            choose=options.choose,
            min_size=options.data.min_size,
            title=options.output.title,
            source=", ".join(path.name for path in options.data.files),
            command=options.output.command,
        )
    save_fit(fits, options.output)
    return fits


def _three_steps(
    moments: SampleMoments | OrdinalMoments, options: FitOptions, progress: Progress
) -> tuple[MeasurementFit | BayesianFit, MixtureSelection]:
    """The steps of the methods' functions, one by one: the report also wants the measurement model."""
    from ..factors.sam import factor_moments
    from ..structural.mixture import StructuralMixture
    from ..structural.options import cluster_numbers
    from ..structural.select import MixtureSelection

    cluster_numbers(options.clusters, moments.n_groups)  # before step 1, which may take long
    progress("measurement", 0, 1)
    measurement = fit_measurement(moments, options, progress)
    mixture = StructuralMixture(
        options.structural.text,
        options.clusters,
        residuals=options.residuals,
        equal=options.equal_regressions,
        n_starts=options.n_starts,
        group_specific=options.group_specific,
        meanstructure=options.meanstructure,
    )
    fits = mixture.fit(factor_moments(measurement), seed=options.seed, progress=progress)
    return measurement, fits if isinstance(fits, MixtureSelection) else MixtureSelection((fits,))


def print_results(fits: MixtureSelection, options: FitOptions) -> None:
    """Print the selection table, the chosen fit and where everything is; or as JSON what ``fit.json`` holds."""
    from ..structural.choice import choose_clusters

    def shown() -> Iterator[Summary]:
        from ..report.summary import summary

        if len(fits) > 1:
            yield summary(fits)
        yield summary(fits[choice.k])

    choice, output = choose_clusters(fits, options.choose), options.output
    print_outcome(output, RESULT_FILES, shown, lambda: (options.out / "fit.json").read_text(encoding="utf-8"))
    if output.quiet or output.json:
        return
    if draws_path(options) is not None:
        print(f"Draws in {draws_path(options)}")
    print(f"Shown: k = {choice.k} ({choice.reason}).")


def moments(options: MomentsOptions) -> None:
    """Read rows, write their moments."""
    items = options.items
    if options.measurement is not None:
        with about_model(options.measurement):
            items = parse_model(options.measurement.text).indicators
    _check_moments_file(options.out)
    spare_inputs([options.out], options.data.files)

    from ..errors import notify
    from .reading import read_moments

    with short_warnings(quiet=options.output.quiet), progress_bar(1, quiet=options.output.quiet):
        computed = read_moments(options.data, items)
        notify(computed.notices)
        computed.save(options.out)
    if options.output.json:
        print_json(moments_json(computed, options.out))
    else:
        print(options.out if options.output.quiet else f"{computed!r}\nWritten to {options.out}")


def _check_moments_file(path: Path) -> None:
    """Refuse before the work what cannot be written after it."""
    from ..data.archive import MOMENTS_SUFFIXES
    from ..data.files import is_moments_file

    if not path.name.lower().endswith(MOMENTS_SUFFIXES):
        raise OutputError(f"--out {path} has no suffix for moments", allowed=", ".join(MOMENTS_SUFFIXES))
    if path.exists() and not is_moments_file(path):
        raise OutputError(
            f"--out {path} exists and holds no moments",
            allowed="a new file, or moments to be replaced",
            todo="choose another name",
        )
    if not path.parent.is_dir():
        raise OutputError(f"--out {path}: there is no folder {path.parent}", todo="make it first")
    check_folder(path.parent, ())
