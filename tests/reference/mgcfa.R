# Reference numbers for multigroup confirmatory factor analysis, made with lavaan.
#
#   Rscript tests/reference/mgcfa.R            (from anywhere; writes mgcfa.json beside this file)
#
# Data: HolzingerSwineford1939 and PoliticalDemocracy, which ship with lavaan, and small data simulated below.
# All fits start from sample moments with divisor N, which the file stores too.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
source(file.path(here, "common.R"))

SOURCES <- list()
CASES <- list()

case <- function(name, syntax, source, group_equal = character(), group_partial = character(), std_lv = FALSE,
                 orthogonal = FALSE, means = length(SOURCES[[source]]$n) > 1L, note = "") {
  m <- SOURCES[[source]]
  arguments <- c(
    list(model = syntax, std.lv = std_lv, orthogonal = orthogonal, meanstructure = means),
    moment_arguments(m, means)
  )
  if (length(group_equal)) arguments$group.equal <- group_equal
  if (length(group_partial)) arguments$group.partial <- group_partial
  fit <- fit_precisely(arguments)
  cat(sprintf(
    "%-34s chisq %10.4f df %3d npar %3d logl %12.4f gradient %.1e\n", name, fitMeasures(fit, "chisq"),
    fitMeasures(fit, "df"), fitMeasures(fit, "npar"), fitMeasures(fit, "logl"), gradient_size(fit)
  ))
  entry <- list(
    name = name, syntax = I(strsplit(trimws(syntax), "\n")[[1]]), data = source, groups = I(m$groups),
    meanstructure = means, group_equal = I(group_equal), group_partial = I(group_partial),
    std_lv = std_lv, orthogonal = orthogonal, note = note
  )
  CASES[[length(CASES) + 1L]] <<- c(entry, results_of(fit))
  invisible(fit)
}

# ---- cases on data that ship with lavaan -----------------------------------------------------------------

hs <- HolzingerSwineford1939
hs_items <- paste0("x", 1:9)
# Groups in alphabetical order (lavaan's own order is that of appearance: Pasteur first).
schools <- c("Grant-White", "Pasteur")
SOURCES$hs <- moments_of(hs, hs_items)
SOURCES$hs_school <- moments_of(hs, hs_items, "school", schools)
SOURCES$hs_school_appearance <- moments_of(hs, hs_items, "school", rev(schools))

three <- "
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"
with_lines <- function(...) paste(c(three, ...), collapse = "\n")

f1 <- case("hs_single", three, "hs")
case("hs_single_means", three, "hs", means = TRUE, note = "with intercepts")
f2 <- case("hs_configural", three, "hs_school")
f3 <- case("hs_loadings", three, "hs_school", "loadings")
case("hs_loadings_partial", three, "hs_school", "loadings", c("visual =~ x3", "textual=~x6"))
case("hs_single_std_lv", three, "hs", std_lv = TRUE)
case("hs_configural_std_lv", three, "hs_school", std_lv = TRUE)
case("hs_loadings_std_lv", three, "hs_school", "loadings", std_lv = TRUE,
  note = "factor variances are 1 in the first group only")
case("hs_loadings_std_lv_appearance", three, "hs_school_appearance", "loadings", std_lv = TRUE,
  note = "as hs_loadings_std_lv with Pasteur as the first group")
extra <- "
visual =~ x1 + x2 + x3 + x9
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
x7 ~~ x8"
# (For one group this model is nearly unidentified, so a milder residual covariance takes its place.)
case("hs_crossloading_single", sub("x7 ~~ x8", "x2 ~~ x7", extra), "hs")
case("hs_crossloading_loadings", extra, "hs_school", "loadings")
case("hs_crossloading_residual_cov_equal", extra, "hs_school", c("loadings", "residual.covariances"),
  note = "negative unique variance of x8 in Grant-White")
one3 <- "visual =~ x1 + x2 + x3"
one4 <- "general =~ x1 + x2 + x3 + x9"
case("hs_one_factor_saturated", one3, "hs", note = "df = 0")
case("hs_one_factor_3_loadings", one3, "hs_school", "loadings")
case("hs_one_factor_4_configural", one4, "hs_school")
case("hs_one_factor_4_loadings", one4, "hs_school", "loadings")
labelled <- "
visual =~ x1 + c(a1,a2)*x2 + b*x3
textual =~ x4 + 0.8*x5 + c(1,NA)*x6
speed =~ x7 + x8 + x9"
case("hs_labels", labelled, "hs_school")
case("hs_labels_loadings", labelled, "hs_school", "loadings")
case("hs_label_within_group", "
visual =~ NA*x1 + l*x2 + l*x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
visual ~~ 1*visual", "hs", note = "one label on two loadings")
case("hs_label_within_and_across", "
visual =~ NA*x1 + l*x2 + l*x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
visual ~~ 1*visual", "hs_school", note = "one label on two loadings, both groups")
case("hs_labels_variances", "
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
visual ~~ v*visual
visual ~~ c(p,q)*textual
x1 ~~ c(e,e)*x1
x2 ~~ 1.1*x2", "hs_school")
case("hs_constraint", with_lines("visual ~~ s*visual", "speed ~~ t*speed", "s == 2*t"), "hs",
  note = "explicit linear constraint")
case("hs_orthogonal_pair", with_lines("visual ~~ 0*textual"), "hs_school", "loadings")
case("hs_orthogonal", three, "hs_school", "loadings", orthogonal = TRUE)
case("hs_residuals", three, "hs_school", c("loadings", "residuals"))
case("hs_lv_variances", three, "hs_school", c("loadings", "lv.variances"))
case("hs_residuals_lv_variances_covariances", three, "hs_school",
  c("loadings", "residuals", "lv.variances", "lv.covariances"))
case("hs_residuals_partial", three, "hs_school", c("loadings", "residuals"), c("x3 ~~ x3", "visual =~ x2"))
appearance <- "Pasteur is the first group, as in lavaan's own output for the raw data"
scalar <- c("loadings", "intercepts")
f12 <- case("hs_intercepts", three, "hs_school", scalar)
case("hs_intercepts_appearance", three, "hs_school_appearance", scalar, note = appearance)
case("hs_intercepts_std_lv", three, "hs_school", scalar, std_lv = TRUE)
f12p <- case("hs_intercepts_partial_appearance", three, "hs_school_appearance", scalar, c("x3 ~ 1", "x7 ~ 1"),
  note = appearance)
f12r <- case("hs_intercepts_residuals", three, "hs_school", c(scalar, "residuals"))
f12m <- case("hs_intercepts_residuals_means", three, "hs_school", c(scalar, "residuals", "means"))

pd_syntax <- "
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8"
SOURCES$political_democracy <- moments_of(PoliticalDemocracy, c(paste0("x", 1:3), paste0("y", 1:8)))
case("pd_measurement", pd_syntax, "political_democracy")
case("pd_residual_covariances", paste(pd_syntax, "y1 ~~ y5", "y2 ~~ y4 + y6", "y3 ~~ y7", "y4 ~~ y8", "y6 ~~ y8",
  sep = "\n"), "political_democracy")

# ---- improper solutions ----------------------------------------------------------------------------------

simulate_two_factors <- function(seed, n) {
  set.seed(seed)
  lambda <- matrix(0, 6, 2)
  lambda[1:3, 1] <- c(1, 1.4, .5)
  lambda[4:6, 2] <- 1
  sigma <- lambda %*% matrix(c(1, .4, .4, 1), 2) %*% t(lambda) + diag(c(1, .3, 1, 1, 1, 1))
  structure(as.data.frame(round(matrix(rnorm(n * 6), n) %*% chol(sigma), 4)), names = paste0("z", 1:6))
}
two <- "
f =~ z1 + z2 + z3
g =~ z4 + z5 + z6"
small <- simulate_two_factors(116, 60)   # a seed whose unique variance of z2 is clearly negative, yet well determined
large <- simulate_two_factors(1000, 150)
SOURCES$heywood <- moments_of(small, paste0("z", 1:6))
SOURCES$heywood_groups <- moments_of(
  rbind(cbind(site = "large", large), cbind(site = "small", small)), paste0("z", 1:6), "site", c("large", "small")
)
negative <- "negative unique variance of z2 in the small group"
heywood_fits <- list(
  case("heywood_single", two, "heywood", note = "negative unique variance of z2"),
  case("heywood_configural", two, "heywood_groups", note = negative),
  case("heywood_loadings", two, "heywood_groups", "loadings", note = negative)
)
stopifnot(sapply(heywood_fits, function(fit) min(coef(fit)[grep("^z2~~z2", names(coef(fit)))]) < 0))
case("hs_two_item_factor", "speed =~ x7 + x8 + x9\nvisual =~ x1 + x2", "hs", note = "a two-item factor")

# ---- structural after measurement on PoliticalDemocracy ---------------------------------------------------

regressions <- "
dem60 ~ ind60
dem65 ~ ind60 + dem60"
equal_over_time <- "
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + a*y2 + b*y3 + c*y4
dem65 =~ y5 + a*y6 + b*y7 + c*y8
y1 ~~ y5
y2 ~~ y4 + y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8"
sam_case <- function(name, measurement, blocks, method) {
  syntax <- paste0(measurement, regressions)
  arguments <- list(syntax, data = PoliticalDemocracy, mm.list = blocks, sam.method = method)
  fit <- quietly("sam", arguments)
  entry <- list(
    name = name, measurement = strsplit(trimws(measurement), "\n")[[1]],
    structural = strsplit(trimws(regressions), "\n")[[1]], data = "political_democracy", blocks = lapply(blocks, I),
    method = method, parameters = parameters_of(fit)
  )
  if (method == "local") {
    parts <- quietly("sam", c(arguments, list(output = "list")))
    entry$factor_cov <- list(factors = rownames(parts$VETA[[1]]), cov = digits12(unname(parts$VETA[[1]])))
    entry$mapping <- digits12(unname(parts$M[[1]]))
    entry$lambda_smallest_root <- parts$lambda[[1]]
    entry$reliability <- as.list(parts$REL[[1]])
  }
  p <- parTable(fit)
  slopes <- p[p$op == "~", ]
  variances <- p[p$op == "~~" & p$lhs == p$rhs & p$lhs %in% c("ind60", "dem60", "dem65"), "est"]
  cat(sprintf("%-26s", name), sprintf("%.4f (%.4f)", slopes$est, slopes$se), " psi", sprintf("%.4f", variances), "\n")
  entry
}
joint <- list("ind60", c("dem60", "dem65"))
separate <- list("ind60", "dem60", "dem65")
SAM <- list(
  sam_case("pd_local_two_blocks", pd_syntax, joint, "local"),
  sam_case("pd_global_two_blocks", pd_syntax, joint, "global"),
  sam_case("pd_local_three_blocks", pd_syntax, separate, "local"),
  sam_case("pd_global_three_blocks", pd_syntax, separate, "global"),
  sam_case("pd_local_equal_over_time", equal_over_time, joint, "local")
)

write_small(list(about = about("mgcfa.R"), data = SOURCES, cases = CASES, sam = SAM), file.path(here, "mgcfa.json"))
