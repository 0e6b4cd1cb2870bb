"""What every test shares: figures are drawn without a screen, and hypothesis measures no time."""

from __future__ import annotations

import os

# As many test processes as cores (`pytest -n auto`) leave one thread to each; set before NumPy is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import hypothesis

# Set before anything imports matplotlib, so that no test ever opens a window.
os.environ["MPLBACKEND"] = "Agg"

# A busy machine must not turn a correct property into a failure; the seed is fixed so that a failure repeats.
hypothesis.settings.register_profile("mixsem", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("mixsem")
