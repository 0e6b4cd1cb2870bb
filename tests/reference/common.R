# Helpers of the reference scripts: fitting with lavaan to machine precision, checking its fit measures by hand,
# and storing the results. Sourced by mgcfa.R, mgcfa_24groups.R and mixture.R.
#
# Every fit is made with lavaan's defaults and then refined by Fisher scoring (polish) until the gradient
# vanishes; the two must agree, and the fit measures must equal the textbook formulas (check_by_hand).
suppressMessages({
  library(lavaan)
  library(jsonlite)
})

MEASURES <- c(
  "chisq", "df", "pvalue", "npar", "logl", "unrestricted.logl", "aic", "bic", "bic2", "cfi", "tli", "rmsea",
  "rmsea.ci.lower", "rmsea.ci.upper", "rmsea.pvalue", "srmr", "baseline.chisq", "baseline.df"
)

# ---- moments and fitting ---------------------------------------------------------------------------------

ml_cov <- function(x) cov(x) * (nrow(x) - 1) / nrow(x)

moments_of <- function(frame, items, group = NULL, groups = NULL) {
  parts <- if (is.null(group)) list(all = frame) else split(frame, as.character(frame[[group]]))[groups]
  list(
    items = items, groups = I(names(parts)), n = I(unname(sapply(parts, nrow))),
    mean = unname(lapply(parts, function(d) unname(colMeans(d[items])))),
    cov = unname(lapply(parts, function(d) unname(ml_cov(as.matrix(d[items])))))
  )
}

moment_arguments <- function(m, means_too = TRUE) {
  covs <- lapply(m$cov, function(s) structure(s, dimnames = list(m$items, m$items)))
  means <- lapply(m$mean, function(x) structure(x, names = m$items))
  if (length(covs) > 1L) {
    names(covs) <- names(means) <- m$groups
  } else {
    covs <- covs[[1]]
    means <- means[[1]]
  }
  out <- list(sample.cov = covs, sample.nobs = m$n, sample.cov.rescale = FALSE)
  if (means_too) out$sample.mean <- means
  out
}

# Gradient of F_ML / 2 (lavaan's objective) and information per observation, in the space left by the linear
# equality constraints x = K z + k0.
reduced_gradient <- function(model, fit) {
  gradient <- lavaan:::lav_model_gradient(model, lavsamplestats = fit@SampleStats, lavdata = fit@Data)
  k <- if (model@eq.constraints) model@eq.constraints.K else diag(length(gradient))
  list(k = k, gradient = drop(crossprod(k, gradient)))
}

information_at <- function(model, fit, kind) {
  options <- fit@Options
  options$information[] <- kind
  lavaan:::lav_model_information(
    lavmodel = model, lavsamplestats = fit@SampleStats, lavdata = fit@Data, lavoptions = options
  )
}

gradient_size <- function(fit) max(abs(reduced_gradient(fit@Model, fit)$gradient))

# lavaan stops with gradients near 1e-5; Fisher scoring from there reaches machine precision. Where the fitted
# matrices are far from the data it converges slowly, and Newton steps take over.
polish <- function(fit, scoring = 40L, newton = 20L) {
  model <- fit@Model
  for (i in seq_len(scoring + newton)) {
    at <- reduced_gradient(model, fit)
    if (max(abs(at$gradient)) < 1e-13) break
    information <- information_at(model, fit, if (i <= scoring) "expected" else "observed")
    step <- solve(crossprod(at$k, information %*% at$k), at$gradient)
    x <- lavaan:::lav_model_get_parameters(model) - drop(at$k %*% step)
    model <- lavaan:::lav_model_set_parameters(model, x = x)
  }
  table <- parTable(fit)
  table$est[table$free > 0] <- lavaan:::lav_model_get_parameters(model)[table$free[table$free > 0]]
  table
}

# lavaan prints a matrix when a solution is improper; the improper ones here are meant.
quietly <- function(fun, arguments) {
  capture.output(out <- suppressWarnings(do.call(fun, arguments)))
  out
}

fit_precisely <- function(arguments, fun = "cfa") {
  plain <- quietly(fun, arguments)
  stopifnot(lavInspect(plain, "converged"))
  settings <- list(
    start = polish(plain), check.start = FALSE, optim.method = "none", optim.force.converged = TRUE
  )
  precise <- quietly(fun, c(arguments, settings))
  precise@baseline <- plain@baseline   # without an optimiser the baseline model is not fitted either
  stopifnot(
    gradient_size(precise) < 1e-9,
    abs(fitMeasures(plain, "logl") - fitMeasures(precise, "logl")) < 1e-5,
    fitMeasures(plain, "npar") == fitMeasures(precise, "npar"),
    fitMeasures(plain, "df") == fitMeasures(precise, "df")
  )
  precise
}

# ---- the formulas, recomputed ----------------------------------------------------------------------------

rmsea_limit <- function(x2, df, probability) {
  if (df < 1 || pchisq(x2, df) < probability) return(0)
  uniroot(function(l) pchisq(x2, df, ncp = l) - probability, c(0, 4 * x2 + 100), tol = 1e-12)$root
}

check_by_hand <- function(fit) {
  f <- fitMeasures(fit)
  n <- unlist(fit@SampleStats@nobs)
  groups <- length(n)
  total <- sum(n)
  means <- lavInspect(fit, "meanstructure")
  srmr <- logl <- h1 <- baseline <- numeric(groups)
  for (g in seq_len(groups)) {
    s <- fit@SampleStats@cov[[g]]
    m <- as.numeric(fit@SampleStats@mean[[g]])
    sigma <- fit@implied$cov[[g]]
    mu <- if (means) as.numeric(fit@implied$mean[[g]]) else m
    p <- nrow(s)
    scale <- sqrt(diag(s))
    residual <- (s - sigma) / tcrossprod(scale)
    squares <- sum(residual[lower.tri(residual, diag = TRUE)]^2)
    elements <- p * (p + 1) / 2
    if (means) {
      squares <- squares + sum(((m - mu) / scale)^2)
      elements <- elements + p
    }
    srmr[g] <- sqrt(squares / elements)
    determinant_of <- function(x) as.numeric(determinant(x)$modulus)
    logl[g] <- -n[g] / 2 * (p * log(2 * pi) + determinant_of(sigma) + sum(solve(sigma) * s) +
      sum((m - mu) * solve(sigma, m - mu)))
    baseline[g] <- sum(log(diag(s))) - determinant_of(s)
    h1[g] <- -n[g] / 2 * (p * log(2 * pi) + determinant_of(s) + p)
  }
  df <- f[["df"]]
  x2 <- f[["chisq"]]
  rmsea <- if (df > 0) sqrt(max(x2 - df, 0) / (total * df)) * sqrt(groups) else 0
  lower <- if (df > 0) sqrt(rmsea_limit(x2, df, .95) / (total * df) * groups) else 0
  upper <- if (df > 0) sqrt(rmsea_limit(x2, df, .05) / (total * df) * groups) else 0
  excess <- x2 - df
  excess0 <- f[["baseline.chisq"]] - f[["baseline.df"]]
  cfi <- 1 - max(excess, 0) / max(excess, excess0, 0)
  tli <- if (df > 0) 1 - (excess / df) / (excess0 / f[["baseline.df"]]) else 1
  near <- function(a, b, tolerance = 1e-8) {
    if (!isTRUE(abs(a - b) < tolerance)) stop("by hand ", b, ", lavaan ", a)
  }
  near(f[["srmr"]], sum(n / total * srmr))
  near(f[["rmsea"]], rmsea)
  near(f[["cfi"]], cfi)
  near(f[["tli"]], tli)
  near(f[["rmsea.ci.lower"]], lower, 2e-5)   # lavaan's root finder stops at 1e-4 in the noncentrality
  near(f[["rmsea.ci.upper"]], upper, 2e-5)
  if (df > 0) near(f[["rmsea.pvalue"]], 1 - pchisq(x2, df, ncp = total * df * .05^2 / groups))
  near(f[["logl"]], sum(logl), 1e-6)
  near(f[["unrestricted.logl"]], sum(h1), 1e-6)
  near(f[["chisq"]], 2 * (sum(h1) - sum(logl)), 1e-6)
  near(f[["baseline.chisq"]], sum(n * baseline), 1e-6)
  near(f[["bic"]], -2 * sum(logl) + f[["npar"]] * log(total), 1e-6)
  near(f[["bic2"]], -2 * sum(logl) + f[["npar"]] * log((total + 2) / 24), 1e-6)
  c(rmsea.ci.lower.exact = lower, rmsea.ci.upper.exact = upper)
}

# ---- storing ---------------------------------------------------------------------------------------------

digits12 <- function(x) signif(unclass(x), 12)

parameters_of <- function(fit) {
  p <- parTable(fit)
  p <- p[p$op %in% c("=~", "~~", "~", "~1"), ]
  labels <- lavInspect(fit, "group.label")
  list(
    lhs = p$lhs, op = p$op, rhs = p$rhs, group = if (length(labels)) labels[p$group] else rep("all", nrow(p)),
    free = as.integer(p$free > 0), label = p$label, est = digits12(p$est), se = digits12(p$se)
  )
}

factor_matrices <- function(fit) {
  phi <- lavInspect(fit, "cov.lv")
  if (is.matrix(phi)) phi <- list(all = phi)
  lapply(phi, function(x) list(factors = rownames(x), cov = digits12(unname(unclass(x)))))
}

results_of <- function(fit) {
  exact <- check_by_hand(fit)
  f <- c(unclass(fitMeasures(fit, MEASURES)), exact)
  list(
    fit = as.list(f), parameters = parameters_of(fit), factor_cov = factor_matrices(fit),
    max_gradient = gradient_size(fit)
  )
}

write_small <- function(x, path, ...) {
  text <- toJSON(x, auto_unbox = TRUE, digits = NA, na = "null", null = "null", ...)
  writeLines(text, path)
  cat(sprintf("%s: %.0f kB\n", basename(path), file.size(path) / 1000))
}

about <- function(script) {
  list(
    made_by = script, R = R.version.string, lavaan = as.character(packageVersion("lavaan")),
    estimator = "ML, likelihood 'normal' (divisor N), standard errors from the expected information",
    optimiser = "nlminb with lavaan's defaults, then Fisher scoring to a gradient below 1e-9"
  )
}
