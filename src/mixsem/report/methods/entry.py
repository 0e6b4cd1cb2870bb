"""`methods_text`: the methods section of any result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from ...equations.fit import SEMFit
from ...equations.sam_fit import SAMFit
from ...measurement.bayes_fit import BayesianFit
from ...measurement.fit import MeasurementFit
from ...measurement.invariance import InvarianceTest
from ...mixed.fit import MixedFit
from ...mixed.generalised.fit import GeneralisedFit
from ...structural.choice import choose_clusters
from ...structural.fit import MixtureFit
from ...structural.select import MixtureSelection
from ..inputs import no_such_result
from .bayesian import bayesian_methods
from .clusters import cluster_methods
from .equations import equation_methods, two_step_methods
from .invariance import invariance_methods
from .measurement import measurement_methods
from .mixed import generalised_methods, linear_methods
from .text import MethodsText

__all__ = ["methods_text"]


def methods_text(fit: object, *, k: int | None = None, min_size: int | None = None) -> MethodsText:
    """Write how a result was obtained, as paragraphs for a methods section.

    Full sentences with citations, exact settings and the numbers of the fit: sample and missing values, model,
    estimator, starts and convergence, standard errors, software; after a Bayesian step 1 also priors, sampler, R-hat
    and effective sample sizes, which take seconds to compute. The list of references follows, with DOIs.

    Parameters
    ----------
    fit
        A clustering (`MixtureFit`, `MixtureSelection`), measurement model (`MeasurementFit`, `BayesianFit`), structural
        equation model (`SEMFit`, `SAMFit`), `InvarianceTest`, or mixed model (`MixedFit`, `GeneralisedFit`).
    k
        Number of clusters to describe, of a selection; by default `choose_clusters` decides.
    min_size
        Smallest group that was kept when the data were read, which fits do not know. It is written down of clusterings
        and measurement models.

    Returns
    -------
    MethodsText
        ``print()`` shows it as text; ``.to_markdown()``, ``.to_html()``, ``.to_latex()``, ``.references``, and
        ``.save("methods.md")``.

    Raises
    ------
    OptionError
        If `fit` is anything else, or there is no fit with `k` clusters.

    Examples
    --------
    >>> import mixsem as mx
    >>> fit = mx.lmer("Reaction ~ Days + (Days | Subject)", mx.data.sleepstudy())
    >>> text = mx.methods_text(fit)
    >>> dict(text.paragraphs)["Data"]
    'The analysis comprised 180 rows from 18 levels of Subject. No row was left out for missing values.'
    >>> [source.short for source in text.sources]
    ['Bates et al., 2015', 'Kuznetsova et al., 2017']
    """
    return _methods(fit, Told(k, min_size))


@dataclass(frozen=True, slots=True)
class Told:
    """What is told beside the fit; see `methods_text`."""

    k: int | None
    min_size: int | None


@singledispatch
def _methods(fit: object, told: Told) -> MethodsText:
    raise no_such_result(fit, "methods_text", _methods.registry)


@_methods.register(MixtureFit)
def _mixture(fit: MixtureFit, told: Told) -> MethodsText:
    return _selection(MixtureSelection((fit,)), told)


@_methods.register(MixtureSelection)
def _selection(fits: MixtureSelection, told: Told) -> MethodsText:
    choice = choose_clusters(fits, told.k)
    measurement = fits[choice.k].moments.measurement
    return cluster_methods(fits, choice, measurement=measurement, min_size=told.min_size)


_methods.register(MeasurementFit)(lambda fit, told: measurement_methods(fit, told.min_size))
_methods.register(BayesianFit)(lambda fit, told: bayesian_methods(fit, told.min_size))
_methods.register(SEMFit)(lambda fit, _: equation_methods(fit))
_methods.register(SAMFit)(lambda fit, _: two_step_methods(fit))
_methods.register(InvarianceTest)(lambda test, _: invariance_methods(test))
_methods.register(MixedFit)(lambda fit, _: linear_methods(fit))
_methods.register(GeneralisedFit)(lambda fit, _: generalised_methods(fit))
