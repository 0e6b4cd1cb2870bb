"""Worker processes: what a script without a main guard is told, instead of pages of traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SETUP = """
import warnings
import numpy as np
import mixsem as mx
from mixsem.errors import OptionError
warnings.simplefilter("ignore")
"""

CALLS = {
    "equations": """
fit = mx.cfa("F =~ x1 + x2 + x3", mx.data.holzinger_swineford_1939())
run = lambda: mx.bootstrap(fit, 4, workers=2)
""",
    "mixtures": """
Phi = [[[1.0, 0.5], [0.5, 1.0]]] * 4 + [[[1.0, 0.1], [0.1, 1.0]]] * 5
moments = mx.FactorMoments.from_covariances(Phi, n=[300] * 9, factors=["x", "y"], groups=list("abcdefghi"))
fit = mx.StructuralMixture("y ~ x", k=2).fit(moments, seed=1)
run = lambda: mx.bootstrap(fit, 30, workers=2)
""",
}


@pytest.mark.parametrize("part", CALLS)
def test_a_script_without_main_guard_is_told_what_to_do(part: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SETUP + CALLS[part] + "try:\n    run()\nexcept OptionError as error:\n    print('TOLD', error)\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120)
    assert "TOLD workers=2" in done.stdout and "__main__" in done.stdout
