"""Small fits of mixed models and what follows from them, and of power: the rest of the table in `kinds`."""

from __future__ import annotations

import numpy as np

import mixsem as mx
from mixsem.report import generalised_report, mixed_results

from .kinds import birds, kind, sleep

# --- mixed models ----------------------------------------------------------------------------------------


@kind
def mixed_fit() -> object:
    return mx.lmer("Reaction ~ Days + (Days | Subject)", sleep())


@kind
def mixed_fit_of_everything() -> object:
    table = birds().assign(weight2=np.linspace(1, 2, 160), off=0.1)
    table.loc[[3, 8], "x"] = np.nan
    return mx.lmer(
        "log(weight) ~ poly(x, 2) * C(kind) + offset(off) + (1 | place) + (0 + x | kind)",
        table,
        weights=table["weight2"],
        offset=np.linspace(0, 1, 160),
        reml=False,
    )


@kind
def mixed_fit_with_residuals() -> object:
    table = sleep().assign(week=sleep()["Days"] > 4)
    residual = mx.Residual(by="week", ar1=("Subject", "Days"))
    return mx.lmer("Reaction ~ Days + (1 | Subject)", table, residual=residual)


@kind
def mixed_fit_of_another_response() -> object:
    return mixed_fit().refit(np.sqrt(sleep()["Reaction"].to_numpy()))


@kind
def mixed_fit_with_penalty() -> object:
    return mx.lmer("Reaction ~ Days + (Days | Subject)", sleep(), penalty="wishart")


@kind
def generalised_fit() -> object:
    return mx.glmer("count ~ x + offset(log(area)) + (1 | place)", birds(), family="poisson")


@kind
def generalised_fit_of_proportions() -> object:
    return mx.glmer("cbind(seen, missed) ~ x * kind + (1 | place)", birds(), family="binomial", n_agq=5)


@kind
def generalised_fit_with_dispersion() -> object:
    return mx.glmer("weight ~ x + (1 | place)", birds(), family="gamma", link="log")


@kind
def generalised_fit_of_negative_binomial_counts() -> object:
    return mx.glmer("count ~ x + (1 | place)", birds(), family="negative binomial")


@kind
def generalised_fit_of_inverse_gaussian_times() -> object:
    return mx.glmer("weight ~ x + (1 | place)", birds(), family="inverse gaussian")


@kind
def generalised_fit_with_another_link() -> object:
    return mx.glmer("weight ~ x + (1 | place)", birds(), family="gaussian", link="log", n_agq=0)


@kind
def generalised_results() -> object:
    return generalised_report.generalised_results(generalised_fit())


@kind
def generalised_fit_of_another_response() -> object:
    return generalised_fit().refit(generalised_fit().simulate(1, seed=1)[:, 0])


@kind
def var_corr() -> object:
    return mixed_fit().varcorr


@kind
def random_effects() -> object:
    return mixed_fit().ranef


@kind
def profile() -> object:
    return mx.profile(mx.lmer("Reaction ~ Days + (1 | Subject)", sleep()), "sigma", points=2)


@kind
def generalised_profile() -> object:
    return mx.profile(generalised_fit(), "x", points=2)


@kind
def confidence_intervals() -> object:
    return mx.confint(mixed_fit(), method="wald")


@kind
def mixed_bootstrap() -> object:
    return mx.bootstrap(mx.lmer("Reaction ~ Days + (1 | Subject)", sleep()), n=4, seed=1)


@kind
def all_fit() -> object:
    return mx.all_fit(mx.lmer("Reaction ~ Days + (1 | Subject)", sleep()))


@kind
def implied_covariance() -> object:
    return mx.implied_cov(mixed_fit(), 308)


@kind
def convergence_check() -> object:
    return mx.check_convergence(mixed_fit())


@kind
def contrast() -> object:
    return mx.contrast(mixed_fit(), {"Days": 1})


@kind
def marginal_means() -> object:
    return mx.emmeans(mixed_fit_of_everything(), "kind")


@kind
def mixed_r2() -> object:
    return mx.r2(mixed_fit())


@kind
def aic_table() -> object:
    return mx.aic_table(mixed_fit(), mixed_fit().update("Reaction ~ Days + (1 | Subject)"))


@kind
def growth_curve() -> object:
    return mx.growth_curve(mx.lmer("Reaction ~ Days + (Days | Subject)", sleep()))


@kind
def supported_model() -> object:
    return mx.supported_model("Reaction ~ Days + (Days | Subject)", sleep())


@kind
def alternatives() -> object:
    return mx.alternatives(mixed_fit())


@kind
def pooling_comparison() -> object:
    return mx.compare_pooling(mixed_fit())


@kind
def design_audit() -> object:
    return mx.check_design("Reaction ~ Days + (1 | week)", sleep().assign(week=sleep()["Days"] > 4))


@kind
def guided_report() -> object:
    return mx.guided_report(mx.lmer("Reaction ~ Days + (1 | Subject)", sleep()))


@kind
def power_result() -> object:
    population = mx.simulate.Population(n_groups=12, group_size=50, n_clusters=2)
    return mx.power(population, n_groups=12, group_size=50, replications=1, n_starts=2, seed=1, workers=1)


@kind
def truth() -> object:
    return mx.simulate.draw_truth(mx.simulate.Population(n_groups=12, n_clusters=2), seed=1)


@kind
def generalised_guided_report() -> object:
    return mx.guided_report(generalised_fit())


@kind
def missing_report() -> object:
    table = sleep().copy()
    table.loc[[3, 8], "Reaction"] = np.nan
    return mx.check_missing("Reaction ~ Days + (1 | Subject)", table)


@kind
def sensitivity() -> object:
    fit = mx.lmer("Reaction ~ Days + (1 | Subject)", sleep())
    return mx.sensitivity(fit, [sleep(), sleep().assign(Reaction=sleep()["Reaction"] + 1.0)])


@kind
def gee_fit() -> object:
    return mx.gee("Reaction ~ Days", sleep(), cluster="Subject")


@kind
def within_fit() -> object:
    return mx.within("Reaction ~ Days + (1 | Subject)", sleep())


@kind
def within_between() -> object:
    return mx.within_between("weight ~ x + (1 | place)", birds())


@kind
def robust_regression() -> object:
    return mx.cluster_robust("Reaction ~ Days", sleep(), cluster="Subject")


@kind
def conditional_aic() -> object:
    return mx.caic(mixed_fit())


@kind
def cross_validation() -> object:
    return mx.cross_validate("Reaction ~ Days + (1 | Subject)", data=sleep(), folds=2)


@kind
def variance_shares() -> object:
    return mx.variance_shares(mixed_fit())


@kind
def own_population() -> object:
    population = mx.simulate.OwnPopulation(
        measurement="trust =~ t1 + t2 + t3; fear =~ f1 + f2 + f3",
        structural="fear ~ trust",
        coefficients=({"fear ~ trust": -0.4}, {"fear ~ trust": 0.0}),
        n_groups=12,
        loadings=0.7,
        reliability=None,
        unique_variances=0.5,
    )
    return mx.simulate.draw_truth(population, seed=1)


@kind
def icc() -> object:
    return mx.icc(mixed_fit())


@kind
def mixed_comparison() -> object:
    return mx.compare(mixed_fit(), mixed_fit().update("Reaction ~ Days + (1 | Subject)"))


@kind
def quadrature_check() -> object:
    return mx.check_quadrature(generalised_fit())


@kind
def kenward_roger() -> object:
    return mixed_results.mixed_results(mixed_fit(), ddf="kenward-roger", anova=True)
