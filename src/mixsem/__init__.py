"""Compare relations across many groups.

Structural equation models whose regressions are clustered over groups, while differences in measurement are
accounted for. Start with `mmgsem`, or with its three steps: `MGCFA`, `factor_moments`, `StructuralMixture`.

Names are imported when they are first used, so that ``import mixsem`` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import data, errors, factors, inference, measurement, plots, report, simulate, structural, syntax
    from .data.moments import SampleMoments
    from .factors.moments import FactorMoments
    from .factors.sam import factor_moments
    from .measurement.fit import MeasurementFit
    from .measurement.mgcfa import MGCFA
    from .pipelines import mmgsem
    from .report.files import save_results
    from .report.frames import clusters, glance, tidy
    from .report.summary import summary
    from .structural.choice import choose_clusters
    from .structural.fit import MixtureFit
    from .structural.mixture import StructuralMixture
    from .structural.select import MixtureSelection

__all__ = [
    "MGCFA",
    "FactorMoments",
    "MeasurementFit",
    "MixtureFit",
    "MixtureSelection",
    "SampleMoments",
    "StructuralMixture",
    "choose_clusters",
    "clusters",
    "data",
    "errors",
    "factor_moments",
    "factors",
    "glance",
    "inference",
    "measurement",
    "mmgsem",
    "plots",
    "report",
    "save_results",
    "simulate",
    "structural",
    "summary",
    "syntax",
    "tidy",
]

#: Where each public name lives; a name that is missing here is a submodule.
_HOME = {
    "MGCFA": "measurement.mgcfa",
    "FactorMoments": "factors.moments",
    "MeasurementFit": "measurement.fit",
    "MixtureFit": "structural.fit",
    "MixtureSelection": "structural.select",
    "SampleMoments": "data.moments",
    "StructuralMixture": "structural.mixture",
    "choose_clusters": "structural.choice",
    "clusters": "report.frames",
    "factor_moments": "factors.sam",
    "glance": "report.frames",
    "mmgsem": "pipelines",
    "save_results": "report.files",
    "summary": "report.summary",
    "tidy": "report.frames",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOME.get(name, name)}", __name__)
    value = getattr(module, name) if name in _HOME else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, for completion in notebooks."""
    return sorted([*__all__, "__version__"])
