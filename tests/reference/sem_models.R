# The cases of sem.R, by table of the conformance list; sourced by it.

# ---- A: Holzinger and Swineford, one group ---------------------------------------------------------------

three <- "
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9"
hs_case <- function(name, ...) case(paste0("hs_", name), three, "hs", ...)
hs_case("ml", after = c("scores", "modindices", "residuals"))
hs_case("ml_means", list(meanstructure = TRUE), after = c("residuals", "modindices"))
hs_case("std_lv", list(std.lv = TRUE), after = "scores")
hs_case("orthogonal", list(orthogonal = TRUE), after = "modindices")
for (estimator in c("MLR", "MLM", "MLMV", "MLMVS", "GLS", "WLS", "ULS", "DWLS", "WLSMV", "ULSMV")) {
  hs_case(tolower(estimator), list(estimator = estimator), standardized = estimator %in% c("MLR", "GLS"))
}
hs_case("mlr_means", list(estimator = "MLR", meanstructure = TRUE), standardized = FALSE)
crossed <- paste0(three, "\nvisual =~ x9\nx2 ~~ x7")
case("hs_crossloading", crossed, "hs", after = "modindices")
case("hs_crossloading_mlr", crossed, "hs", list(estimator = "MLR"), standardized = FALSE)
case("hs_crossloading_mlm", crossed, "hs", list(estimator = "MLM"), standardized = FALSE)
shift("hs_ml", "hs_crossloading")
# (The method of 2010 gives a negative statistic here: the observed information of the larger model is indefinite
# at the estimates of the smaller one.)
shift("hs_mlr", "hs_crossloading_mlr", "satorra.bentler.2001")
for (method in c("satorra.bentler.2001", "satorra.bentler.2010")) shift("hs_mlm", "hs_crossloading_mlm", method)

for (estimator in c("MLMV", "MLMVS", "WLSMV")) {
  name <- paste0("hs_crossloading_", tolower(estimator))
  case(name, crossed, "hs", list(estimator = estimator), standardized = FALSE)
  shift(paste0("hs_", tolower(estimator)), name, "satorra.2000")
}
shift("hs_mlm", "hs_crossloading_mlm", "satorra.2000")

# ---- B: by school ----------------------------------------------------------------------------------------

school <- function(name, equal = character(), partial = character(), options = list(), ...) {
  if (length(equal)) options$group.equal <- equal
  if (length(partial)) options$group.partial <- partial
  case(paste0("school_", name), three, "hs", options, group = "school", ...)
}
loadings <- "loadings"
scalar <- c("loadings", "intercepts")
strict <- c(scalar, "residuals")
school("configural", after = "residuals")
school("loadings", loadings, after = c("score_test", "scores"))
school("intercepts", scalar, after = c("score_test", "modindices", "scores"))
school("residuals", strict, standardized = FALSE)
school("means", c(strict, "means"), standardized = FALSE)
school("partial", scalar, c("x3 ~ 1", "x7 ~ 1"), after = "score_test")
school("std_lv", options = list(std.lv = TRUE), standardized = FALSE)
school("loadings_std_lv", loadings, options = list(std.lv = TRUE))
school("intercepts_std_lv", scalar, options = list(std.lv = TRUE), standardized = FALSE)
school("lv", c(loadings, "lv.variances", "lv.covariances"), standardized = FALSE, after = "score_test")
for (estimator in c("MLR", "MLM", "MLMV")) {
  school(paste0("loadings_", tolower(estimator)), loadings, options = list(estimator = estimator), standardized = FALSE)
  school(paste0("intercepts_", tolower(estimator)), scalar, options = list(estimator = estimator), standardized = FALSE)
}
school("intercepts_wls", scalar, options = list(estimator = "WLS"), standardized = FALSE)
school("intercepts_gls", scalar, options = list(estimator = "GLS"), standardized = FALSE)
school("intercepts_uls", scalar, options = list(estimator = "ULS"), standardized = FALSE)
steps <- paste0("school_", c("configural", "loadings", "intercepts", "residuals", "means"))
for (i in 2:5) shift(steps[i], steps[i - 1])
for (estimator in c("mlr", "mlm")) {
  for (method in c("satorra.bentler.2001", "satorra.bentler.2010")) {
    shift(paste0("school_intercepts_", estimator), paste0("school_loadings_", estimator), method)
  }
}
shift("school_intercepts_mlmv", "school_loadings_mlmv", "satorra.2000")

# ---- C: missing values -----------------------------------------------------------------------------------

# (lavaan's EM for the saturated moments stops at 1e-5 by default, which is felt in the chi-square.)
fiml <- function(...) list(missing = "ml", em.h1.tol = 1e-12, em.h1.iter.max = 50000L, ...)
case("missing_ml", three, "hs_missing", fiml(), after = c("scores", "modindices", "residuals"))
case("missing_mlr", three, "hs_missing", fiml(estimator = "MLR"))
case("missing_std_lv", three, "hs_missing", fiml(std.lv = TRUE), standardized = FALSE)
case("missing_listwise", three, "hs_missing", standardized = FALSE)
case("fifth_scalar", three, "hs_fifth", fiml(group.equal = scalar), group = "school", after = "score_test")
case("fifth_loadings", three, "hs_fifth", fiml(group.equal = loadings), group = "school", standardized = FALSE)
case("fifth_scalar_mlr", three, "hs_fifth", fiml(group.equal = scalar, estimator = "MLR"), group = "school",
  standardized = FALSE)
case("fifth_loadings_mlr", three, "hs_fifth", fiml(group.equal = loadings, estimator = "MLR"), group = "school",
  standardized = FALSE)
shift("fifth_scalar", "fifth_loadings")
shift("fifth_scalar_mlr", "fifth_loadings_mlr", "satorra.bentler.2001")

# ---- E: structural models --------------------------------------------------------------------------------

covariances <- "
y1 ~~ y5
y2 ~~ y4 + y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8"
regressions <- "
dem60 ~ ind60
dem65 ~ ind60 + dem60"
democracy <- "
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8"
over_time <- "
ind60 =~ x1 + x2 + x3
dem60 =~ y1 + a*y2 + b*y3 + c*y4
dem65 =~ y5 + a*y6 + b*y7 + c*y8"
pd <- function(name, syntax, options = list(), ...) {
  case(paste0("pd_", name), syntax, "political_democracy", options, call = "sem", ...)
}
full <- paste0(democracy, regressions, covariances)
pd("full", full, after = c("scores", "modindices", "residuals"))
pd("full_mlr", full, list(estimator = "MLR"), standardized = FALSE)
pd("full_mlm", full, list(estimator = "MLM"), standardized = FALSE)
pd("full_std_lv", full, list(std.lv = TRUE))
pd("plain", paste0(democracy, regressions), standardized = FALSE)
pd("over_time", paste0(over_time, regressions, covariances), after = c("score_test", "modindices"))
shift("pd_over_time", "pd_full")
pd("indirect", paste0(democracy, "
dem60 ~ p*ind60
dem65 ~ q*ind60 + r*dem60", covariances, "
indirect := p*r
total := q + indirect
ratio := indirect / total"))
pd_items <- c(paste0("x", 1:3), paste0("y", 1:8))
PD <- moments_of(PoliticalDemocracy, pd_items)
case("pd_covariances", full, list(name = "political_democracy_moments", arguments = moment_arguments(PD, FALSE)),
  call = "sem", note = "from the covariance matrix with divisor N and n = 75", standardized = FALSE)

constrained <- function(name, constraint, ...) {
  pd(name, paste0(over_time, "
dem60 ~ s*ind60
dem65 ~ t*ind60 + u*dem60", "\n", constraint), standardized = FALSE, ...)
}
constrained("linear", "s == 2*t", after = "score_test", note = "linear equality")
constrained("linear_two", "s == t + u\na + b == 2*c", note = "two linear equalities")
constrained("nonlinear", "s == t^2 + 1", refine = FALSE, note = "nonlinear equality")
constrained("product", "t*u == 0.5", refine = FALSE, note = "nonlinear equality of a product")
constrained("inactive", "s > 0.5", refine = FALSE, note = "inequality that does not bind")
constrained("active", "u > 0.95", refine = FALSE, note = "inequality that binds")
pd("bounds", sub("dem65 ~ ind60", "dem65 ~ upper(0.4)*ind60", full, fixed = TRUE), refine = FALSE,
  standardized = FALSE, note = "upper bound that binds")
pd("bounds_inactive", sub("dem65 ~ ind60", "dem65 ~ lower(0)*ind60", full, fixed = TRUE), refine = FALSE,
  standardized = FALSE, note = "lower bound that does not bind")

case("hs_second_order", paste0(three, "\ng =~ visual + textual + speed"), "hs", call = "sem",
  after = c("modindices", "scores"))
case("hs_second_order_std_lv", paste0(three, "\ng =~ visual + textual + speed"), "hs", list(std.lv = TRUE),
  call = "sem", standardized = FALSE)
mimic <- paste0(three, "\nvisual + textual + speed ~ sex + ageyr")
case("hs_mimic", mimic, "hs", call = "sem", after = "modindices")
case("hs_mimic_means", mimic, "hs", list(meanstructure = TRUE), call = "sem")
case("hs_mimic_random", mimic, "hs", list(fixed.x = FALSE), call = "sem")
case("hs_mimic_mlr", mimic, "hs", list(estimator = "MLR"), call = "sem", standardized = FALSE)
case("hs_mimic_mlm", mimic, "hs", list(estimator = "MLM"), call = "sem", standardized = FALSE)
case("hs_mimic_missing", mimic, "hs_missing", fiml(), call = "sem", standardized = FALSE)
case("hs_mimic_missing_mlr", mimic, "hs_missing", fiml(estimator = "MLR"), call = "sem", standardized = FALSE)
case("hs_mimic_school", mimic, "hs", list(group.equal = c(scalar, "regressions")), call = "sem", group = "school",
  after = "score_test")

path_model <- "
m ~ p*a + q*b
y ~ r*m + s*a
z ~ t*m + u*y
indirect := p*r
total := s + indirect
share := indirect / total"
path <- function(name, options = list(), syntax = path_model, ...) {
  case(paste0("path_", name), syntax, "sem_paths", options, call = "sem", ...)
}
path("ml", after = c("residuals", "modindices"))
path("random", list(fixed.x = FALSE))
path("means", list(meanstructure = TRUE))
path("mlr", list(estimator = "MLR"), standardized = FALSE)
path("mlm", list(estimator = "MLM"), standardized = FALSE)
for (estimator in c("GLS", "WLS", "ULS", "DWLS", "WLSMV")) {
  path(tolower(estimator), list(estimator = estimator), standardized = FALSE,
    note = "fixed.x = FALSE, as is the default")
}
for (estimator in c("GLS", "WLS", "ULS", "DWLS")) {
  path(paste0(tolower(estimator), "_fixed"), list(estimator = estimator, fixed.x = TRUE), standardized = FALSE)
}
path("sites", list(), "m ~ c(p1, p2)*a + b\ny ~ c(r1, r2)*m + a\nz ~ m + y\ngap := p1*r1 - p2*r2", group = "site")
path("sites_equal", list(group.equal = "regressions"), "m ~ a + b\ny ~ m + a\nz ~ m + y", group = "site",
  standardized = FALSE, after = "score_test")

# A variance that would be negative, held at 0 or left alone.
set.seed(116)
heywood <- local({
  lambda <- cbind(c(1, 1.4, .5, 0, 0, 0), c(0, 0, 0, 1, 1, 1))
  sigma <- lambda %*% matrix(c(1, .4, .4, 1), 2) %*% t(lambda) + diag(c(1, .3, 1, 1, 1, 1))
  structure(as.data.frame(round(matrix(rnorm(60 * 6), 60) %*% chol(sigma), 4)), names = paste0("z", 1:6))
})
write_csv(heywood, "sem_heywood.csv.gz")
DATA$sem_heywood <- heywood
two <- "
f =~ z1 + z2 + z3
g =~ z4 + z5 + z6"
case("heywood", two, "sem_heywood", note = "negative variance of z2")
case("heywood_bounded", paste0(two, "\nz2 ~~ lower(0)*z2"), "sem_heywood", refine = FALSE, standardized = FALSE,
  note = "its variance bounded at 0")

# ---- H: growth curves ------------------------------------------------------------------------------------

curve <- "
i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4
s =~ 0*t1 + 1*t2 + 2*t3 + 3*t4"
growing <- function(name, syntax, options = list(), ...) {
  case(paste0("growth_", name), syntax, "sem_growth", options, call = "growth", ...)
}
growth_model <- paste0(curve, "
i ~ x1 + x2
s ~ x1 + x2
t1 ~ c1
t2 ~ c2
t3 ~ c3
t4 ~ c4")
growing("full", growth_model, after = c("modindices", "residuals"))
growing("plain", curve, after = "scores")
growing("plain_mlr", curve, list(estimator = "MLR"), standardized = FALSE)
growing("halves", curve, group = "half")
growing("halves_equal", curve, list(group.equal = c("means", "residuals")), group = "half", standardized = FALSE)

# ---- robust estimators with constraints, covariates and groups -------------------------------------------

robustly <- function(name, syntax, data, options = list(), estimators = c("MLR", "MLM"), ...) {
  for (estimator in estimators) {
    case(paste0(name, "_", tolower(estimator)), syntax, data, c(options, list(estimator = estimator)),
      standardized = FALSE, ...)
  }
}
equal_slopes <- paste0(over_time, "\ndem60 ~ s*ind60\ndem65 ~ t*ind60 + u*dem60\ns == 2*t")
robustly("pd_over_time", paste0(over_time, regressions, covariances), "political_democracy", call = "sem")
robustly("pd_linear", equal_slopes, "political_democracy", call = "sem")
robustly("hs_mimic_school", mimic, "hs", list(group.equal = c(scalar, "regressions")), c("MLR", "MLM", "MLMV"),
  call = "sem", group = "school")
case("hs_mimic_school_missing", mimic, "hs_missing", fiml(group.equal = scalar), call = "sem", group = "school",
  standardized = FALSE)
robustly("path_sites", "m ~ a + b\ny ~ m + a\nz ~ m + y", "sem_paths", list(group.equal = "regressions"), call = "sem",
  group = "site")
robustly("growth_full", growth_model, "sem_growth", call = "growth")
case("school_texts", "
visual =~ x1 + c(a1, a2)*x2 + c(b1, b2)*x3
textual =~ x4 + c(c1, c2)*x5 + c(0.9, NA)*x6
speed =~ x7 + x8 + x9
visual ~~ c(v, v)*visual
textual ~~ c(NA, 0)*speed
a1 == a2
b1 == 1.1*b2
gap := c1 - c2", "hs", group = "school", note = "constraints and definitions across groups")
case("school_no_means", three, "hs", list(meanstructure = FALSE, group.equal = loadings), group = "school",
  standardized = FALSE)
case("hs_intercepts_fixed", paste0(three, "\nx1 ~ 5*1\nvisual ~ 1"), "hs",
  note = "the scale of the mean from the intercept of the marker")
