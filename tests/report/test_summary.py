"""What the console shows: the numbers of the fit, who is where, and what the criteria say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from mixsem.errors import HeywoodWarning, NonPositiveDefiniteWarning, Notice, OptionError
from mixsem.factors import FactorMoments, factor_moments
from mixsem.measurement import MeasurementFit
from mixsem.report.document import Listing, Prose
from mixsem.report.mixture_tables import coefficient_table, member_listing, membership_table, selection_table
from mixsem.report.summary import summarize_html, summary
from mixsem.report.table import Table
from mixsem.report.values import one_line
from mixsem.report.words import choice_lines, choice_remarks, difference_words, join, single_remarks
from mixsem.structural import MixtureFit, MixtureSelection, StructuralMixture


def with_posterior(fit: MixtureFit, group: int, probabilities: list[float]) -> MixtureFit:
    """The same fit, one group classified otherwise."""
    posterior = fit.posterior.copy()
    posterior[group] = probabilities
    return replace(fit, posterior=posterior)


def with_logliks(selection: MixtureSelection, factors: list[float], observed: list[float]) -> MixtureSelection:
    """The same selection with other log-likelihoods, as if factors had been measured by five parameters."""
    fits = [
        replace(
            fit,
            loglik=f,
            loglik_observed=o,
            n_params=fit.n_params_factors + 5,
            moments=replace(fit.moments, n_measurement=5),
        )
        for fit, f, o in zip(selection.fits, factors, observed, strict=True)
    ]
    return MixtureSelection(tuple(fits))


# --- a mixture ------------------------------------------------------------------------------------------------


def test_the_table_of_regressions(whole: MixtureSelection) -> None:
    fit = whole[2]
    table = coefficient_table(fit).to_pandas().set_index("regression")
    assert table.loc["F3 ~ F1", ["cluster_1", "cluster_2"]].tolist() == fit.coefficients[:, 0].tolist()
    assert table["remark"].fillna("").to_dict()["F3 ~ F2"] == "fixed"
    assert table.loc["Proportion", "cluster_2"] == fit.proportions[1]
    assert table.loc["Groups", ["cluster_1", "cluster_2"]].tolist() == [
        int((fit.clusters == 1).sum()),
        int((fit.clusters == 2).sum()),
    ]
    assert table.loc["People", ["cluster_1", "cluster_2"]].sum() == fit.nobs


def test_the_console_shows_a_mixture(fit: MixtureFit) -> None:
    text = repr(fit)
    assert text.startswith(f"Mixture of structural models: 2 clusters of 8 groups, N = {fit.nobs:,}\n")
    assert f"{fit.loglik:,.2f} ({fit.n_params_factors} free parameters)" in text
    assert f"{fit.entropy_r2:.3f}" in text
    assert f"{fit.starts.n_best} of 20 reached the best solution" in text
    row = next(line for line in text.splitlines() if line.startswith("y ~ x"))
    assert row.split()[3:] == [f"{b:.3f}" for b in fit.coefficients[:, 0]]
    for group in fit.groups:
        assert one_line(group) in text


def test_both_log_likelihoods_are_shown_where_they_differ(whole: MixtureSelection, fit: MixtureFit) -> None:
    text = str(summary(whole[2]))
    assert text.startswith("MixMG-SEM: 2 clusters of 6 groups")
    assert f"{whole[2].loglik:,.2f}" in text
    assert f"{whole[2].loglik_observed:,.2f} ({whole[2].n_params} free parameters without means)" in text
    assert "Log-likelihood, indicators" not in repr(fit)


def test_groups_are_listed_with_their_cluster(fit: MixtureFit) -> None:
    entries = member_listing(fit).entries
    for c, (term, names) in enumerate(entries, start=1):
        members = [one_line(g) for g, cluster in zip(fit.groups, fit.clusters, strict=True) if cluster == c]
        assert term == f"Cluster {c}, {len(members)} groups"
        assert [one_line(name) for name in names.split(";")] == members


def test_an_uncertain_group_shows_its_probability(fit: MixtureFit) -> None:
    home = int(fit.clusters[2])
    unsure = with_posterior(fit, 2, [0.8997, 0.1003] if home == 1 else [0.1003, 0.8997])
    assert "a|b (0.89)" in repr(unsure)  # never rounded up to what is certain
    assert "where below 0.90" in repr(unsure)
    assert "a|b (" not in repr(fit)
    assert "where below" not in repr(fit)


def test_a_long_list_is_cut_but_keeps_the_uncertain(fit: MixtureFit) -> None:
    last = int(np.flatnonzero(fit.clusters == 1)[-1])
    unsure = with_posterior(fit, last, [0.6, 0.4])
    names = one_line(member_listing(unsure, limit=2).entries[0][1])
    assert "(0.60)" in names
    assert f"and {(fit.clusters == 1).sum() - 2} more" in names


def test_a_solution_that_no_start_reached_was_found_by_moves(fit: MixtureFit) -> None:
    lucky = replace(fit, starts=replace(fit.starts, best=fit.starts.best + 1))
    text = " ".join(repr(lucky).split())
    assert "none of 20 reached the best solution, which splitting and merging clusters found" in text
    assert "0 of 20" not in text


def test_a_cluster_of_one_group_is_remarked_upon(fit: MixtureFit) -> None:
    """Its regressions are nobody else's; those that are the same in all clusters are."""
    assert single_remarks(fit) == ()
    posterior = np.zeros_like(fit.posterior)
    posterior[:, 0], posterior[2] = 1, [0, 1]
    alone = replace(fit, posterior=posterior)
    assert single_remarks(alone) == ("Cluster 2 holds one group, a|b: its regressions are that group's own.",)
    assert "Cluster 2 holds one group, a|b: its regressions are that group's own." in repr(alone)
    partly = replace(alone, path=replace(fit.path, equal=np.ones_like(fit.path.equal)))
    assert single_remarks(partly)[0].endswith("own but for those that are the same in all clusters.")


def with_coefficients(fit: MixtureFit, first: list[float], second: list[float]) -> MixtureFit:
    """Two regressions of the same two clusters."""
    model = "y ~ x; z ~ x"
    names = ["x", "y", "z"]
    given = FactorMoments.from_covariances([np.eye(3)] * 8, n=[90] * 8, factors=names, groups=fit.groups)
    one = StructuralMixture(model, k=1).fit(given)
    assert isinstance(one, MixtureFit)
    B = np.zeros((2, 3, 3))
    for r, values in enumerate((first, second)):
        B[:, one.path.outcome[r], one.path.predictor[r]] = values
    return replace(one, B=B, proportions=fit.proportions, posterior=fit.posterior)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            [0.1, 0.5],
            [0.2, 0.3],
            "most in y ~ x: from 0.10 in cluster 1 to 0.50 in cluster 2. They differ least",
        ),
        ([0.1, 0.5], [-0.031, -0.029], "in cluster 2. They hardly differ in z ~ x: −0.03 in all of them."),
        ([0.1, 0.5], [0.002, -0.003], "They hardly differ in z ~ x: 0.00 in all of them."),
        ([0.101, 0.103], [0.3, 0.3001], "The clusters hardly differ in any regression."),
    ],
)
def test_differences_that_nobody_reads_are_none(
    fit: MixtureFit, first: list[float], second: list[float], said: str
) -> None:
    assert said in difference_words(with_coefficients(fit, first, second))


def test_one_cluster_differs_from_nothing(selection: MixtureSelection) -> None:
    assert difference_words(selection[1]) == ""
    assert difference_words(selection[2]).startswith("The clusters differ in y ~ x: from ")


def test_the_membership_table_is_sorted_and_complete(fit: MixtureFit) -> None:
    frame = membership_table(fit).to_pandas()
    assert frame["cluster"].is_monotonic_increasing
    assert sorted(frame["group"]) == sorted(map(str, fit.groups))
    for row in frame.itertuples():
        g = [str(x) for x in fit.groups].index(row.group)
        assert [row.p1, row.p2] == fit.posterior[g].tolist()


def test_one_cluster_lists_no_members(selection: MixtureSelection) -> None:
    text = repr(selection[1])
    assert "1 cluster of 8 groups" in text
    assert "Groups of each cluster" not in text
    assert "Entropy" not in text


def test_warnings_are_shown_with_their_names(fit: MixtureFit) -> None:
    marked = replace(fit, notices=(Notice(HeywoodWarning, "V1 in <Peru> is below zero."),))
    assert "Warnings\n  HeywoodWarning [MX201]\n    V1 in <Peru> is below zero." in repr(marked)
    assert "V1 in &lt;Peru&gt; is below zero." in marked._repr_html_()
    assert "Warnings" not in repr(replace(fit, notices=()))


def test_html_of_the_notebook_escapes_labels(fit: MixtureFit) -> None:
    page = summarize_html(fit)
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; Co" in page
    assert "<b>bold" not in page
    assert f"{fit.coefficients[0, 0]:.3f}" in page


# --- a selection ----------------------------------------------------------------------------------------------


def test_the_selection_table(whole: MixtureSelection) -> None:
    table = selection_table(whole)
    frame = table.to_pandas()
    assert repr(whole.table) == repr(table)
    for name, column in frame.items():
        expected = [float(row[str(name)]) for row in whole.rows()]
        np.testing.assert_array_equal(column.to_numpy(dtype=float), expected)
    text = table.to_text()
    for fit in whole.fits:
        assert f"{fit.loglik:,.2f}" in text
        assert f"{fit.criteria_observed.bic_g:,.1f}" in text


def test_the_choice_of_each_criterion_is_emphasised(whole: MixtureSelection) -> None:
    table = selection_table(whole)
    for j, column in enumerate(table.columns):
        marked = [fit.k for i, fit in enumerate(whole.fits) if table.strong(i, j)]
        choice = whole.choices.get(column.name)
        assert marked == ([] if choice is None else [choice])


def test_given_covariances_have_one_log_likelihood(selection: MixtureSelection) -> None:
    names = [column.name for column in selection_table(selection).columns]
    assert "bic_g" in names
    assert not [name for name in names if name.endswith("_observed")]


def test_words_for_the_choices(selection: MixtureSelection) -> None:
    other = with_logliks(selection, [-500.0, -300.0, -299.5, -299.2], [-900.0, -890.0, -700.0, -699.9])
    assert other.choices["chull"] == 2
    assert other.choices["chull_observed"] == 3
    lines = dict(choice_lines(other))
    assert "CHull (factors)" in lines["2 clusters"]
    assert "CHull (indicators)" in lines["3 clusters"]
    assert "BIC_G (factors)" in lines["2 clusters"]
    assert sum(text.count("AIC3") for text in lines.values()) == 2
    assert "factors" not in " ".join(text for _, text in choice_lines(selection))


def test_no_choice_of_chull_is_said(selection: MixtureSelection) -> None:
    two = MixtureSelection(selection.fits[:2])
    assert ("no choice", "CHull") in choice_lines(two)
    assert any("fewer than three models on the hull" in text for text in choice_remarks(two))


def test_wanting_the_largest_number_is_said(selection: MixtureSelection) -> None:
    steady = with_logliks(selection, [-500.0, -400.0, -300.0, -201.0], [-900.0, -800.0, -700.0, -601.0])
    first = choice_remarks(steady)[0]
    assert first.startswith("AIC, AIC3, BIC_G, BIC_N and ICL prefer 4, the largest number tried")
    settled = with_logliks(selection, [-500.0, -300.0, -299.9, -299.8], [-900.0, -700.0, -699.9, -699.8])
    assert not any("largest number" in text for text in choice_remarks(settled))


def test_a_falling_log_likelihood_is_said(selection: MixtureSelection) -> None:
    local = with_logliks(selection, [-500.0, -300.0, -310.0, -290.0], [-900.0, -700.0, -690.0, -680.0])
    assert any("falls from 2 to 3 clusters" in t and "more starts for 3" in t for t in choice_remarks(local))
    harmless = with_logliks(selection, [-500.0, -300.0, -290.0, -285.0], [-900.0, -700.0, -705.0, -680.0])
    said = [t for t in choice_remarks(harmless) if "falls" in t]
    assert len(said) == 1
    assert said[0].startswith("log L of the indicators falls from 2 to 3 clusters. That can happen")


def test_scree_ratios_are_said(selection: MixtureSelection) -> None:
    other = with_logliks(selection, [-500.0, -300.0, -260.0, -250.0], [-900.0, -700.0, -690.0, -680.0])
    ratio = other.hull.ratio
    said = next(t for t in choice_remarks(other) if t.startswith("Scree ratios"))
    assert f"{ratio[1]:.2f} for 2 clusters, then {ratio[2]:.2f} for 3 (factors)" in said
    assert "CHull cannot choose 1 or 4" in said


def test_the_console_shows_a_selection(selection: MixtureSelection) -> None:
    text = repr(selection)
    assert text.startswith("Mixture of structural models with 1 to 4 clusters of 8 groups")
    assert "What the criteria choose" in text
    assert "<ul><li>" in selection._repr_html_()
    with_gap = MixtureSelection((selection[1], selection[4]))
    assert "with 1 and 4 clusters" in repr(with_gap)


# --- a measurement model --------------------------------------------------------------------------------------


def test_the_console_shows_a_measurement_model(measurement: MeasurementFit) -> None:
    text = repr(measurement)
    assert text.startswith("Multigroup confirmatory factor analysis: 3 factors, 15 items, 6 groups\n")
    assert re.search(r"Equal over groups +loadings; free: F1 =~ V2\n", text)
    assert re.search(rf"People +{measurement.nobs}; groups of 120 people each\n", text)
    measures = measurement.blocks[1].measures
    row = next(line for line in text.splitlines() if line.startswith("F2 "))
    shown = [f"{measures.chisq:,.2f}", f"{measures.df}", f"{measures.pvalue:.3f}", f"{measures.cfi:.3f}"]
    assert row.split()[1:5] == shown


def test_loadings_once_if_shared_and_their_range_if_not(measurement: MeasurementFit) -> None:
    table = next(part for part in summary(measurement).parts if getattr(part, "title", "") == "Loadings")
    frame = table.to_pandas().set_index("item")  # type: ignore[union-attr]
    free = measurement.Lambda[:, measurement.items.index("V2"), 0]
    assert frame.loc["V2", "estimate"] == np.median(free)
    assert (frame.loc["V2", "lowest"], frame.loc["V2", "highest"]) == (free.min(), free.max())
    assert frame.loc["V2", "remark"] == "differs over groups"
    assert frame.loc["V3", "estimate"] == measurement.Lambda[0, measurement.items.index("V3"), 0]
    assert np.isnan(frame.loc["V3", "lowest"])
    assert frame.loc["V1", "remark"] == "fixed"
    g, j = 0, measurement.items.index("V3")
    Lambda, Theta, Phi = measurement.Lambda[g], measurement.Theta[g], measurement.Phi[g]
    single = Lambda[j, 0] * np.sqrt(Phi[0, 0] / (Lambda[j] @ Phi @ Lambda[j] + Theta[j, j]))
    assert frame.loc["V3", "standardized"] == pytest.approx(single, abs=0.1)


def test_saturated_means_are_counted_in_step_1_and_nowhere_else(
    measurement: MeasurementFit, whole: MixtureSelection
) -> None:
    free = 15 - 3 + 5 + 6 * (15 + 3)  # loadings, the one that is free in six groups, unique and factor variances
    assert f"{free + 6 * 15} free parameters, means of the items included" in repr(measurement)
    assert selection_table(whole).notes[0].endswith("P: free parameters, means not counted.")


# --- factor moments -------------------------------------------------------------------------------------------


def test_the_console_shows_factor_moments(measurement: MeasurementFit) -> None:
    moments = factor_moments(measurement)
    text = repr(moments)
    assert text.startswith("Factor covariances: 3 factors in 6 groups\n")
    assert re.search(r"People +720; groups of 120 people each\n", text)
    assert re.search(r"Measured by +15 items\n", text)
    assert re.search(r"Repaired groups +none\n", text)
    factors, correlations = (part for part in summary(moments).parts if isinstance(part, Table))
    frame = factors.to_pandas().set_index("factor")
    for q, factor in enumerate(moments.factors):
        for name, values in (("variance", moments.Phi[:, q, q]), ("reliability", moments.reliability[:, q])):
            shown = frame.loc[factor, [f"{name}_mean", f"{name}_lowest", f"{name}_highest"]].tolist()
            assert shown == [values.mean(), values.min(), values.max()]
    r = moments.Phi[:, 0, 2] / np.sqrt(moments.Phi[:, 0, 0] * moments.Phi[:, 2, 2])
    row = correlations.to_pandas().set_index("factors").loc["F1, F3"]
    np.testing.assert_allclose(row.tolist(), [r.mean(), r.min(), r.max()])
    assert "<h3>Factor covariances: 3 factors in 6 groups</h3>" in moments._repr_html_()


def test_repaired_groups_are_those_of_step_2(measurement: MeasurementFit) -> None:
    before = Notice(NonPositiveDefiniteWarning, "the items of 1 are collinear", (1,))
    after = Notice(NonPositiveDefiniteWarning, "the matrix of 2 and 5 was repaired", (2, 5))
    step1 = replace(measurement, notices=(before,))
    moments = replace(factor_moments(measurement), measurement=step1, notices=(before, after))
    text = repr(moments)
    assert re.search(r"Repaired groups +2: 2, 5\n", text)
    assert "the items of 1 are collinear" in text and "the matrix of 2 and 5 was repaired" in text


def test_given_covariances_have_no_reliability() -> None:
    given = FactorMoments.from_covariances(np.ones((2, 1, 1)), n=[5, 7], factors=["<f>"], groups="ab")
    text = repr(given)
    assert "nothing: covariances were given" in text
    assert "Reliability" not in text and "Correlations" not in text and "Repaired" not in text
    assert "&lt;f&gt;" in given._repr_html_()


# --- the parts ------------------------------------------------------------------------------------------------


def test_other_things_are_refused() -> None:
    with pytest.raises(OptionError, match=r"summary\(\) got int"):
        summary(3)


def test_lines_are_wrapped_between_names_not_within() -> None:
    names = [f"South\N{NO-BREAK SPACE}Land\N{NO-BREAK SPACE}{i}" for i in range(30)]
    text = Listing("T", (("Cluster 1", ", ".join(names)),), stacked=True).to_text(60)
    assert all(len(line) <= 60 for line in text.splitlines())
    assert all(re.fullmatch(r" +(South Land \d+,? ?)+", line) for line in text.splitlines()[2:])


def test_sentences_as_points() -> None:
    prose = Prose("Remember", ("one " * 30, "a < b"), bullets=True)
    lines = prose.to_text(50).splitlines()
    assert [line[:2] for line in lines] == [*[lines[0][:2]], "- ", "  ", "  ", "- "]
    assert prose.to_html().endswith("<li>a &lt; b</li></ul>")


@pytest.mark.parametrize(
    ("words", "joined"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_joined(words: list[str], joined: str) -> None:
    assert join(words) == joined
