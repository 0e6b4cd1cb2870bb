"""A fit from a file does all that the fit did, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixsem as mx

from . import mixed_kinds
from .kinds import MAKERS, STRUCTURAL, birds, lands, pupils, sleep

assert mixed_kinds

New = pd.DataFrame({"Days": [1.0, 2.5], "Subject": [308, 999]})

#: What is asked of a fit before and after, by its name in the table; results are compared cell by cell.
USES: dict[str, dict[str, Callable[[Any], Any]]] = {
    "measurement_fit": {
        "factor moments": lambda f: mx.factor_moments(f).Phi,
        "clusters": lambda f: mx.StructuralMixture(STRUCTURAL, k=2, n_starts=3).fit(mx.factor_moments(f), seed=1).B,
        "standard errors": lambda f: [block.standard_errors for block in f.blocks],
        "counts": lambda f: (f.n_params, f.count_measurement(("F1",)), f.loglik),
        "tidy": mx.tidy,
        "glance": mx.glance,
    },
    "measurement_fit_of_ordered_items": {
        "moments": lambda f: mx.factor_moments(f).Phi,
        "Theta": lambda f: f.blocks[0].Theta,
    },
    "mixture_fit": {
        "standard errors": lambda f: mx.standard_errors(f).vcov,
        "wald": lambda f: mx.wald(f).zero,
        "bootstrap": lambda f: mx.bootstrap(f, n=2, seed=3).coefficients,
        "predictors": lambda f: mx.predictors(f, lands(), "hdi", penalty=0.16).coefficients,
        "clusters": mx.clusters,
        "tidy": mx.tidy,
        "glance": mx.glance,
        "standardized": mx.standardized,
    },
    "mixture_with_own_regressions": {"tidy": mx.tidy, "standard errors": lambda f: mx.standard_errors(f).vcov},
    "mixture_selection": {
        "third": lambda f: f[3].B,
        "choice": mx.choose_clusters,
        "page": lambda f: mx.summary(f).to_html(),
    },
    "membership_model": {"probabilities": lambda m: m.predict(lands().head(3))},
    "bayesian_fit": {
        "factor moments": lambda f: mx.factor_moments(f).Phi,
        "matrices": lambda f: f.blocks[0].matrices,
        "diagnostics": lambda f: mx.diagnostics(f).frame,
        "fit measures": lambda f: mx.bayes_fit_measures(f, seed=1).total.dic,
        "tidy": mx.tidy,
    },
    "multilevel_fit": {"regressions": lambda f: f.regressions, "tidy": mx.tidy},
    "sem_fit": {
        "measures": mx.fit_measures,
        "standardized": mx.standardized,
        "residuals": lambda f: mx.residuals(f),
        "modification": mx.modification_indices,
        "scores": mx.factor_scores,
        "bootstrap": lambda f: mx.bootstrap(f, n=2, seed=2).estimates,
        "defined": lambda f: list(f.defined.values()),
        "simulated": lambda f: mx.simulate_data(f, seed=1),
        "r2": mx.r2,
        "tidy": mx.tidy,
        "glance": mx.glance,
    },
    "sem_fit_of_incomplete_rows": {"measures": mx.fit_measures, "scores": mx.factor_scores, "vcov": lambda f: f.vcov},
    "sem_fit_under_constraints": {"tidy": mx.tidy, "vcov": lambda f: f.vcov},
    "sem_fit_with_covariates": {"measures": mx.fit_measures, "tidy": mx.tidy},
    "sem_fit_of_ordered_items": {"measures": mx.fit_measures, "tidy": mx.tidy},
    "sam_fit": {"tidy": mx.tidy, "standardized": mx.standardized},
    "invariance_test": {"search": lambda f: mx.find_noninvariance(f).last},
    "mixed_fit": {
        "predictions": lambda f: f.predict(New, new_levels="population", interval="prediction"),
        "simulated": lambda f: f.simulate(2, seed=1),
        "updated": lambda f: f.update("Reaction ~ Days + (1 | Subject)").theta,
        "refitted": lambda f: f.refit(sleep()["Reaction"] + np.arange(180)).theta,
        "anova": lambda f: mx.anova(f, f.update("Reaction ~ Days + (1 | Subject)")).frame,
        "profile": lambda f: mx.profile(f, "Days", points=2).frame,
        "confidence": lambda f: mx.confint(f, method="wald").frame,
        "singular": mx.is_singular,
        "r2": lambda f: mx.r2(f).frame,
        "tidy": mx.tidy,
        "augment": mx.augment,
    },
    "mixed_fit_of_everything": {
        "predictions": lambda f: f.predict(birds().assign(off=0.2), offset=np.zeros(160)),
        "means": lambda f: mx.emmeans(f, "kind").frame,
        "augment": mx.augment,
    },
    "mixed_fit_with_residuals": {"tidy": mx.tidy, "simulated": lambda f: f.simulate(1, seed=1)},
    "mixed_fit_of_another_response": {"fitted": lambda f: f.fitted, "residuals": lambda f: f.residuals()},
    "generalised_fit": {
        "predictions": lambda f: f.predict(birds().head(4), type="link", interval="confidence"),
        "simulated": lambda f: f.simulate(2, seed=1),
        "refitted": lambda f: f.refit(f.simulate(1, seed=2)[:, 0]).theta,
        "updated": lambda f: f.update(n_agq=3).theta,
        "tidy": mx.tidy,
        "vcov": lambda f: f.vcov,
        "conditional": lambda f: f.conditional_covariances,
    },
    "generalised_fit_of_proportions": {
        "tidy": mx.tidy,
        "fitted": lambda f: f.fitted,
        "deviance": lambda f: f.residuals(),
    },
    "profile": {"wider": lambda p: p.intervals(0.995).frame},
    # Modes are found from the last ones, which a file does not hold; limits are good to 1e-7 in zeta.
    "generalised_profile": {"wider": lambda p: p.intervals(0.995).frame.round(6)},
    "growth_curve": {"scores": lambda g: g.scores, "model": lambda g: mx.fit_measures(g.sem)},
    "sample_moments": {"part": lambda m: m.subset(["L2"]).covariances, "joined": lambda m: m.merge(m.subset(["L1"])).n},
}
CASES = [(name, use) for name, uses in USES.items() for use in uses]


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
@pytest.mark.parametrize(("name", "use"), CASES, ids=[f"{name}-{use}" for name, use in CASES])
def test_a_fit_from_a_file_gives_the_same_numbers(name: str, use: str, tmp_path: Path) -> None:
    again = mx.load(mx.save(MAKERS[name](), tmp_path / "fit.mixsem"))
    ask = USES[name][use]
    assert_same(ask(again), ask(MAKERS[name]()))


def assert_same(found: Any, expected: Any) -> None:
    """Equal to the last bit, whatever it is."""
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected, check_exact=True)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
    else:
        assert repr(found) == repr(expected)


@pytest.mark.filterwarnings("ignore::mixsem.errors.MixsemWarning")
@pytest.mark.parametrize("name", ["mixture_selection", "sem_fit", "mixed_fit", "generalised_fit"])
def test_reports_have_the_same_bytes(name: str, tmp_path: Path) -> None:
    fit = MAKERS[name]()
    again = mx.load(mx.save(fit, tmp_path / "fit.mixsem"))
    for folder, source in (("first", fit), ("second", again)):
        mx.save_results(source, tmp_path / folder)
    files = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert "fit.json" in files
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes(), file


def test_labels_keep_their_types(tmp_path: Path) -> None:
    """Whole numbers, texts and dates as labels of groups are what they were."""
    import datetime

    data = pupils()[["x1", "x2", "x3"]]
    for labels in ([7, 8], ["07", "8"], [datetime.date(2020, 1, 2), datetime.date(2021, 1, 2)]):
        moments = mx.SampleMoments.from_frame(
            data.assign(g=[labels[i % 2] for i in range(len(data))]), ["x1", "x2"], "g"
        )
        again = mx.load(mx.save(moments, tmp_path / "moments.mixsem"))
        assert again.groups == moments.groups
        assert [type(label) for label in again.groups] == [type(label) for label in moments.groups]
