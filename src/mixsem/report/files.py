"""The result files of a fit: report, tables, moments and one JSON file with everything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..equations.fit import SEMFit
from ..errors import OptionError
from ..measurement.bayes_fit import BayesianFit
from ..measurement.fit import MeasurementFit
from ..measurement.invariance import InvarianceTest
from ..mixed.fit import MixedFit
from ..mixed.generalised.fit import GeneralisedFit
from ..mixtures.errors import StandardErrors
from ..mixtures.known import errors_of, known_errors
from ..mixtures.propagate import PropagatedPosterior, known_propagated
from ..structural.choice import choose_clusters
from ..structural.fit import MixtureFit
from ..structural.select import MixtureSelection
from .bayesian_section import bayesian_details
from .equation_report import equation_record, equation_report
from .folder import write_folder
from .frames import clusters, glance, mixture_parameters, tidy
from .html import html_report
from .methods.clusters import cluster_methods
from .names import EQUATION_FILES, RESULT_FILES
from .record import fit_record, json_lines, json_text
from .reproduce import python_code, settings_in_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["save_results"]

COEFFICIENT_COLUMNS = ("cluster", "outcome", "predictor", "estimate", "se", "z", "p_value", "lower", "upper")


def save_results(
    fits: MixtureFit | MixtureSelection | SEMFit | MixedFit | GeneralisedFit | InvarianceTest,
    folder: str | Path,
    *,
    measurement: MeasurementFit | BayesianFit | None = None,
    errors: StandardErrors | None = None,
    choose: int | None = None,
    min_size: int | None = None,
    title: str = "",
    source: str = "",
    command: str = "",
) -> dict[str, Path]:
    """Write the result files of a fit to a folder: all of them or none.

    ``report.html`` (self-contained), ``clusters.csv`` (group, cluster, probability, propagated),
    ``coefficients.csv`` (cluster, outcome, predictor, estimate, se, z, p_value, lower, upper), ``selection.csv``,
    ``fit.json`` and, if there was a measurement model, ``moments.json``; of a structural equation model
    ``report.html``, ``parameters.csv`` and ``fit.json``; of a mixed model ``report.html``, ``fixed.csv``,
    ``random.csv``, ``varcorr.csv`` and ``fit.json``; of an invariance test ``report.html``, ``invariance.csv`` and
    ``invariance.svg``. Files of these names are replaced, others are left alone. Numbers
    are unrounded.

    Parameters
    ----------
    fits
        What `mmgsem` or `StructuralMixture` returned, or `cfa`, `sem`, `growth`, `lmer`, `glmer` or `invariance_test`;
        for these only the options `title`, `source` and `command` matter.
    folder
        Where to write; made if needed.
    measurement
        The fitted measurement model (step 1), for the report and the moments; if None, the one that the fit
        came from (``fit.moments.measurement``).
    errors
        Standard errors of the fit that is described, from `standard_errors`. By default they are computed after
        maximum likelihood, and left out where factor covariances were given or step 1 was Bayesian.
    choose
        Number of clusters to describe. By default `choose_clusters` decides: CHull, or else BIC_G.
    min_size
        Smallest group that was kept when the data were read, to be written down.
    title
        Title of the report.
    source
        Where the data came from, such as the name of their file, for the report.
    command
        Command line that repeats the analysis, for the report.

    Returns
    -------
    dict
        Path of each file by its name.

    Raises
    ------
    OptionError
        If no fit has `choose` clusters, or `fits` is something else.
    OutputError
        If the folder cannot be written; then nothing has changed.

    Examples
    --------
    >>> import tempfile
    >>> from mixsem.factors import FactorMoments
    >>> from mixsem.structural import StructuralMixture
    >>> Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 3 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
    >>> moments = FactorMoments.from_covariances(Phi, n=[300] * 8, factors=["x", "y"], groups=list("abcdefgh"))
    >>> fits = StructuralMixture("y ~ x", k=(1, 2)).fit(moments, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = save_results(fits, folder)
    ...     print(*files)
    report.html clusters.csv coefficients.csv selection.csv fit.json
    """
    if not isinstance(fits, MixtureFit | MixtureSelection):
        return _save_single(fits, folder, title=title, source=source, command=command)
    selection = MixtureSelection((fits,)) if isinstance(fits, MixtureFit) else fits
    choice = choose_clusters(selection, choose)
    fit = selection[choice.k]
    measurement = fit.moments.measurement if measurement is None else measurement
    errors = known_errors(fit)[0] if errors is None else errors_of(fit, errors, "save_results")
    settings = settings_in_words(selection, choice, measurement=measurement, min_size=min_size, source=source)
    details = bayesian_details(measurement) if isinstance(measurement, BayesianFit) else None
    propagated = known_propagated(fit)
    record = fit_record(
        selection,
        choice,
        measurement=measurement,
        details=details,
        errors=errors,
        propagated=propagated,
        min_size=min_size,
        title=title,
    )
    methods = cluster_methods(
        selection,
        choice,
        measurement=measurement,
        details=details,
        errors=errors,
        min_size=min_size,
    )
    texts = {
        "report.html": html_report(
            selection,
            title=title,
            settings=settings,
            k=choose,
            measurement=measurement,
            details=details,
            errors=errors,
            propagated=propagated,
            methods=methods,
            code=python_code(selection, measurement=measurement, min_size=min_size),
            command=command,
        ),
        "clusters.csv": _csv(_memberships(fit, propagated)),
        "coefficients.csv": _csv(mixture_parameters(fit, errors)[list(COEFFICIENT_COLUMNS)]),
        "selection.csv": _csv(glance(selection)),
        "moments.json": "" if measurement is None else json_text(measurement.moments.to_dict()),
        "fit.json": json_lines(record),
    }
    # A title from a terminal in another encoding may hold what UTF-8 cannot.
    contents = {name: texts[name].encode("utf-8", "replace") for name in RESULT_FILES if texts[name]}
    return dict(zip(contents, write_folder(folder, contents), strict=True))


def _memberships(fit: MixtureFit, propagated: PropagatedPosterior | None) -> pd.DataFrame:
    """Cluster of each group, its probability and the propagated one, empty where there is none."""
    own = None if propagated is None else propagated.of_fitted
    return clusters(fit)[["group", "cluster", "probability"]].assign(propagated=own)


def _save_single(
    fit: SEMFit | MixedFit | GeneralisedFit | InvarianceTest,
    folder: str | Path,
    *,
    title: str,
    source: str,
    command: str,
) -> dict[str, Path]:
    """The files of everything that is no clustering."""
    if isinstance(fit, SEMFit):
        return _save_equations(fit, folder, title=title, source=source, command=command)
    if isinstance(fit, MixedFit):
        from .mixed_report import write_mixed
        from .mixed_results import mixed_results

        return write_mixed(mixed_results(fit), folder, title=title, source=source, command=command)
    if isinstance(fit, GeneralisedFit):
        from .generalised_report import generalised_results, write_generalised

        columns = fit.design.weights_column, fit.design.offset_column
        told = generalised_results(fit, weights=columns[0], offset=columns[1])
        return write_generalised(told, folder, title=title, source=source, command=command)
    if isinstance(fit, InvarianceTest):
        from .invariance_page import save_invariance

        return save_invariance(fit, folder, title=title, source=source, command=command)
    raise OptionError(
        f"save_results() got {type(fit).__name__}",
        allowed="fits of mmgsem and its relatives, cfa, sem, growth, lmer, glmer; tests of invariance_test",
        todo="mixsem.save() keeps every fit; mixsem.summary(fit).save('summary.html') writes its tables",
    )


def _save_equations(fit: SEMFit, folder: str | Path, *, title: str, source: str, command: str) -> dict[str, Path]:
    """The files of a structural equation model."""
    texts = {
        "report.html": equation_report(fit, title=title, source=source, command=command),
        "parameters.csv": _csv(tidy(fit)),
        "fit.json": json_lines(equation_record(fit, title=title)),
    }
    contents = {name: texts[name].encode("utf-8", "replace") for name in EQUATION_FILES}
    return dict(zip(contents, write_folder(folder, contents), strict=True))


def _csv(frame: pd.DataFrame) -> str:
    """Comma-separated text in full precision; what is not known is an empty cell."""
    return frame.to_csv(index=False, lineterminator="\n")
