"""What ``mixsem power`` does: simulate every plan, print the table and the answer, write the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MixsemError
from ..report.folder import write_folder
from .console import short_warnings
from .documents import power_json
from .output import check_output, print_outcome
from .power_plan import PowerOptions
from .study_progress import study_progress

if TYPE_CHECKING:
    from ..studies.power_result import PowerResult
    from ..studies.run import StudyState
    from ..studies.study import AnyPopulation

__all__ = ["POWER_FILES", "run_power"]

POWER_FILES = ("power.csv", "power.md", "power.svg")
#: Folder of the finished data sets, in that of the results.
STORE = "data-sets"


def run_power(options: PowerOptions) -> None:
    """Simulate, write the files if a folder was named, print.

    Raises
    ------
    MixsemError
        If a plan is impossible for the population, or the folder cannot be used.
    """
    output = options.output
    check_output(output, POWER_FILES, ())

    from ..studies.power import power

    population = _population(options)
    plan = dict(options.plan)
    plan["clusters"] = plan.pop("choose_among", "true")
    store = None if output.out is None else output.out / STORE
    state: StudyState | None = None
    with short_warnings(quiet=output.quiet), study_progress("power", quiet=output.quiet) as show:

        def report(now: StudyState) -> None:
            nonlocal state
            state = now
            show(now)

        try:
            result = power(
                population, **plan, folder=store, workers=options.workers, dask=options.dask, progress=report
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_kept(state, store)) from None
    if output.out is not None:
        write_folder(output.out, _contents(result, output.command))
    from ..report.summary import summary

    print_outcome(output, POWER_FILES, lambda: [summary(result)], lambda: power_json(result))
    if store is not None and not (output.quiet or output.json):
        print(f"Finished data sets in {store}")


def _population(options: PowerOptions) -> AnyPopulation:
    """The population of the plan; what is wrong with it is said with the name of the file."""
    from ..simulate.own import OwnPopulation
    from ..simulate.populations import Population

    kind: Any = OwnPopulation if options.own else Population
    fields = {name: tuple(v) if isinstance(v, list) else v for name, v in options.population.items()}
    try:
        return kind(**fields)
    except MixsemError as error:
        if not options.source:
            raise
        # A syntax error shows its line with a caret below, which a name in front would move.
        error.args = (f"{options.source}, [population]: {error}",)
        raise


def _kept(state: StudyState | None, store: Path | None) -> str:
    """What an interruption leaves."""
    if state is None or store is None:
        return "interrupted; nothing was written"
    return f"interrupted; {state.done:,} of {state.total:,} data sets are safe in {store}; the same command goes on"


def _contents(result: PowerResult, command: str) -> dict[str, bytes]:
    """The files by name."""
    from io import BytesIO

    from matplotlib import rc_context

    from .. import plots
    from ..studies.power_words import power_markdown

    picture = BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mixsem"}):
        plots.power(result).savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    return {
        "power.csv": result.plans.to_csv(index=False).encode(),
        "power.md": power_markdown(result, command).encode(),
        "power.svg": picture.getvalue(),
    }
