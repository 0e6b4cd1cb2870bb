"""What a fit tells while it goes on, if it is asked to: on the standard error stream, like other messages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .designs.design import Design
    from .engine.layout import Layout
    from .engine.optimise import Trace

__all__ = ["tell_design", "tell_search"]

#: What `ru_maxrss` counts in: kilobytes on Linux, bytes on macOS.
RSS_UNIT = 1.0 if sys.platform == "darwin" else 1024.0


def tell_design(design: Design, layout: Layout, n_theta: int) -> None:
    """Rows, levels, parameters, and the memory of the factorisation, which is known before it is taken."""
    levels = ", ".join(f"{factor.name} {len(factor.levels):,}" for factor in design.factors)
    _tell(
        f"{design.n:,} rows; levels: {levels}; {design.p:,} fixed effects, {n_theta} covariance parameters;"
        f" {layout.blocks.n_tail:,} columns stay dense, {layout.gigabytes:.2g} GB for the factorisation"
    )


def tell_search(trace: Trace) -> None:
    """Evaluations, time, how the search ended, and the largest memory of the process so far."""
    peak = _peak_gigabytes()
    memory = "" if peak is None else f"; the process has taken up to {peak:.2g} GB"
    _tell(f"{trace.evaluations:,} evaluations by {trace.method} in {trace.seconds:.2g} s: {trace.message}{memory}")


def _peak_gigabytes() -> float | None:
    try:
        import resource
    except ImportError:  # Windows has no such count
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT * 1e-9


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
