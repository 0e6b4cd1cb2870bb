"""``mixsem fit --method mixml-sem`` and ``mixmg-bsem``: options, refusals, files, interruptions."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz
import numpy as np
import pandas as pd
import pytest

import mixsem as mx
from mixsem.bayes import Sampling
from mixsem.bayes.estimate import METHODS
from mixsem.bayes.priors import PRESETS
from mixsem.cli.console import progress_bar
from mixsem.cli.step1 import LEAST_DRAWS, PRIORS, SAMPLERS
from mixsem.cli.variance import prior_variance, variance_option
from mixsem.cli.wording import in_options
from mixsem.errors import OptionError
from mixsem.measurement.mgbcfa import MGBCFA
from mixsem.structural.mixture import StructuralMixture

Fit = Callable[..., Any]
Contents = Callable[[], dict[str, bytes | None]]

TINY = {"chains": "2", "warmup": "100", "draws": "60", "clusters": "2"}
SAME = mx.Sampling(chains=2, warmup=100, draws=60)
NAMES = {"report.html", "clusters.csv", "coefficients.csv", "selection.csv", "moments.json", "fit.json"}


def record_in(folder: str = "out") -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Path(folder, "fit.json").read_text(encoding="utf-8"))
    return record


def test_mixml_sem_is_that_of_python(fit: Fit, survey: pd.DataFrame) -> None:
    random = ("loadings", "trust ~~ trust")
    outcome = fit(method="mixml-sem", random=random, priors="mplus", target_accept="0.9", seed="3", **TINY)
    assert outcome.code == 0, outcome.err
    assert {path.name for path in Path("out").iterdir()} == NAMES
    assert "MixML-SEM: 2 clusters" in outcome.out and "Results in out" in outcome.out
    sampling = mx.Sampling(chains=2, warmup=100, draws=60, target_accept=0.9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = mx.mixml_sem(
            Path("measurement.txt").read_text(),
            "trust ~ fear",
            survey,
            "country",
            k=2,
            random=random,
            priors="mplus",
            sampling=sampling,
            n_starts=10,
            seed=3,
        )
    record = record_in()
    assert record["method"] == "mixml-sem" and record["loglik"] == expected.loglik
    assert record["settings"]["random"] == list(random) and record["settings"]["sampling"]["target_accept"] == 0.9
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "mx.mixml_sem(" in page and "--target-accept 0.9" in page


def test_mixmg_bsem_is_that_of_python(fit: Fit, survey: pd.DataFrame) -> None:
    variance = ("0.05", "trust =~ t3=none", "fear=0")
    outcome = fit(method="mixmg-bsem", prior_variance=variance, reference="C", seed="3", **TINY)
    assert outcome.code == 0, outcome.err
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = mx.mixmg_bsem(
            Path("measurement.txt").read_text(),
            "trust ~ fear",
            survey,
            "country",
            k=2,
            prior_variance={"trust": 0.05, "trust =~ t3": None, "fear": 0},
            reference="C",
            sampling=SAME,
            n_starts=10,
            seed=3,
        )
    record = record_in()
    assert record["method"] == "mixmg-bsem" and record["loglik"] == expected.loglik
    assert record["settings"]["prior_variance"] == {"trust": 0.05, "fear": 0.0, "trust=~t3": None}


def test_same_seed_same_bytes(fit: Fit) -> None:
    files = []
    for _ in range(2):
        assert fit(method="mixmg-bsem", seed="5", save_draws="out/draws.nc", **TINY).code == 0
        files.append({path.name: path.read_bytes() for path in Path("out").iterdir()})
    assert set(files[0]) == {*NAMES, "draws.nc"}
    assert [name for name in files[0] if files[0][name] != files[1][name]] == []


def test_a_reference_group_that_is_a_number(fit: Fit, survey: pd.DataFrame) -> None:
    survey["country"] = survey["country"].map(dict(zip("ABCDEFGH", range(8), strict=True)))
    survey.to_csv("survey.csv", index=False)
    outcome = fit(method="mixmg-bsem", reference="3", sampler="laplace", draws="50", clusters="2")
    assert outcome.code == 0, outcome.err
    assert record_in()["settings"]["reference"] == 3


def test_a_grid_of_prior_variances(fit: Fit) -> None:
    grid = ("0", "0.01", "none")
    outcome = fit(method="mixmg-bsem", prior_variance=grid, symmetric=(), sampler="laplace", draws="50", clusters="2")
    assert outcome.code == 0, outcome.err
    record = record_in()
    assert record["settings"]["prior_variance"] == [0.0, 0.01, None] and record["settings"]["symmetric"] is True
    assert len(record["measurement"]["prior_choice"]) == 6  # three for each factor


def test_the_draws_can_be_read(fit: Fit, contents: Contents) -> None:
    outcome = fit(method="mixml-sem", save_draws="draws.nc", **TINY)
    assert outcome.code == 0, outcome.err
    assert "Draws in draws.nc" in outcome.out
    data = arviz.from_netcdf("draws.nc")
    assert data.posterior["group_value"].sizes["group"] == 8 and data.posterior.sizes["draw"] == 60
    assert np.isfinite(data.posterior["group_value"]).all()
    assert not [name for name in contents() if name.endswith(".tmp")]


def test_draws_replace_draws_and_nothing_else(fit: Fit, refused: Fit) -> None:
    Path("draws.nc").write_text("mine")
    refused(["--save-draws draws.nc exists and holds no draws"], method="mixml-sem", save_draws="draws.nc")
    Path("draws.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    options = {"method": "mixml-sem", "sampler": "laplace", "draws": "50", "chains": "1", "clusters": "2"}
    outcome = fit(**options, save_draws="draws.nc")
    assert outcome.code == 0, outcome.err
    assert arviz.from_netcdf("draws.nc").posterior.sizes["draw"] == 50


@pytest.mark.parametrize(
    ("says", "changes"),
    [
        (["--random is an option of --method mixml-sem, not of mmgsem", "--partial"], {"random": "loadings"}),
        (["--prior-variance is an option of --method mixmg-bsem, not of mmgsem"], {"prior_variance": "0.1"}),
        (["--symmetric is an option of"], {"symmetric": ()}),
        (["--draws is an option of --method mixml-sem and mixmg-bsem, not of mmgsem"], {"draws": "500"}),
        (["--save-draws is an option"], {"save_draws": "d.nc"}),
        (
            ["--partial is an option of --method mmgsem, not of mixml-sem", "--random names what may differ"],
            {"method": "mixml-sem", "partial": "trust =~ t2"},
        ),
        (
            ["--equal is an option of --method mmgsem, not of mixmg-bsem", "next: leave it out; --prior-variance 0"],
            {"method": "mixmg-bsem", "equal": "loadings"},
        ),
        (["--prior-variance is an option", "not of mixml-sem"], {"method": "mixml-sem", "prior_variance": "0.1"}),
        (["--reference is an option"], {"method": "mixml-sem", "reference": "A"}),
        (["--random is an option", "not of mixmg-bsem"], {"method": "mixmg-bsem", "random": "loadings"}),
        (["--method mixmlsem", "next: did you mean 'mixml-sem'"], {"method": "mixmlsem"}),
    ],
)
def test_options_of_other_methods_are_refused(says: list[str], changes: dict[str, Any], refused: Fit) -> None:
    refused(says, **changes)


@pytest.mark.parametrize(
    ("says", "changes"),
    [
        (["--prior-variance '-0.1'", "numbers from 0"], {"prior_variance": "-0.1"}),
        (["--prior-variance 'nan'"], {"prior_variance": "nan"}),
        (["--prior-variance 'little'", "F =~ x3=none"], {"prior_variance": "little"}),
        (["--prior-variance '=0.1' has no name"], {"prior_variance": "=0.1"}),
        (["--prior-variance 'trust =~ t2' has no variance", '"trust =~ t2 = 0.05"'], {"prior_variance": "trust =~ t2"}),
        (["--prior-variance 'trust=x'"], {"prior_variance": "trust=x"}),
        (["--prior-variance names 'trust' twice"], {"prior_variance": ("trust=0.1", "trust = 0.2")}),
        (["several different variances", "leave out the names"], {"prior_variance": ("0.1", "0.2", "trust=0")}),
        (["several different variances", "give each variance once"], {"prior_variance": ("0.1", "0.10")}),
        (["--prior-variance names 'hope', which is neither a loading nor a factor"], {"prior_variance": "hope=0.1"}),
        (["--reference and --symmetric exclude one another"], {"symmetric": (), "reference": "A"}),
        (["--reference X is not a group", "A, B, C"], {"reference": "X"}),
        (["--priors vague", "default, blavaan, mplus"], {"priors": "vague"}),
        (["--sampler gibbs", "nuts, laplace"], {"sampler": "gibbs"}),
        (["--warmup with --sampler laplace"], {"sampler": "laplace", "warmup": "500"}),
        (["--target-accept with --sampler laplace"], {"sampler": "laplace", "target_accept": "0.9"}),
        (["--chains 0", "a whole number, 1 or more"], {"chains": "0"}),
        (["--warmup 49", "50 or more"], {"warmup": "49"}),
        (["--draws many", "10 or more"], {"draws": "many"}),
        (["--target-accept 1", "not including, 1"], {"target_accept": "1"}),
        (["--target-accept high"], {"target_accept": "high"}),
        (["--save-draws 'draws.csv'", "ends in .nc"], {"save_draws": "draws.csv"}),
        (["--save-draws nowhere/d.nc: there is no folder nowhere"], {"save_draws": "nowhere/d.nc"}),
        (["--clusters 9 with 8 groups"], {"clusters": "9"}),
        (["structural model", "hope"], {"structural": "trust ~ hope"}),
    ],
)
def test_nonsense_is_refused_before_sampling(
    says: list[str], changes: dict[str, Any], refused: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixsem.measurement.bayes_blocks.estimate", no_sampling)
    refused(says, method="mixmg-bsem", **changes)


def no_sampling(*_: object) -> None:
    raise AssertionError("nothing may be sampled")


@pytest.mark.parametrize(
    ("says", "random"),
    [
        (["--random names 'hope', which is neither a kind nor a free parameter"], "hope"),
        (["--random names 'trust =~ t1'"], "trust =~ t1"),
        (["'none' alone"], ("none", "loadings")),
    ],
)
def test_random_nonsense_is_refused(says: list[str], random: Any, refused: Fit) -> None:
    refused(says, method="mixml-sem", random=random)


def test_the_command_line_knows_what_the_library_allows() -> None:
    """They are written twice: the library is not imported before the arguments are good."""
    assert tuple(PRESETS) == PRIORS and METHODS == SAMPLERS
    for option, least in LEAST_DRAWS.items():
        Sampling(**{option[2:]: least})
        with pytest.raises(OptionError):
            Sampling(**{option[2:]: least - 1})
    assert prior_variance(variance_option([]), ["F"]) == MGBCFA("F =~ x1 + x2").prior_variance


def test_reading_prior_variances() -> None:
    assert prior_variance(variance_option(["None"]), ["F"]) is None
    assert prior_variance(variance_option(["1e-3", "none"]), ["F"]) == (0.001, None)
    assert prior_variance(variance_option(["F = 0.2"]), ["F", "G"]) == {"F": 0.2}
    assert prior_variance(variance_option(["none", "F=0"]), ["F", "G"]) == {"F": 0.0, "G": None}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("leaving them out of random=.", "leaving them out of --random."),
        ("(Sampling(warmup=2000, draws=4000)), or", "(--warmup 2000 --draws 4000), or"),
        ("smaller steps (target_accept=0.95);", "smaller steps (--target-accept 0.95);"),
        ("take priors='default', which", "take --priors default, which"),
        (
            "give each loading its own prior_variance, multiplied",
            "give each loading its own prior_variance, multiplied",
        ),
        ("prior_variance= is about", "--prior-variance is about"),
        ("group-specific (MGBCFA or MGCFA).", "group-specific (--method mixmg-bsem or mmgsem)."),
    ],
)
def test_notices_speak_of_options(said: str, meant: str) -> None:
    assert in_options(said) == meant


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_bar_counts_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(4, quiet=False, first=16.0) as progress:
        progress("measurement", 0, 1)
        progress("measurement", 1200, 8000)
        time.sleep(0.2)  # the bar is drawn ten times a second
    assert "measurement: 1,200 of 8,000 draws" in stream.getvalue()


@pytest.mark.parametrize("where", ["mixsem.measurement.bayes_blocks.estimate", "mixsem.report.files.write_folder"])
def test_an_interruption_leaves_nothing(
    where: str, fit: Fit, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During sampling, and after the draws were written beside results that are not."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = contents()
    monkeypatch.setattr(where, interrupted)
    outcome = fit(method="mixml-sem", save_draws="draws.nc", **TINY)
    assert (outcome.code, outcome.err.splitlines()[-1]) == (130, "mixsem: error: interrupted; nothing was written")
    assert contents() == before


def test_a_failure_after_sampling_leaves_nothing(fit: Fit, contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("no luck")

    before = contents()
    monkeypatch.setattr(StructuralMixture, "fit", failing)
    outcome = fit(method="mixmg-bsem", save_draws="out/draws.nc", **TINY)
    assert outcome.code == 1 and "RuntimeError: no luck" in outcome.err and "Traceback" not in outcome.err
    assert contents() == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way")
def test_a_signal_stops_the_chains(folder: Path) -> None:
    line = "fit survey.csv --group country --measurement measurement.txt --structural structural.txt --out out"
    program = "import sys; from mixsem.cli import main; sys.exit(main(sys.argv[1:]))"
    options = ["--method", "mixml-sem", "--draws", "500000", "--save-draws", "out/draws.nc"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *line.split(), *options], stderr=subprocess.PIPE, text=True, cwd=folder
    )
    time.sleep(10)
    assert process.poll() is None, "the draws asked for take minutes"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    assert err.splitlines()[-1] == "mixsem: error: interrupted; nothing was written"
    assert {path.name for path in folder.iterdir()} == {"survey.csv", "measurement.txt", "structural.txt"}


@pytest.mark.slow
def test_demo_of_a_bayesian_method(run: Fit) -> None:
    outcome = run("demo", "--method", "mixmg-bsem", "--out", "demo")
    assert outcome.code == 0, outcome.err
    assert "4 clusters. Found: 4" in outcome.out
    assert float(outcome.out.split("adjusted Rand index ")[1].split()[0]) > 0.9
    assert "mixsem demo --method mixmg-bsem" in Path("demo/report.html").read_text(encoding="utf-8")


def test_demo_of_no_method(run: Fit, contents: Contents) -> None:
    before = contents()
    outcome = run("demo", "--method", "bsem")
    assert outcome.code == 2 and "--method bsem" in outcome.err and contents() == before
