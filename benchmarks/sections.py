"""What docs/benchmarks.md says of each benchmark: the claim, how it is measured, and the columns of its table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tables import Column, Record, duration, facts_table, markdown_table, mixed_summary, race_table

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True)
class Section:
    """One benchmark on the page; ``name`` is that of `run.py`."""

    name: str
    title: str
    claim: str
    text: str
    table: Callable[[Sequence[Record]], list[str]]


def named(record: Record) -> str:
    """What a record is about, without the name of its benchmark."""
    return record.get("title") or record["benchmark"].split(": ", 1)[-1]


def value(key: str, pattern: str = "{}") -> Callable[[Record], str]:
    """A cell with one fact, empty where there is none."""
    return lambda record: pattern.format(record[key]) if record.get(key) is not None else ""


def seconds(key: str) -> Callable[[Record], str]:
    """A cell with one time or several."""

    def cell(record: Record) -> str:
        found = record.get(key)
        return "" if found is None else duration(found if isinstance(found, list) else [found])

    return cell


#: Parts of a run with many groups, by what they are called on the page.
STEPS = {"step 1": "step1", "step 2": "step2", "step 3": "step3", "standard errors": "standard_errors"}


def of_step(key: str) -> Callable[[Record], str]:
    """The CPU time of one of several steps."""
    return lambda record: duration([record["cpu"][key]])


def of_parts(record: Record) -> str:
    return ", ".join(f"{name} {duration([spent])}" for name, spent in record["cpu_of_parts"].items())


def facts(*columns: Column, first: str = "") -> Callable[[Sequence[Record]], list[str]]:
    """A table with one row per record."""
    return lambda records: facts_table(records, ((first, named), *columns))


def bayes(records: Sequence[Record]) -> list[str]:
    """Compilation in a sentence, designs in a table."""
    compiled = [r for r in records if r["benchmark"] == "compilation"]
    lines = [
        f"A first process compiles for {r['first_process']} s, the next loads what it compiled in {r['next_process']} s"
        " (imports included)."
        for r in compiled
    ]
    table = facts(
        ("clock", seconds("wall_seconds")),
        ("CPU", seconds("cpu_seconds")),
        ("smallest ESS", value("smallest_ess")),
        ("largest R-hat", value("largest_rhat", "{:.3f}")),
        ("divergences", value("divergences")),
        ("published, on another machine", value("published")),
        first="design",
    )
    return [*lines, "", *table([r for r in records if r not in compiled])]


def calibration(records: Sequence[Record]) -> list[str]:
    """As is and with all uncertainty, side by side."""

    def of(method: str, key: str) -> Callable[[Record], str]:
        return lambda record: str(record[method][key])

    columns: list[Column] = [
        (f"{key}: {name}", of(method, key))
        for key in ("probability", "share", "error", "slope")
        for name, method in (("as is", "as is"), ("integrated", "integrated"))
    ]
    return facts_table(records, (("", named), *columns))


def streaming(records: Sequence[Record]) -> list[str]:
    """Both programs in a table, what was read and how well they agree in a sentence."""
    lines = []
    for record in (r for r in records if "duckdb_seconds" in r):
        lines += markdown_table(
            ("program", "clock", "CPU", "largest memory"),
            [
                (name, *(duration([record[f"{key}{part}"]]) for part in ("seconds", "cpu_seconds")), f"{peak:,.0f} MB")
                for name, key in (("mixsem", ""), ("DuckDB", "duckdb_"))
                for peak in (record[f"{key}peak_mb"],)
            ],
        )
        read = f"{record['rows']:,} rows in {record['groups']} groups, {record['items']} items, {record['file_gb']} GB"
        lines += ["", f"{read}: {record['ratio']} times DuckDB's clock; means and covariances differ by at most"]
        lines[-1] += f" {record['deviation']:.0e} of the largest."
    return lines


SECTIONS = (
    Section(
        "sem",
        "Structural equation models",
        "`cfa`, `sem` and `growth` need less CPU than lavaan: 30 times less with many groups, 10 with missing values, 3"
        " with one group",
        "From the rows to estimates, standard errors, test and fit measures. semopy fits what it can: one group,"
        " complete data. Chi-square, log-likelihood, loadings and their standard errors are compared.",
        race_table,
    ),
    Section(
        "step1",
        "Step 1: equal loadings in many groups",
        "the joint CFA of step 1 needs 30 times less CPU than lavaan's plain call",
        "All start from the same covariance matrices. lavaan's plain call and its faster option (`ceq.simple`) give"
        ' what `MGCFA` gives; "estimates only" leaves out standard errors, test and fit measures.',
        race_table,
    ),
    Section(
        "mixmg_sem",
        "MixMG-SEM, all steps",
        "from the rows to the clusters in seconds",
        "Four factors of five items, K = 1 to 6 with 50 starts each. No peer was run: the R package of the method's"
        " authors is not on CRAN. What step 1 costs in lavaan is above.",
        facts(
            ("rows", value("rows", "{:,}")),
            ("CPU", seconds("cpu")),
            ("clock", seconds("wall")),
            ("CPU of the parts", of_parts),
            ("adjusted Rand index, K = 4", value("adjusted_rand_index")),
        ),
    ),
    Section(
        "step3",
        "Step 3 alone",
        "50 starts with four clusters in 96 groups take less than 0.3 CPU seconds",
        "Factor covariances with sampling and measurement error.",
        facts(
            ("CPU", seconds("cpu")),
            ("clock", seconds("wall")),
            ("starts at the best", value("starts_at_best")),
            ("adjusted Rand index", value("adjusted_rand_index")),
        ),
    ),
    Section(
        "many_groups",
        "20,000 groups",
        "time and memory near linear in the number of groups",
        "MixMG-SEM with K = 4 on groups of 30 people, three factors of four items, one thread of linear algebra, every"
        " size in a process of its own. The exponent is that of the growth of CPU time since the row above.",
        facts(
            *((step, of_step(key)) for step, key in STEPS.items()),
            ("clock, all", lambda record: duration([sum(record["wall"].values())])),
            ("memory", value("megabytes", "{:,} MB")),
            ("exponent", value("exponent_cpu")),
            ("adjusted Rand index", value("adjusted_rand_index")),
            ("largest error of a regression", value("distance")),
            first="groups",
        ),
    ),
    Section(
        "streaming",
        "Moments of data larger than memory",
        "moments in one pass, within twice the time DuckDB needs for the same sums",
        "Means and co-moments per group from Parquet files; DuckDB computes counts, sums and sums of products."
        " Either has a process of its own.",
        streaming,
    ),
    Section(
        "bayes_step1",
        "Bayesian step 1",
        "the published designs take less than 20 seconds",
        "Four factors of five items, 4 chains x (1000 + 1000) draws per factor, default settings. The published times"
        " are means over a design on a server; they are no race, but say what one was used to.",
        bayes,
    ),
    Section(
        "laplace_vs_mcmc",
        "The fast method beside the No-U-Turn sampler",
        '`method="laplace"` gives the factor moments of long chains, at least five times as fast',
        "Differences are in posterior standard deviations, those of covariances in sampling errors of observed factor"
        " scores; seconds are CPU of one factor ([more](methods/laplace.md#measured-agreement)).",
        facts(
            ("factor variance: rms", value("variance_rms", "{:.3f}")),
            ("largest", value("variance_max", "{:.2f}")),
            ("covariance: rms", value("covariance_rms_of_sampling_error", "{:.3f}")),
            ("loading: rms", value("loading_rms", "{:.3f}")),
            ("CPU, fast", seconds("cpu")),
            ("CPU, sampler", seconds("cpu_nuts")),
            ("× the fast method's CPU", value("times_faster")),
            first="design",
        ),
    ),
    Section(
        "study_samplers",
        "The same in simulation studies",
        "both samplers give the same results on the same data sets",
        "From the stored results of [two studies](studies/samplers.md); nothing is fitted.",
        facts(
            ("data sets", value("data_sets")),
            ("largest mean difference", value("largest_mean_difference")),
            ("× the fast method's CPU", value("times_faster")),
        ),
    ),
    Section(
        "study_speed",
        "Simulation studies on two workers",
        "a second worker adds as much as the machine lets it",
        "The same data sets (MixMG-BSEM, 24 groups) with one worker and with two; efficiency is the time of one over"
        " twice that of two. Two processes that share nothing show what the machine has to give.",
        facts(
            ("data sets", value("data_sets")),
            ("one", seconds("seconds_one")),
            ("two", seconds("seconds_two")),
            ("data sets per hour, two", value("per_hour", "{:,.0f}")),
            ("efficiency", value("efficiency")),
            ("of a plain loop", value("efficiency_of_a_plain_loop")),
        ),
    ),
    Section(
        "calls",
        "Calls that other pages time",
        "what the pages say of single calls",
        "Alone, after one untimed call.",
        facts(
            ("page", lambda record: f"[{record['page'].removesuffix('.md')}]({record['page']})"),
            ("CPU", seconds("cpu")),
            ("clock", seconds("wall")),
        ),
    ),
    Section(
        "recovery",
        "Recovery of the clusters",
        "48 groups of 200 with regressions of .4: adjusted Rand index above .9",
        "K = 4; means over data sets.",
        facts(
            ("data sets", value("data_sets")),
            ("adjusted Rand index", value("adjusted_rand_index", "{:.3f}")),
            ("smallest", value("smallest", "{:.3f}")),
            ("RMSE of regressions", value("rmse", "{:.4f}")),
        ),
    ),
    Section(
        "interval_coverage",
        "Intervals for the clusters' regressions",
        "95% intervals that allow for step 1 cover 95%",
        "Naive intervals take the factor covariances as known ([more](methods/cluster-inference.md)).",
        facts(
            ("data sets", value("replications")),
            ("coverage", value("coverage_corrected", "{:.3f}")),
            ("naive", value("coverage_naive", "{:.3f}")),
            ("mean SE", value("mean_se_corrected")),
            ("Monte-Carlo SD", value("monte_carlo_sd")),
            ("size of the equality test", value("equality_test_size", "{:.3f}")),
        ),
    ),
    Section(
        "bootstrap_errors",
        "Bootstrap standard errors",
        "those of people around the model and of groups are the Monte-Carlo standard deviation, within 10%",
        "Mean standard error over Monte-Carlo standard deviation, eight regressions. Around the sample it is too large"
        " ([why](methods/cluster-inference.md)).",
        facts(
            ("data sets", value("replications")),
            ("samples", value("samples")),
            ("ratio", value("ratio")),
            ("its Monte-Carlo error", value("mc_error")),
        ),
    ),
    Section(
        "calibration",
        "Probabilities of membership",
        "probabilities with all uncertainty are calibrated",
        "Mean probability of the cluster that a group was put into, and the share of groups that belong there"
        " ([more](methods/cluster-inference.md)).",
        calibration,
    ),
    Section(
        "sbc",
        "Calibration of the samplers",
        "both Bayesian models pass simulation-based calibration",
        "Smallest of all p-values after Bonferroni's correction ([more](methods/bayesian-checks.md)).",
        facts(
            ("data sets", value("replications")),
            ("quantities", value("quantities")),
            ("smallest p", value("smallest_p_corrected")),
        ),
    ),
    Section(
        "sbc_laplace",
        "Calibration of the fast method",
        "the fast method passes the same calibration",
        'As above, with `method="laplace"`.',
        facts(
            ("data sets", value("replications")),
            ("quantities", value("quantities")),
            ("smallest p", value("smallest_p_corrected")),
        ),
    ),
    Section(
        "mixed",
        "Linear mixed models",
        "`lmer` is as fast as the fastest peer, twice as fast as lme4, and never stops at a worse optimum",
        "Summary of [the page of linear mixed models](benchmarks-mixed.md), with all programs, memory and optima.",
        mixed_summary,
    ),
    Section(
        "generalised",
        "Generalised mixed models",
        "`glmer` is as fast as the fastest peer, five times as fast as lme4, and never stops at a worse optimum",
        "Summary of [the page of generalised mixed models](benchmarks-generalised.md).",
        mixed_summary,
    ),
)
