"""The arguments of ``mixsem glmer``, as argparse knows them."""

from __future__ import annotations

import argparse

from .mixed_parser import add_mixed_input, add_mixed_output

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
    add_mixed_input(
        parser,
        '"y ~ x + (x | g)" or "cbind(hits, misses) ~ x + (1 | g)"',
        weights="numbers of trials of proportions, else weights",
        offset="part of the linear predictor that is known",
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
    parser.add_argument("--profile", action="store_true", help="profile likelihood intervals (95%%) of all parameters")
    add_mixed_output(parser)
