"""The arguments of ``mixsem power``, as argparse knows them."""

from __future__ import annotations

import argparse

from .output import add_json, add_quiet

__all__ = ["add_power"]

_EXAMPLES = """examples:
  mixsem power plan.toml --out power
  mixsem power --groups 24,48 --sizes 50,100,200 --clusters 2 --beta 0.3"""


def add_power(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.description = (
        "How many groups and people does it take to recover the clusters? Simulates every combination of --groups and"
        " --sizes, from your own models and numbers in a plan file, or from the population of the published"
        " simulations. With --out it writes power.csv, power.md and power.svg, and keeps finished data sets there: the"
        " same command goes on where it stopped."
    )
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("plan", nargs="?", metavar="PLAN", help="plan file (.toml)")
    plan = parser.add_argument_group("the plans; they replace what the plan file says")
    plan.add_argument("--groups", metavar="A,B,C", help="numbers of groups to try (24,48,96)")
    plan.add_argument(
        "--sizes",
        metavar="A,B,C",
        help="people per group to try (50,100,200); 50-200 draws each group's size between the two (with a plan file)",
    )
    plan.add_argument("--method", metavar="NAME", help="mmgsem (default), mixml-sem or mixmg-bsem")
    plan.add_argument("--replications", metavar="N", help="data sets per plan (50)")
    plan.add_argument(
        "--choose-among", metavar="K", help="fit these numbers of clusters too, such as 1-4, and see which are chosen"
    )
    plan.add_argument("--starts", metavar="N", help="random starts per number of clusters (50)")
    plan.add_argument("--threshold", metavar="ARI", help="ARI from which on clusters count as recovered (0.8)")
    plan.add_argument("--wanted", metavar="SHARE", help="share of data sets in which they should be (0.8)")
    plan.add_argument("--seed", metavar="S", help="seed of all data sets (1)")
    paper = parser.add_argument_group("the published population: 4 factors of 5 items, without a plan file")
    paper.add_argument("--clusters", metavar="K", help="true number of clusters, 2 to 4 (2)")
    paper.add_argument("--beta", metavar="B", help="size of the regressions; each cluster lacks one of four (0.3)")
    paper.add_argument("--reliability", metavar="LEVEL", help="high (default) or low")
    paper.add_argument("--loading-variance", metavar="V", help="variance of the difference of two groups' loadings (0)")
    parser.add_argument("--workers", metavar="N", help="processes (all cores)")
    parser.add_argument("--dask", metavar="ADDRESS", help="scheduler of a Dask cluster, such as tcp://10.0.0.5:8786")
    parser.add_argument("--out", metavar="DIR", help="folder for the results; made if needed")
    add_json(parser)
    add_quiet(parser)
