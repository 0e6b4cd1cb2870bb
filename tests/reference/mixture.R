# Reference numbers for Step 3 without a mixture, made with lavaan: structural models with regressions equal over
# groups and group-specific (co)variances, fitted to given factor covariance matrices. This is the mixture with one
# cluster, and, for the groups of one true cluster, with a known partition.
#
#   Rscript tests/reference/mixture.R          (after mgcfa_24groups.R; writes mixture.json)
#
# The factor covariances are those of mgcfa_24groups.json (sam$phi); the group sizes are made unequal here.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
source(file.path(here, "common.R"))

measured <- fromJSON(file.path(here, "mgcfa_24groups.json"))
groups <- measured$groups
factors <- measured$factors
sizes <- 60L + 20L * ((seq_along(groups) * 7L) %% 24L)
phi <- lapply(seq_along(groups), function(g) {
  structure(measured$sam$phi[g, , ], dimnames = list(factors, factors))
})
names(phi) <- groups
cluster <- rep(1:2, length.out = length(groups))   # as simulated in mgcfa_24groups.R

loglik_of_group <- function(s, sigma, n) {
  -n / 2 * (nrow(s) * log(2 * pi) + as.numeric(determinant(sigma)$modulus) + sum(solve(sigma) * s))
}

# psi: exogenous and residual (co)variances per group; the regressions are the same in all groups.
fit_structural <- function(name, syntax, use = seq_along(groups)) {
  arguments <- list(
    model = syntax, sample.cov = phi[use], sample.nobs = sizes[use], sample.cov.rescale = FALSE,
    meanstructure = FALSE, fixed.x = FALSE, group.equal = "regressions"
  )
  fit <- fit_precisely(arguments, fun = "sem")
  observed <- quietly("sem", c(arguments, list(
    start = parTable(fit), check.start = FALSE, optim.method = "none", optim.force.converged = TRUE,
    information = "observed"
  )))
  sigma <- lapply(lavInspect(fit, "cov.ov"), function(x) unclass(x)[factors, factors])
  loglik <- mapply(loglik_of_group, phi[use], sigma, sizes[use])
  stopifnot(abs(sum(loglik) - fitMeasures(fit, "logl")) < 1e-6, !lavInspect(fit, "meanstructure"))
  p <- parTable(fit)
  p$se_observed <- parTable(observed)$se
  slopes <- p[p$op == "~" & p$group == 1, ]
  psi <- lapply(lavInspect(fit, "est"), function(x) digits12(unname(unclass(x$psi)[factors, factors])))
  cat(sprintf("%-28s logl %.8f npar %d gradient %.1e  %s\n", name, sum(loglik), fitMeasures(fit, "npar"),
    gradient_size(fit), paste0(slopes$lhs, "~", slopes$rhs, " ", round(slopes$est, 4), collapse = "  ")))
  list(
    name = name, syntax = strsplit(trimws(syntax), "\n")[[1]], groups = groups[use], loglik = sum(loglik),
    loglik_per_group = unname(loglik), npar = fitMeasures(fit, "npar")[[1]], chisq = fitMeasures(fit, "chisq")[[1]],
    df = fitMeasures(fit, "df")[[1]],
    regressions = list(
      lhs = slopes$lhs, rhs = slopes$rhs, est = digits12(slopes$est), se_expected = digits12(slopes$se),
      se_observed = signif(slopes$se_observed, 8)
    ),
    psi = unname(psi), max_gradient = gradient_size(fit)
  )
}

chain <- "
F3 ~ F1 + F2
F4 ~ F1 + F3"
two_outcomes <- "
F3 ~ F1 + F2
F4 ~ F1 + F2
F3 ~~ F4"
seemingly_unrelated <- "
F3 ~ F1 + F2
F4 ~ F1
F3 ~~ F4"
saturated <- "
F3 ~ F1 + F2
F4 ~ F1 + F2 + F3"

write_small(
  list(
    about = about("mixture.R"), data = "mgcfa_24groups.json, sam$phi", group_labels = groups, factors = factors,
    n = sizes, true_cluster = cluster,
    loglik = "sum over groups of -N/2 (Q log 2 pi + log det Sigma + tr(Sigma^-1 Phi)), Q = 4",
    cases = list(
      fit_structural("chain", chain),
      fit_structural("chain_cluster_1", chain, which(cluster == 1)),
      fit_structural("chain_cluster_2", chain, which(cluster == 2)),
      fit_structural("two_outcomes", two_outcomes),
      fit_structural("seemingly_unrelated", seemingly_unrelated),
      fit_structural("all_regressions", saturated)
    )
  ),
  file.path(here, "mixture.json")
)
