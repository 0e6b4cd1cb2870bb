"""The arguments of ``mixsem glmer``, as argparse knows them."""

from __future__ import annotations

import argparse

__all__ = ["FAMILY_NAMES", "LINK_NAMES", "add_glmer"]

# Written out, since the modules that define them load NumPy; a test compares.
FAMILY_NAMES = ("binomial", "poisson", "negative binomial", "gamma", "inverse gaussian", "gaussian")
LINK_NAMES = ("logit", "probit", "cloglog", "cauchit", "log", "identity", "sqrt", "inverse", "1/mu^2")


def add_glmer(parser: argparse.ArgumentParser) -> None:
    """Describe the command.

    Parameters
    ----------
    parser
        The command's parser.
    """
    parser.description = (
        "Fit a generalised linear mixed model by maximum likelihood and print its summary, with lme4's formulas. With"
        " --out it writes report.html, fixed.csv, random.csv, varcorr.csv and fit.json."
    )
    parser.add_argument(
        "formula",
        metavar="FORMULA",
        help='in quotation marks, such as "y ~ x + (x | g)" or "cbind(hits, misses) ~ x + (1 | g)"',
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="table with one row per observation (.csv, .csv.gz, .tsv, .parquet, .arrow, .feather)",
    )
    parser.add_argument("--family", required=True, metavar="NAME", help=f"{', '.join(FAMILY_NAMES)}")
    parser.add_argument("--link", metavar="NAME", help=f"{', '.join(LINK_NAMES)} (default: the family's usual one)")
    parser.add_argument(
        "--n-agq",
        type=int,
        default=1,
        metavar="N",
        help="nodes of the quadrature: 1 for Laplace's approximation (default), more for one random effect, 0 for a"
        " faster, rougher fit",
    )
    parser.add_argument("--weights", metavar="COLUMN", help="numbers of trials of proportions, else weights")
    parser.add_argument("--offset", metavar="COLUMN", help="part of the linear predictor that is known")
    parser.add_argument("--profile", action="store_true", help="profile likelihood intervals (95%%) of all parameters")
    parser.add_argument("--anova", action="store_true", help="test the terms of the fixed part too (type III)")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON in the place of the summary")
    parser.add_argument("--out", metavar="DIR", help="folder for the results; made if needed")
    parser.add_argument("--title", default="", metavar="TEXT", help="title of the report")
    parser.add_argument("--quiet", action="store_true", help="print the path of the result and errors, nothing else")
