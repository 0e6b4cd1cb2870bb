"""Write docs/benchmarks.md, benchmarks-mixed.md and benchmarks-generalised.md from the stored results.

    python benchmarks/page.py

Nothing is measured: the same results give the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from claims import CLAIMS
from mixed_table import section as mixed_section
from results import Result, read_results
from sections import SECTIONS
from tables import markdown_table

__all__ = ["pages", "write"]

DOCS = Path(__file__).parents[1] / "docs"
INTRODUCTION = """\
# Benchmarks

Every claim about speed or accuracy in this documentation has a script that can fail. Peers run beside us in the same
minutes, on the same data, and their numbers are compared with ours: a fit that stops elsewhere is no faster fit.

- Times are medians over the runs, with the range of all runs in brackets: *CPU* of all threads together, *clock* as it
  passes. Programs take turns, so that what else the machine does meets all of them. Fits that take longer than ten
  seconds are timed once.
- *× our CPU* is the peer's CPU time over ours: 30 means that we need a thirtieth. Below 1, in bold, we lose; "not 30"
  says that the ratio is below the one we claim.
- Every program has its default options, those of its linear algebra too: where that has several threads, one that waits
  for another counts as CPU. Loading programs and compiling kernels is not in the times of fits.
- *load* is the number of processes that wanted a core just before. Much above 0, other work shared the machine: compare
  times within a table, not across tables.

To repeat a table, run the command below it. `python benchmarks/run.py --write` repeats them all and writes this page;
`--quick` takes a quarter of an hour instead of hours, `--only sem,step1` does part of it. R with lavaan, lme4 and
glmmTMB, and a Python with semopy, glmm, mixedlm and statsmodels (`--peers-python`), are used where they are there."""

#: Scripts of mixed models: their page, its title, what they fit, the criterion, and what else there is to say.
MIXED_PAGES = {
    "mixed": (
        "benchmarks-mixed.md",
        "Speed of linear mixed models",
        "REML fits of simulated data with two covariates",
        "the REML criterion",
        "",
    ),
    "generalised": (
        "benchmarks-generalised.md",
        "Speed of generalised mixed models",
        "Maximum likelihood fits",
        "-2 log-likelihood",
        """

We have two rows: the fit, and the fit with the standard errors of the fixed effects, which are computed when asked for.
Programs that compute them with every fit (from the Hessian of all parameters, as we do) are compared with the second,
others with the first. glmm's likelihood ratio tests are switched off: no other program makes them.""",
    ),
}
MIXED_INTRODUCTION = """\
# {title}

Written by `benchmarks/page.py` from what `benchmarks/{name}.py` measured ([all benchmarks](benchmarks.md)).
{fits}, every program with its default options and each fit in a process of its own; programs took turns,
the numbers are medians over the runs. CPU seconds (all threads) and wall seconds are those of the call from data frame
to fitted model; `× our CPU` is the program's CPU over ours, in bold where we lose; `load` is what a process needs
before: imports and a first small fit. `above the best` is {criterion} at the program's estimates, less the lowest of
all, computed by one function for all programs. Peak memory is what the fit adds to the process.{more}"""


def machines(results: Mapping[str, Result]) -> dict[str, list[str]]:
    """The lines of every machine, with its letter, in the order of the results."""
    distinct: list[Mapping[str, str]] = []
    for result in results.values():
        if result.machine not in distinct:
            distinct.append(result.machine)
    return {
        chr(ord("A") + i): [f"- {name}: {fact}" for name, fact in machine.items()] for i, machine in enumerate(distinct)
    }


def letter(result: Result, known: Mapping[str, list[str]]) -> str:
    lines = [f"- {name}: {fact}" for name, fact in result.machine.items()]
    return next(name for name, facts in known.items() if facts == lines)


def when(result: Result) -> str:
    """The day, how busy the machine was, and how long it took, as far as they were noted."""
    load = "" if result.load is None else f", load {result.load}"
    return f"{result.date}{load}" + (f", {result.seconds:,.0f} s" if result.seconds else "")


def overview(results: Mapping[str, Result]) -> list[str]:
    """One row per benchmark: its claim, and in how many rows it held."""
    lines = []
    for section in SECTIONS:
        result = results.get(section.name)
        anchor = "".join(c for c in section.title.lower() if c.isalnum() or c in " -").replace(" ", "-")
        lines.append((f"[{section.title}](#{anchor})", section.claim, verdict(result) if result else "not run"))
    return markdown_table(("", "claim", "held"), lines, left=3)


def verdict(result: Result) -> str:
    """Whether all claims held, or how many."""
    count = sum(record["passed"] for record in result.claims)
    return "yes" if result.held else f"**in {count} of {len(result.claims)} rows**"


def claims_table() -> list[str]:
    """Sentences of other pages with the scripts that check them."""
    lines = []
    for claim in CLAIMS:
        page = f"[{claim.page.removesuffix('.md')}]({claim.page})" if claim.page != "README.md" else "README"
        lines.append((page, claim.words.replace("|", "\\|"), f"`{claim.script}`"))
    return markdown_table(("page", "it says", "script"), lines, left=3)


def main_page(results: Mapping[str, Result]) -> str:
    """The page of all benchmarks; those without a stored result say how to get one."""
    known = machines(results)
    lines = [INTRODUCTION, "", "## In short", "", *overview(results)]
    for section in SECTIONS:
        result = results.get(section.name)
        lines += ["", f"## {section.title}", "", f"Claim: {section.claim}. {section.text}", ""]
        if result is None:
            lines.append(f"No result is stored: `python benchmarks/run.py --write --only {section.name}`")
            continue
        lines += [*section.table(result.records), ""]
        lines.append(f"`{result.command}` (machine {letter(result, known)}, {when(result)})")
    for name, facts in known.items():
        lines += ["", f"## Machine {name}", "", *facts]
    lines += ["", "## Claims on other pages", "", *claims_table()]
    return "\n".join(lines) + "\n"


def mixed_page(result: Result) -> str:
    """The page of all problems of one of the mixed benchmarks."""
    _, title, fits, criterion, more = MIXED_PAGES[result.name]
    text = MIXED_INTRODUCTION.format(title=title, name=result.name, fits=fits, criterion=criterion, more=more)
    programs = next(record for record in result.records if "versions" in record)
    versions = ", ".join(f"{name} {version}" for name, version in programs["versions"].items())
    machine = [f"- {name}: {fact}" for name, fact in result.machine.items()]
    lines = [text, "", f"`{result.command}` ({when(result)})", "", *machine]
    lines += [f"- programs: {versions}"]
    lines += [
        f"- compiling our kernels, once per machine: {programs['compiling']} s; the same small fits, one of each"
        f" problem, take {programs['later']} s in a later process"
    ]
    for record in result.records:
        if "programs" in record:
            lines += ["", *mixed_section(record, record["title"])]
    return "\n".join(lines) + "\n"


def pages(results: Mapping[str, Result]) -> dict[str, str]:
    """The text of each page by its name."""
    mixed = {MIXED_PAGES[name][0]: mixed_page(results[name]) for name in MIXED_PAGES if name in results}
    return {"benchmarks.md": main_page(results), **mixed}


def write(folder: Path = DOCS) -> list[Path]:
    """Write the pages from the stored results."""
    written = []
    for name, text in pages(read_results()).items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        written.append(folder / name)
    return written


if __name__ == "__main__":
    print(*write(), sep="\n", file=sys.stdout)
