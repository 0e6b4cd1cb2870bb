# Penalised fits by blme: covariance priors on the scale of the residual variance (common.scale = TRUE, the default).
# Run from this folder: Rscript penalties.R  ->  penalties.json
suppressPackageStartupMessages({library(lme4); library(blme); library(nloptr); library(jsonlite)})
# blme's own search often stops far from the optimum of its criterion; so that is minimised here, from several starts.
polish <- function(devfun, n) {
  starts <- list(diag_start(n, 1), diag_start(n, 0.3), diag_start(n, 0.1))
  found <- lapply(starts, function(start) {
    for (i in 1:3) start <- nloptr::bobyqa(start, devfun, lower = lower_of(n), control = list(xtol_rel = 1e-13, maxeval = 1e5))$par
    start
  })
  values <- sapply(found, devfun)
  found[[which.min(values)]]
}
lower_of <- function(n) if (n == 3) c(1e-6, -Inf, 1e-6) else rep(1e-6, n)
diag_start <- function(n, by) if (n == 3) c(by, 0, by) else rep(by, n)

fit_one <- function(data, file, formula, prior, ours, reml) {
  call <- bquote(blme::blmer(.(formula), data, REML = .(reml), cov.prior = .(prior), devFunOnly = TRUE))
  devfun <- eval(call)
  theta <- polish(devfun, length(environment(devfun)$pp$theta))
  penalised <- devfun(theta)
  start <- diag_start(length(theta), 1)
  at_start <- devfun(start) - lme4::lmer(formula, data, REML = reml, devFunOnly = TRUE)(start)
  # The same criterion without the prior, and what follows from theta, from lme4
  plain <- lme4::lmer(formula, data, REML = reml, devFunOnly = TRUE)
  criterion <- plain(theta)
  pp <- environment(plain)$pp
  df <- nrow(data) - if (reml) length(pp$beta(1)) else 0
  sigma <- sqrt((environment(plain)$resp$wrss() + pp$sqrL(1)) / df)
  list(
    data = file, formula = deparse1(formula), prior = deparse1(prior), kind = ours$kind, options = ours$options,
    reml = reml, theta = theta, sigma = sigma, beta = pp$beta(1), se = sigma * sqrt(diag(pp$unsc())),
    criterion = criterion, penalty = penalised - criterion, penalty_at_start = at_start
  )
}

wishart <- list(
  list(prior = quote(wishart), kind = "wishart", options = list(df = NULL)),
  list(prior = quote(wishart(df = 6)), kind = "wishart", options = list(df = 6)),
  list(prior = quote(wishart(scale = 0.5)), kind = "wishart", options = list(scale = 0.5))
)
gamma_ <- list(
  list(prior = quote(gamma), kind = "gamma", options = list(shape = 2.5)),
  list(prior = quote(gamma(shape = 2, rate = 0.5)), kind = "gamma", options = list(shape = 2, rate = 0.5))
)
sets <- list(
  list(file = "sleepstudy", formula = Reaction ~ Days + (Days | Subject), priors = wishart),
  list(file = "sleepstudy", formula = Reaction ~ Days + (Days || Subject), priors = c(wishart[1], gamma_)),
  list(file = "sleepstudy", formula = Reaction ~ Days + (1 | Subject), priors = c(wishart, gamma_)),
  list(file = "singular_slope", formula = y ~ x + (x | g), priors = wishart),
  list(file = "singular_intercept", formula = y ~ x + (1 | g), priors = c(wishart, gamma_)),
  list(file = "singular_intercept", formula = y ~ x + (1 | g) + (1 | h), priors = c(wishart[1], gamma_))
)
out <- list()
for (set in sets) {
  data <- read.csv(paste0(set$file, ".csv"))
  for (ours in set$priors) for (reml in c(TRUE, FALSE)) {
    out[[length(out) + 1]] <- fit_one(data, set$file, set$formula, ours$prior, ours, reml)
  }
}
versions <- sapply(c("blme", "lme4", "nloptr"), function(p) as.character(packageVersion(p)))
writeLines(toJSON(list(R = R.version.string, packages = as.list(versions), fits = out), digits = NA, auto_unbox = TRUE,
  null = "null"), "penalties.json")
