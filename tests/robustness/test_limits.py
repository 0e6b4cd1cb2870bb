"""More than memory holds: words, no traceback, no file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="limits of memory are set by a module of Unix")

LIMITED = """
import resource, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, mixsem as mx
from mixsem.errors import MixsemError
import mixsem.mixed.linear, mixsem.mixed.generalised.glmer, mixsem.measurement
rng, n = np.random.default_rng(1), 60_000
{make}
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + {gigabytes} * 2**30,) * 2)
try:
    {call}
except MixsemError as error:
    print(error)
"""

#: What is too large -> how the data are made, what is called.
LARGE = {
    "a category per row": (
        "data = {'y': rng.normal(size=n), 'c': [f'c{i}' for i in range(n)], 'g': np.arange(n) % 100}",
        "mx.lmer('y ~ c + (1 | g)', data)",
    ),
    "slopes of thousands of categories": (
        "data = {'y': rng.normal(size=n), 'c': [f'c{i % 3000}' for i in range(n)], 'g': np.arange(n) % 10}",
        "mx.lmer('y ~ 1 + (c | g)', data)",
    ),
    "200,000 crossed levels": (
        "m = 200_000; a, b = rng.integers(0, m, (2, 2 * m)); data = {'y': rng.normal(size=2 * m), 'a': a, 'b': b}",
        "mx.lmer('y ~ 1 + (1 | a) + (1 | b)', data)",
    ),
    "crossed levels of a generalised model": (
        "data = {'y': rng.integers(0, 2, 2 * n), 'a': rng.integers(0, n, 2 * n), 'b': rng.integers(0, n, 2 * n)}",
        "mx.glmer('y ~ 1 + (1 | a) + (1 | b)', data, family='binomial')",
    ),
    "10 million rows": (
        "data = {'y': np.zeros(10_000_000), 'x': np.ones(10_000_000), 'g': np.arange(10_000_000) % 2 == 0}",
        "mx.lmer('y ~ x + I(x + 1) + I(x + 2) + I(x + 3) + I(x + 4) + I(x + 5) + (1 | g)', data)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
def test_a_model_that_is_larger_than_memory_is_refused_in_words(case, tmp_path):
    make, call = LARGE[case]
    program = LIMITED.format(make=make, call=call, gigabytes=1)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "memory" in done.stdout or "GB" in done.stdout or "Unable to allocate" in done.stdout, done.stdout
    assert not list(tmp_path.iterdir())


COMMAND = """
import resource, sys
import numpy, pandas, scipy.optimize, mixsem.mixed.linear, mixsem.report.files
from mixsem.cli import main
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**29,) * 2)
sys.exit(main())
"""


@pytest.mark.slow
def test_a_command_that_needs_more_than_memory_says_so_and_leaves_nothing(folder, snapshot):
    rows = "\n".join(f"{i % 7},c{i},{i % 100}" for i in range(60_000))
    Path("large.csv").write_text(f"y,c,g\n{rows}\n")
    before = snapshot()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "lmer", "y ~ c + (1 | g)", "large.csv", "--out", "out"],
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2), done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert "memory" in done.stderr or "allocate" in done.stderr, done.stderr
    assert snapshot() == before
