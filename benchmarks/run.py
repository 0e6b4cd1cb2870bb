"""Run the benchmarks: ``python benchmarks/run.py`` all of them, ``--check`` a subset that takes a minute.

Each prints one line of JSON per claim. The exit code is 1 if a claim did not hold. With ``--check`` timings are
printed but only correctness decides, because machines that run checks are busy.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bayes_step1
import calibration
import generalised
import interval_coverage
import laplace_vs_mcmc
import mixed
import recovery
import sbc
import sem_vs_lavaan
import step1_vs_lavaan
import step3
import study_samplers
import study_speed


def main(arguments: list[str]) -> int:
    """Run and report."""
    if arguments == ["--check"]:
        step3.main()
        step1_vs_lavaan.main(variants=("estimates-simple",))
        checks = [
            sem_vs_lavaan.main(["--check"]),
            recovery.main(n_data_sets=5),
            interval_coverage.main(["--check"]),
            bayes_step1.main(check=True),
            laplace_vs_mcmc.main(check=True),
            study_samplers.main(),
            mixed.main(["--small"]),
            generalised.main(["verbagg", "cbpp-quadrature", "poisson", "--small", "--programs", "mixsem"]),
        ]
        return int(not all(checks))
    scripts = (
        step3,
        step1_vs_lavaan,
        sem_vs_lavaan,
        recovery,
        interval_coverage,
        calibration,
        bayes_step1,
        laplace_vs_mcmc,
        sbc,
        study_samplers,
        study_speed,
        mixed,
        generalised,
    )
    return int(not all([script.main() for script in scripts]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
