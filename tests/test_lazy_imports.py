"""What a user of maximum likelihood does not need is not loaded."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import mixsem as mx
data = mx.data.holzinger_swineford_1939()
model = "visual =~ x1 + x2 + x3; textual =~ x4 + x5 + x6; speed =~ x7 + x8 + x9"
mx.mmgsem(model, "speed ~ visual + textual", data, group="school", k=1, seed=1)
mx.MLCFA, mx.MGBCFA, mx.mixml_sem, mx.mixmg_bsem, mx.Priors
print(*[name for name in ("numba", "nutpie", "arviz", "matplotlib") if name in sys.modules])
"""


def test_a_maximum_likelihood_fit_loads_neither_compiler_nor_sampler() -> None:
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
