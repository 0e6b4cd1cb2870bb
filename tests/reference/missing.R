# Reference numbers for rows with missing values: saturated moments and full-information fits, made with lavaan.
#
#   Rscript tests/reference/missing.R          (from anywhere; writes missing.json beside this file)
#
# Data: HolzingerSwineford1939 with answers deleted by rules on row numbers (from 1) and on x1, so that any program
# can delete the same ones. lavaan's EM for the saturated moments is told to go on far beyond its default tolerance;
# the fits are refined by Fisher scoring steps until the gradient vanishes.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
source(file.path(here, "common.R"))

# With missing values lavaan's objective carries the weights of the groups already.
reduced_gradient <- function(model, fit) {
  gradient <- lavaan:::lav_model_gradient(
    model, lavsamplestats = fit@SampleStats, lavdata = fit@Data, group.weight = FALSE
  )
  k <- if (model@eq.constraints) model@eq.constraints.K else diag(length(gradient))
  list(k = k, gradient = drop(crossprod(k, gradient)))
}

ITEMS <- paste0("x", 1:9)
MODEL <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
EM <- list(em.h1.tol = 1e-14, em.h1.iter.max = 5000L)

few <- HolzingerSwineford1939
few$x5[seq(5, nrow(few), by = 5)] <- NA
few$x9[seq(7, nrow(few), by = 7)] <- NA

# Missing at random: x3 and x6 depend on x1, which is always there; one row without any answer.
many <- few
many$x3[many$x1 > 5.5] <- NA
many$x6[many$x1 < 4] <- NA
many$x2[seq(3, nrow(many), by = 11)] <- NA
many[10, ITEMS] <- NA

loglik_of <- function(x, mu, sigma) {
  sum(apply(as.matrix(x), 1, function(row) {
    o <- !is.na(row)
    if (!any(o)) return(0)
    d <- row[o] - mu[o]
    s <- sigma[o, o, drop = FALSE]
    -0.5 * (sum(o) * log(2 * pi) + as.numeric(determinant(s)$modulus) + sum(d * solve(s, d)))
  }))
}

polished <- function(arguments) {
  plain <- quietly("cfa", c(arguments, EM))
  stopifnot(lavInspect(plain, "converged"))
  precise <- quietly("cfa", c(arguments, EM, list(
    start = polish(plain), check.start = FALSE, optim.method = "none", optim.force.converged = TRUE, baseline = FALSE
  )))
  stopifnot(gradient_size(precise) < 1e-8, abs(fitMeasures(plain, "logl") - fitMeasures(precise, "logl")) < 1e-5)
  precise
}

# Standard errors from another information matrix at the same estimates.
errors_with <- function(fit, arguments, information) {
  again <- quietly("cfa", c(arguments, EM, list(
    start = parTable(fit), check.start = FALSE, optim.method = "none", optim.force.converged = TRUE,
    baseline = FALSE, information = information
  )))
  digits12(parTable(again)$se)
}

case <- function(name, frame, group = NULL, group_equal = character()) {
  arguments <- list(model = MODEL, data = frame, missing = "ml", meanstructure = TRUE)
  labels <- "all"
  if (!is.null(group)) {
    labels <- sort(unique(as.character(frame[[group]])))
    arguments$group <- group
    arguments$group.label <- labels
  }
  if (length(group_equal)) arguments$group.equal <- group_equal
  fit <- polished(arguments)
  h1 <- fit@SampleStats@missing.h1
  saturated <- lapply(seq_along(labels), function(g) {
    rows <- if (is.null(group)) frame else frame[frame[[group]] == labels[g], ]
    list(
      group = labels[g], n = fit@SampleStats@nobs[[g]],
      mean = digits12(as.numeric(h1[[g]]$mu)), cov = digits12(unname(h1[[g]]$sigma)),
      loglik = digits12(loglik_of(rows[ITEMS], as.numeric(h1[[g]]$mu), h1[[g]]$sigma))
    )
  })
  cat(sprintf("%-24s chisq %10.4f df %3d logl %12.4f h1 %12.4f\n", name, fitMeasures(fit, "chisq"),
    fitMeasures(fit, "df"), fitMeasures(fit, "logl"), fitMeasures(fit, "unrestricted.logl")))
  parameters <- parTable(fit)
  keep <- parameters$op %in% c("=~", "~~", "~1")
  errors <- lapply(c(observed = "observed", expected = "expected", first.order = "first.order"), function(kind) {
    errors_with(fit, arguments, kind)[keep]
  })
  parameters <- parameters[keep, ]
  list(
    name = name, group_equal = I(group_equal), groups = I(labels), saturated = saturated,
    fit = as.list(unclass(fitMeasures(fit, c("chisq", "df", "npar", "logl", "unrestricted.logl")))),
    parameters = list(
      lhs = parameters$lhs, op = parameters$op, rhs = parameters$rhs, group = labels[parameters$group],
      free = as.integer(parameters$free > 0), est = digits12(parameters$est), se = errors
    )
  )
}

out <- list(
  about = c(about("tests/reference/missing.R"), list(model = MODEL, deleted = list(
    few = "x5 on rows 5, 10, ...; x9 on rows 7, 14, ...",
    many = "as few; x3 where x1 > 5.5; x6 where x1 < 4; x2 on rows 3, 14, 25, ...; every item on row 10"
  ))),
  cases = list(
    case("few", few),
    case("many", many),
    case("many_school", many, "school"),
    case("many_school_scalar", many, "school", c("loadings", "intercepts"))
  )
)
write_small(out, file.path(here, "missing.json"))
