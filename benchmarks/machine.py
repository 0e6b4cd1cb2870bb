"""What the numbers were measured on: processor, memory, system, versions, and how busy the machine was."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe", "load", "processor"]

PACKAGES = ("mixsem", "numpy", "scipy", "numba", "nutpie", "pandas", "pyarrow")
#: Versions of R, of its linear algebra and of the packages that there are.
R_VERSIONS = """
there <- function(p) requireNamespace(p, quietly = TRUE)
shown <- function(p) paste(p, as.character(packageVersion(p)))
cat(paste(R.version$major, R.version$minor, sep = "."), basename(extSoftVersion()[["BLAS"]]), sep = "\n")
cat("", sapply(Filter(there, c("lavaan", "lme4", "glmmTMB", "mmgsem")), shown), sep = "\n")
"""


def describe() -> dict[str, str]:
    """Facts about this machine, in the order in which a page shows them."""
    facts = {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "memory": memory(),
        "system": system(),
        "Python": platform.python_version(),
        "linear algebra": linear_algebra(),
        "packages": ", ".join(f"{name} {v}" for name in PACKAGES if (v := _version(name))),
        "R": r_versions(),
    }
    return {name: fact for name, fact in facts.items() if fact}


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    return _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def system() -> str:
    """The system's name and version, as far as programs notice them."""
    version = ".".join(platform.release().split("-")[0].split(".")[:2])
    return " ".join(part for part in (platform.system(), version, platform.machine(), *platform.libc_ver()) if part)


def memory() -> str:
    """GiB of main memory."""
    kilobytes = _field("/proc/meminfo", "MemTotal").removesuffix(" kB")
    return f"{int(kilobytes) / 2**20:.0f} GiB" if kilobytes.isdigit() else ""


def load() -> float | None:
    """Processes that wanted a core during the last minute, ours not counted: 0 on a quiet machine."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def linear_algebra() -> str:
    """The libraries behind NumPy and SciPy, with their threads."""
    import numpy  # noqa: F401  a library is seen once it is loaded
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    shown = (f"{pool['internal_api']} {pool['version']} with {pool['num_threads']} threads" for pool in found)
    return "; ".join(sorted(set(shown)))


@cache
def r_versions() -> str:
    """R, its linear algebra, and its packages that serve as peers; nothing where there is no R."""
    if shutil.which("Rscript") is None:
        return ""
    done = subprocess.run(["Rscript", "-e", R_VERSIONS], capture_output=True, text=True, check=False)
    lines = done.stdout.split("\n")
    if done.returncode or len(lines) < 2:
        return ""
    packages = ", ".join(line for line in lines[2:] if line)
    return f"{lines[0]} with {lines[1]}" + (f"; {packages}" if packages else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _field(file: str, name: str) -> str:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(name))
    except (OSError, StopIteration):
        return ""
