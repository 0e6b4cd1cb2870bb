"""The shape of the package, as a test: who may import whom, and how long a file or a function may be.

`docs/architecture.md` explains the shape. A rule here is a function from one module to the list of its
violations; every rule is also shown a small module that breaks it, so that no rule passes by doing nothing.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "mixsem"

LONGEST_FILE = 350
LONGEST_FUNCTION = 80  # lines of code: a docstring explains, and is not counted

STEPS = frozenset({"measurement", "factors", "structural"})
ORCHESTRA = frozenset(
    {"comparison", "explained", "growth_curves", "guided", "pipelines", "cli", "studies", "resampling", "saving"}
)
DISPLAY = frozenset({"report", "plots"})
ABOVE_DATA = STEPS | ORCHESTRA | DISPLAY | {"mixed", "multilevel", "simulate"}

# part of the package -> parts it must not import
FORBIDDEN: dict[str, frozenset[str]] = {
    "data": ABOVE_DATA,
    "syntax": ABOVE_DATA,
    "model": ABOVE_DATA | {"bayes"},
    "bayes": ABOVE_DATA,
    "mixtures": ORCHESTRA | {"plots", "mixed", "multilevel"},
    "equations": ORCHESTRA | STEPS | {"plots", "multilevel", "mixed", "bayes", "simulate"},
    "measurement": ORCHESTRA | {"factors", "structural", "mixed"},
    "factors": ORCHESTRA | {"structural", "mixed"},
    "structural": ORCHESTRA | {"measurement", "mixed"},
    "multilevel": ORCHESTRA | {"mixed"},
    "mixed": ORCHESTRA | STEPS | {"multilevel"},
    "inference": ORCHESTRA | DISPLAY,
    "report": ORCHESTRA,
    "plots": ORCHESTRA,
    "simulate": ORCHESTRA | DISPLAY,
    "pipelines": frozenset({"cli", "studies"}),
    "saving": frozenset({"cli", "pipelines"}),
    "studies": frozenset({"cli"}),
    "": frozenset({"cli"}),  # the package itself: its __init__
}
# parts that import nothing of the package but these
SELF_CONTAINED: dict[str, frozenset[str]] = {
    "kernels": frozenset({"kernels"}),
    "errors": frozenset(),
    "options": frozenset({"errors"}),
    "locking": frozenset(),
    "safe_formulas": frozenset({"errors"}),
    "threads": frozenset(),
    "workers": frozenset({"errors"}),
}
NOT_IN_KERNELS = frozenset({"pandas", "narwhals", "matplotlib", "polars", "pyarrow", "duckdb", "rich"})

# An absolute path of somebody's machine: a root folder and one below it, or a drive letter.
MACHINE_PATH = re.compile(r"""(?:^|[\s"'`(=])(?:~/\w|[C-Z]:\\+\w{2}|/(?!dev/|proc/)[A-Za-z][\w.-]*/[\w.-])""")
TEXT_SUFFIXES = frozenset({".py", ".R", ".json", ".toml", ".md", ".txt", ".yml"})


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name (a package's `__init__` has the package's name) and its text."""

    name: str
    text: str
    is_package: bool = False

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def part(self) -> str:
        return part_of(self.name)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@dataclass(frozen=True)
class Import:
    """One imported name, relative imports resolved: `from a import b` has the target `a.b`."""

    target: str
    line: int
    lazy: bool  # inside a function


def part_of(dotted: str) -> str:
    """First name below the package: "data" for mixsem.data.moments, "" for mixsem itself."""
    return dotted.split(".")[1] if dotted.startswith("mixsem.") else ""


def read_modules() -> list[Module]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        *parents, stem = path.relative_to(SOURCE).with_suffix("").parts
        parts = ["mixsem", *parents] if stem == "__init__" else ["mixsem", *parents, stem]
        found.append(Module(".".join(parts), path.read_text(encoding="utf-8"), stem == "__init__"))
    return found


MODULES = read_modules()
PARTS = frozenset(m.part for m in MODULES if m.part) | set(FORBIDDEN) - {""} | set(SELF_CONTAINED)


def imports(module: Module) -> Iterator[Import]:
    """Every import, wherever it stands. Those under `if TYPE_CHECKING:` count: a type is knowledge too."""
    in_functions = {id(node) for function in module.functions() for node in ast.walk(function)}
    for node in ast.walk(module.tree):
        lazy = id(node) in in_functions
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute_base(module, node)
            yield from (Import(f"{base}.{alias.name}", node.lineno, lazy) for alias in node.names)


def absolute_base(module: Module, node: ast.ImportFrom) -> str:
    """Resolve the dots of a relative import as Python does."""
    if not node.level:
        return node.module or ""
    parents = module.name.split(".")
    keep = len(parents) - node.level + (1 if module.is_package else 0)
    return ".".join([*parents[:keep], *([node.module] if node.module else [])])


def code_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from `def` to its end, without its docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


# --- the rules -------------------------------------------------------------------------------------------


def import_directions(module: Module) -> list[str]:
    """Data know nothing of methods, the steps and `mixed` nothing of one another, nobody of the cli."""
    forbidden = FORBIDDEN.get(module.part, frozenset({"cli"}))
    if module.name in ("mixsem.cli", "mixsem.__main__") or module.name.startswith("mixsem.cli."):
        return []
    return [
        f"line {i.line}: {module.name} imports {i.target}" for i in imports(module) if part_of(i.target) in forbidden
    ]


def self_contained_parts(module: Module) -> list[str]:
    """Kernels import only kernels, and the errors nothing of the package."""
    allowed = SELF_CONTAINED.get(module.part)
    if allowed is None:
        return []
    ours = (i for i in imports(module) if i.target.split(".")[0] == "mixsem")
    return [f"line {i.line}: {module.name} imports {i.target}" for i in ours if part_of(i.target) not in allowed]


def kernels_know_arrays_only(module: Module) -> list[str]:
    """No dataframe, figure or console library in the kernels."""
    if module.part != "kernels":
        return []
    return [f"line {i.line}: {i.target}" for i in imports(module) if i.target.split(".")[0] in NOT_IN_KERNELS]


def no_import_through_the_front_door(module: Module) -> list[str]:
    """Inside the package, a name is imported from where it is defined: `from mixsem import` makes circles."""
    if not module.part or module.part in ORCHESTRA:
        return []
    ours = (i for i in imports(module) if i.target.split(".")[0] == "mixsem")
    known = PARTS | {"__version__"}
    return [f"line {i.line}: {i.target}" for i in ours if part_of(i.target) not in known]


def matplotlib_is_lazy(module: Module) -> list[str]:
    """matplotlib is imported inside functions, or in the modules of plots/ (never in its `__init__`)."""
    if module.part == "plots" and not module.is_package:
        return []
    return [
        f"line {i.line}: {i.target}"
        for i in imports(module)
        if i.target.split(".")[0] == "matplotlib" and not i.lazy and not _only_for_types(module, i.line)
    ]


def _only_for_types(module: Module, line: int) -> bool:
    blocks = (n for n in ast.walk(module.tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))
    return any(block.lineno < line <= (block.end_lineno or line) for block in blocks)


def no_kwargs_in_public_functions(module: Module) -> list[str]:
    """`**kwargs` swallows misspelt options."""
    return [
        f"line {f.lineno}: {f.name}(**{f.args.kwarg.arg})"
        for f in module.functions()
        if f.args.kwarg is not None and (not f.name.startswith("_") or f.name.startswith("__"))
    ]


def files_are_short(module: Module) -> list[str]:
    """One idea per file."""
    length = len(module.text.splitlines())
    return [f"{length} lines, at most {LONGEST_FILE}"] if length > LONGEST_FILE else []


def functions_fit_a_screen(module: Module) -> list[str]:
    """A function is read without scrolling."""
    return [
        f"line {f.lineno}: {f.name} has {code_length(f)} lines of code, at most {LONGEST_FUNCTION}"
        for f in module.functions()
        if code_length(f) > LONGEST_FUNCTION
    ]


Rule = Callable[[Module], list[str]]

# rule -> modules that break it
VIOLATIONS: dict[Rule, list[Module]] = {
    import_directions: [
        Module("mixsem.data.moments", "import mixsem.structural.mixture"),
        Module("mixsem.model.implied", "from ..measurement import MGCFA"),
        Module("mixsem.syntax", "from ..report import table", is_package=True),
        Module("mixsem.syntax.sem", "from .. import report"),
        Module("mixsem.measurement.mgcfa", "from mixsem.structural import StructuralMixture"),
        Module("mixsem.structural.mstep", "def f():\n    from ..mixed.linear import LinearMixedModel"),
        Module("mixsem.structural.mstep", "from ..measurement.fit import MeasurementFit"),
        Module("mixsem.mixed.fit", "from mixsem import factors"),
        Module("mixsem.mixtures.wald", "from ..plots.coefficients import coefficients"),
        Module("mixsem.equations.fit", "from ..measurement.blocks import Blocks"),
        Module("mixsem.equations.fit", "def f():\n    from ..plots.paths import paths"),
        Module("mixsem.factors.sam", "if TYPE_CHECKING:\n    from ..mixed.fit import MixedFit"),
        Module("mixsem.report.html", "from ..pipelines import mmgsem"),
        Module("mixsem.plots.scree", "import mixsem.cli"),
        Module("mixsem.simulate.study", "from mixsem.cli import main"),
        Module("mixsem.anything_new", "from .cli import main"),
        Module("mixsem", "from .cli import main", is_package=True),
    ],
    self_contained_parts: [
        Module("mixsem.kernels.arrow", "from ..errors import ModelError"),
        Module("mixsem.kernels.arrow", "import mixsem"),
        Module("mixsem.errors", "from .report.table import Table"),
    ],
    kernels_know_arrays_only: [Module("mixsem.kernels.arrow", "def f():\n    import pandas as pd")],
    no_import_through_the_front_door: [
        Module("mixsem.data.moments", "from mixsem import SampleMoments"),
        Module("mixsem.data.moments", "import mixsem as mx"),
        Module("mixsem.data.moments", "from .. import SampleMoments"),
    ],
    matplotlib_is_lazy: [
        Module("mixsem.report.html", "import matplotlib.pyplot as plt"),
        Module("mixsem.plots", "from matplotlib.axes import Axes", is_package=True),
    ],
    no_kwargs_in_public_functions: [
        Module("mixsem.new", "def fit(x, **options): ..."),
        Module("mixsem.new", "class A:\n    def __init__(self, **kwargs): ..."),
    ],
    files_are_short: [Module("mixsem.new", "x = 1\n" * (LONGEST_FILE + 1))],
    functions_fit_a_screen: [Module("mixsem.new", "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION)],
}

# The same rules leave these alone.
ALLOWED = [
    Module("mixsem.structural.mixture", "from ..factors.moments import FactorMoments\nfrom .mstep import step"),
    Module("mixsem.equations.fit", "from ..display import Displayed\nfrom ..model.matrices import ModelMap"),
    Module("mixsem.factors.moments", "from ..measurement.fit import MeasurementFit"),
    Module("mixsem.cli", "from . import pipelines, plots, structural\nimport mixsem"),
    Module("mixsem.kernels", "from .arrow import factorize", is_package=True),
    Module("mixsem.kernels.arrow", "import numpy as np\nfrom mixsem.kernels.covariance import logdet"),
    Module("mixsem.plots", "def f():\n    import matplotlib.pyplot as plt", is_package=True),
    Module("mixsem.plots", "if TYPE_CHECKING:\n    from matplotlib.axes import Axes", is_package=True),
    Module("mixsem.plots.scree", "import matplotlib.pyplot as plt"),
    Module("mixsem.report.html", "from mixsem import __version__"),
    Module("mixsem.new", "def _inner(**kwargs): ..."),
    Module("mixsem.new", 'def f():\n    """' + "words\n" * LONGEST_FUNCTION + '    """\n    return 1'),
]


@pytest.mark.parametrize("rule", VIOLATIONS, ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Rule) -> None:
    broken = {module.name: found for module in MODULES if (found := rule(module))}
    assert not broken, f"{rule.__doc__}\n" + "\n".join(f"{name}: {v}" for name, vs in broken.items() for v in vs)


@pytest.mark.parametrize(
    ("rule", "module"),
    [(rule, module) for rule, broken in VIOLATIONS.items() for module in broken],
    ids=lambda value: getattr(value, "__name__", None) or value.name,
)
def test_breaking_it_is_seen(rule: Rule, module: Module) -> None:
    assert rule(module)


@pytest.mark.parametrize("module", ALLOWED, ids=lambda module: module.name)
def test_what_is_allowed_passes(module: Module) -> None:
    assert [found for rule in VIOLATIONS for found in rule(module)] == []


def test_the_source_was_read() -> None:
    """Rules over an empty list of modules would all hold."""
    assert {"mixsem", "mixsem.errors"} <= {module.name for module in MODULES}


def test_every_folder_is_a_package() -> None:
    """A folder without `__init__.py` is importable here, but its doctests and its files may be left out."""
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [str(f.relative_to(SOURCE)) for f in folders if not (f / "__init__.py").is_file()] == []


def test_import_is_light() -> None:
    """`import mixsem` draws no figure and brings in no optional library: they wait until they are used."""
    heavy = ("matplotlib", "polars", "duckdb")
    code = f"import sys, mixsem; print(*sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []


@pytest.mark.parametrize("folder", ["src", "tests", "benchmarks"])
def test_no_machine_specific_paths(folder: str) -> None:
    """What is committed works in any folder of any machine."""
    files = [p for p in (ROOT / folder).rglob("*") if p.suffix in TEXT_SUFFIXES and "__pycache__" not in p.parts]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("start", ["/", "~/", "C:\\"])
def test_machine_specific_paths_are_seen(start: str) -> None:
    assert MACHINE_PATH.search(f'read("{start}some' + ("/" if start == "/" else "") + 'where")')
    assert not MACHINE_PATH.search("a/b, x / y, https://example.org/a/b, ./tests/data, mimetype text/html, (a)/b/c")
