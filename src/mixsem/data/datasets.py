"""The tables that ship with the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import as_file, files

import pandas as pd

from .files import read_table

__all__ = [
    "SurveyTruth",
    "holzinger_swineford_1939",
    "political_democracy",
    "simulated_survey",
    "sleepstudy",
    "survey_models",
    "survey_truth",
]

_TABLES = files("mixsem.data") / "tables"


def simulated_survey() -> pd.DataFrame:
    """Return answers to a survey in 48 countries whose regressions form 4 clusters. Invented data.

    Four factors of five items each, answered from 0 to 10 with one decimal by 150 to 250 people per country:
    ``security``, ``belonging``, ``trust`` and ``support`` (for a policy). About 5 % of the people left some
    items out. Trust depends on security and belonging, support on security and trust; in each cluster
    of countries another one of these four regressions is zero. Loadings differ a little between countries
    (approximate invariance of level .01), intercepts more.

    Returns
    -------
    pandas.DataFrame
        Columns ``country`` ("C01" to "C48"), ``security1`` to ``security5``, and so on.

    Notes
    -----
    Drawn from the population of Perez Alonso et al. (2024, Psychological Methods); `survey_truth` gives the
    clusters and regressions.

    Examples
    --------
    >>> survey = simulated_survey()
    >>> survey["country"].nunique(), list(survey.columns[:3])
    (48, ['country', 'security1', 'security2'])
    """
    return _table("simulated_survey.csv.gz")


@dataclass(frozen=True)
class SurveyTruth:
    """What `simulated_survey` was drawn from.

    Attributes
    ----------
    clusters
        Cluster of each country, numbered from 1.
    coefficients
        Regressions per cluster, such as ``coefficients[1]["trust ~ security"]``.
    """

    clusters: dict[str, int]
    coefficients: dict[int, dict[str, float]]


def survey_models() -> tuple[str, str]:
    """Return the measurement model and the structural model of `simulated_survey`, in lavaan syntax.

    Examples
    --------
    >>> measurement, structural = survey_models()
    >>> print(measurement.splitlines()[0])
    security =~ security1 + security2 + security3 + security4 + security5
    >>> print(structural)
    trust ~ security + belonging
    support ~ security + trust
    """
    factors = ("security", "belonging", "trust", "support")
    measured = [f"{factor} =~ " + " + ".join(f"{factor}{j}" for j in range(1, 6)) for factor in factors]
    return "\n".join(measured), "trust ~ security + belonging\nsupport ~ security + trust"


def survey_truth() -> SurveyTruth:
    """Return the true clusters and regressions of `simulated_survey`.

    Examples
    --------
    >>> truth = survey_truth()
    >>> truth.coefficients[2]["trust ~ security"], truth.clusters["C01"] in (1, 2, 3, 4)
    (0.0, True)
    """
    written = json.loads((_TABLES / "simulated_survey_truth.json").read_text(encoding="utf-8"))
    return SurveyTruth(
        clusters=written["clusters"],
        coefficients={int(cluster): values for cluster, values in written["coefficients"].items()},
    )


def holzinger_swineford_1939() -> pd.DataFrame:
    """Return nine ability tests of 301 pupils of two schools (Holzinger & Swineford, 1939).

    Returns
    -------
    pandas.DataFrame
        Columns ``id``, ``sex``, ``ageyr``, ``agemo``, ``school``, ``grade`` and ``x1`` to ``x9``: visual
        (x1 to x3), textual (x4 to x6) and speed (x7 to x9) tests, scaled as in Joreskog (1969).

    Notes
    -----
    Holzinger, K. J. & Swineford, F. (1939). A study in factor analysis: the stability of a bi-factor
    solution. Supplementary Educational Monographs 48, University of Chicago.

    Examples
    --------
    >>> holzinger_swineford_1939()["school"].value_counts().to_dict()
    {'Pasteur': 156, 'Grant-White': 145}
    """
    return _table("holzinger_swineford_1939.csv.gz")


def political_democracy() -> pd.DataFrame:
    """Return democracy and industrialization of 75 developing countries (Bollen, 1989).

    Returns
    -------
    pandas.DataFrame
        Columns ``y1`` to ``y4`` (democracy in 1960), ``y5`` to ``y8`` (the same in 1965) and ``x1`` to ``x3``
        (industrialization in 1960).

    Notes
    -----
    Bollen, K. A. (1989). Structural equations with latent variables. New York: Wiley.

    Examples
    --------
    >>> political_democracy().shape
    (75, 11)
    """
    return _table("political_democracy.csv.gz")


def sleepstudy() -> pd.DataFrame:
    """Return reaction times of 18 people over ten days of little sleep (Belenky et al., 2003).

    Returns
    -------
    pandas.DataFrame
        Columns ``Reaction`` (mean reaction time, milliseconds), ``Days`` (0 to 9) and ``Subject``, 180 rows.

    Notes
    -----
    Belenky, G., Wesensten, N. J., Thorne, D. R., Thomas, M. L., Sing, H. C., Redmond, D. P., Russo, M. B. & Balkin,
    T. J. (2003). Patterns of performance degradation and restoration during sleep restriction and subsequent
    recovery: a sleep dose-response study. Journal of Sleep Research, 12, 1-12.

    Examples
    --------
    >>> sleepstudy().groupby("Days")["Reaction"].mean().round(1).iloc[[0, 9]].to_dict()
    {0: 256.7, 9: 350.9}
    """
    return _table("sleepstudy.csv.gz")


def _table(name: str) -> pd.DataFrame:
    with as_file(_TABLES / name) as path:
        return read_table(path)
