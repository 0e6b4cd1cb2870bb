# Reference numbers for ordered items: thresholds, polychoric and polyserial correlations, their asymptotic covariance,
# and factor models by WLSMV, made with lavaan.
#
#   Rscript tests/reference/ordinal.R            (from anywhere; writes ordinal.json beside this file; 3 s)
#
# Data: HolzingerSwineford1939, which ships with lavaan, its items cut at their quantiles (type 7), upper end included.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
suppressMessages({
  library(lavaan)
  library(jsonlite)
})

hs <- HolzingerSwineford1939
hs_items <- paste0("x", 1:9)
cut_at <- function(frame, items, at) {
  for (x in items) {
    frame[[x]] <- as.integer(cut(frame[[x]], c(-Inf, quantile(frame[[x]], at), Inf)))
  }
  frame
}
three <- "
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"

MEASURES <- c(
  "chisq", "df", "pvalue", "chisq.scaled", "df.scaled", "pvalue.scaled", "chisq.scaling.factor", "cfi", "tli", "rmsea",
  "cfi.scaled", "tli.scaled", "rmsea.scaled", "rmsea.ci.lower.scaled", "rmsea.ci.upper.scaled", "srmr",
  "baseline.chisq", "baseline.chisq.scaled", "baseline.df", "npar"
)
CASES <- list()

# The upper triangle of a symmetric matrix, row by row.
half <- function(x) unname(t(x)[lower.tri(x, diag = TRUE)])

# One group's statistics in lavaan's order: thresholds (minus the mean of a continuous item), variances of continuous
# items, then (co)variances below the diagonal column by column.
statistics_of <- function(fit, g) {
  list(
    th = unname(fit@SampleStats@th[[g]]), th_idx = fit@SampleStats@th.idx[[g]], mean = unname(fit@SampleStats@mean[[g]]),
    cov = unname(fit@SampleStats@cov[[g]]), gamma = half(fit@SampleStats@NACOV[[g]]),
    wls_v_diagonal = unname(diag(as.matrix(lavInspect(fit, "WLS.V", drop.list.single.group = FALSE)[[g]])))
  )
}

case <- function(name, syntax, frame, at, ordered, group = NULL, group_equal = character(), rows = NULL, note = "",
                 estimator = "WLSMV") {
  cutting <- cut_at(frame, ordered, at)
  if (!is.null(group)) cutting <- cutting[order(as.character(cutting[[group]])), ]
  arguments <- list(model = syntax, data = cutting, ordered = ordered, estimator = estimator)
  if (!is.null(group)) arguments$group <- group
  if (length(group_equal)) arguments$group.equal <- group_equal
  fit <- do.call("cfa", arguments)
  measures <- fitMeasures(fit)
  found <- as.list(measures[intersect(MEASURES, names(measures))])
  table <- parTable(fit)
  cat(sprintf("%-22s chisq %9.5f df %3d\n", name, found$chisq, found$df))
  CASES[[length(CASES) + 1L]] <<- list(
    name = name, syntax = I(strsplit(trimws(syntax), "\n")[[1]]), at = I(at), ordered = I(ordered),
    group = group, groups = I(lavInspect(fit, "group.label")), group_equal = I(group_equal), rows = nrow(frame),
    estimator = estimator, note = note, n = I(unname(unlist(fit@SampleStats@nobs))), fit = found,
    statistics = if (estimator == "WLSMV") lapply(seq_along(fit@SampleStats@nobs), function(g) statistics_of(fit, g)),
    parameters = list(
      lhs = table$lhs, op = table$op, rhs = table$rhs, group = table$group, free = table$free, est = table$est,
      se = table$se
    )
  )
}

quartiles <- c(0.25, 0.5, 0.75)
case("quartiles", three, hs, quartiles, hs_items)
case("quartiles_school", three, hs, quartiles, hs_items, group = "school", group_equal = "loadings")
case("quartiles_wls", three, hs, quartiles, hs_items, estimator = "WLS")
case("mixed", three, hs, quartiles, hs_items[4:9], note = "x1, x2, x3 continuous")
case("mixed_school", three, hs, c(0.3, 0.8), c("x1", "x4", "x5", "x8"), group = "school", group_equal = "loadings")
case("binary", three, hs, 0.6, hs_items)
case("one_factor", "F =~ x4 + x5 + x6 + x1", hs, c(0.05, 0.5, 0.9), c("x4", "x5", "x6", "x1"), note = "empty cells")
case("binary_empty_cell", "F =~ x4 + x5 + x6", hs[1:60, ], 0.93, c("x4", "x5", "x6"), note = "one empty cell of 2 x 2")

write_json(
  list(made_by = "ordinal.R", lavaan = as.character(packageVersion("lavaan")), cases = CASES),
  file.path(here, "ordinal.json"),
  digits = I(11), auto_unbox = TRUE, null = "null", na = "null"
)
