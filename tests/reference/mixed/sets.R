# Which models of which data set. `formula` is R's, `ours` the same model where it is written differently in
# Python (`rename`: the names of its random effects, had R taken the factor);
# `means` are emmeans' specs; `kr = FALSE` and `profile = FALSE` leave those out. Sourced by generate.R.

model <- function(name, formula, ...) list(name = name, formula = formula, ...)

# ---- numbers of an equivalent model, carried over ------------------------------------------------------------------

# `year_centred` was fitted, `year` is asked for: b = T b_centred with T = [1, -origin; 0, 1], so that the relative
# covariance factor is that of T Lambda. Only what is listed here can be compared.
uncentred <- function(origin) function(out, fit) {
  T_ <- rbind(c(1, -origin), c(0, 1))
  factor <- t(qr.R(qr(t(T_ %*% getME(fit, "Tlist")[[1]]))))
  factor <- factor %*% diag(sign(diag(factor)))
  names <- c("(Intercept)", "year")
  beta <- lme4::fixef(fit)
  A <- diag(length(beta))
  A[1, 2] <- -origin
  beta_names <- replace(names(beta), 2, "year")
  V <- A %*% as.matrix(vcov(fit)) %*% t(A)
  dimnames(V) <- list(beta_names, beta_names)
  cov <- sigma(fit)^2 * tcrossprod(factor)
  dimnames(cov) <- list(names, names)
  modes <- lme4::ranef(fit, condVar = TRUE)[[1]]
  spread <- attr(modes, "postVar")
  b <- as.matrix(modes) %*% t(T_)
  sds <- t(apply(spread, 3, function(S) sqrt(diag(T_ %*% S %*% t(T_)))))
  kept <- c("max_gradient", "objective", "logLik", "df", "AIC", "BIC", "nobs", "ngrps", "sigma", "fitted", "hat",
            "hat_sum", "residuals", "singular")
  c(out[kept], list(
    theta = object_of(setNames(factor[lower.tri(factor, TRUE)], c("g.(Intercept)", "g.year.(Intercept)", "g.year"))),
    beta = object_of(setNames(drop(A %*% beta), beta_names)), se = object_of(sqrt(diag(V))), vcov = matrix_of(V),
    varcorr = list(blocks = list(c(list(group = "g"), block_of(cov)))),
    modes = lapply(1:2, function(j) list(group = "g", term = names[j], n = nrow(b), level = I(rownames(modes)),
                                         mode = array_of(b[, j]), condsd = array_of(sds[, j])))))
}

# `y - million` was fitted, `y` is asked for: the intercept and the fitted values are larger.
with_million <- function(out, fit) {
  out$beta[["(Intercept)"]] <- out$beta[["(Intercept)"]] + 1e6
  out$fitted <- I(out$fitted + 1e6)
  for (table in intersect(names(out$tests), c("satterthwaite", "kenward_roger"))) out$tests[[table]]$coefficients <- NULL
  if (!is.null(out$profile)) {
    at <- which(out$profile$exact$parameter == "(Intercept)")
    for (part in c("estimate", "lower", "upper")) out$profile$exact[[part]] <- I(out$profile$exact[[part]] + 1e6 * (seq_along(out$profile$exact[[part]]) == at))
    out$profile$lme4 <- NULL
  }
  out[setdiff(names(out), c("predict", "default"))]
}

SLEEP <- list(
  model("slope", Reaction ~ Days + (Days | Subject)),
  model("uncorrelated", Reaction ~ Days + (Days || Subject)),
  model("intercept", Reaction ~ Days + (1 | Subject)),
  model("quadratic", Reaction ~ Days + I(Days^2) + (Days | Subject)),
  model("null_fixed", Reaction ~ 1 + (Days | Subject)),
  model("slope_only", Reaction ~ Days + (0 + Days | Subject)),
  model("weights", Reaction ~ Days + (Days | Subject), weights = "w"),
  model("offset", Reaction ~ Days + offset(off) + (1 | Subject)),
  model("missing", Reaction_missing ~ Days + (Days | Subject)),
  model("few", Reaction ~ Days + (1 | Subject), subset = "few"),
  model("few_slope", Reaction ~ Days + (Days | Subject), subset = "few"),
  model("pairs", Reaction ~ Days + (1 | Subject), subset = "ends"))

SLEEP_NLME <- list(
  list(name = "slope", fixed = Reaction ~ Days, random = ~ Days | Subject, group = "Subject", ours = "Reaction ~ Days + (Days | Subject)"),
  list(name = "intercept_ar1", fixed = Reaction ~ Days, random = ~ 1 | Subject, group = "Subject", time = "Days", ours = "Reaction ~ Days + (1 | Subject)"),
  list(name = "slope_ar1", fixed = Reaction ~ Days, random = ~ Days | Subject, group = "Subject", time = "Days", ours = "Reaction ~ Days + (Days | Subject)"))

nlme_pair <- function(by = NULL, time = NULL, group, slope, ours_slope, tag) {
  both <- list(intercept = ~1, slope = slope)
  lapply(names(both), function(kind) {
    random <- as.formula(paste("~", deparse(both[[kind]][[2]]), "|", group))
    list(name = paste(kind, tag, sep = "_"), fixed = ours_slope, random = random, group = group, by = by, time = time,
         ours = paste0(deparse1(ours_slope), " + (", deparse(both[[kind]][[2]]), " | ", group, ")"))
  })
}
SITE_NLME <- c(nlme_pair(NULL, NULL, "g", ~x, y ~ x, "plain"), nlme_pair("site", NULL, "g", ~x, y ~ x, "by_site"))
GAP_NLME <- c(
  nlme_pair(NULL, "time", "person", ~time, y ~ time + sex, "ar1"), nlme_pair("sex", NULL, "person", ~time, y ~ time + sex, "by_sex"),
  nlme_pair("sex", "time", "person", ~time, y ~ time + sex, "ar1_by_sex"), nlme_pair(NULL, NULL, "person", ~time, y ~ time + sex, "plain"))

SIMULATED <- "simulated by data.R"
BELENKY <- paste("Belenky, G. et al. (2003), Patterns of performance degradation and restoration during sleep restriction and",
  "subsequent recovery: a sleep dose-response study, Journal of Sleep Research 12, 1-12; as shipped with lme4, with the",
  "columns w, off, Reaction_missing, few (first five subjects) and ends (days 0 and 9) added")
DAVIES <- "Davies, O. L. and Goldsmith, P. L. (eds) (1972), Statistical Methods in Research and Production, 4th ed., Oliver and Boyd; as shipped with lme4"
set <- function(name, make, ..., source = SIMULATED, nlme = NULL) list(name = name, make = make, models = list(...), source = source, nlme = nlme)

SETS <- list(
  do.call(set, c(list("sleepstudy", make_sleepstudy, source = BELENKY, nlme = SLEEP_NLME), SLEEP)),
  set("penicillin", make_penicillin, source = DAVIES,
    model("crossed", diameter ~ 1 + (1 | plate) + (1 | sample)), model("plate", diameter ~ 1 + (1 | plate))),
  set("pastes", make_pastes, source = DAVIES,
    model("nested", strength ~ 1 + (1 | batch / cask)), model("sample", strength ~ 1 + (1 | sample)),
    model("sample_batch", strength ~ 1 + (1 | sample) + (1 | batch)), model("cask_fixed", strength ~ cask + (1 | batch), means = "cask"),
    model("crossed", strength ~ 1 + (1 | batch) + (1 | cask))),
  set("dyestuff", make_dyestuff, source = DAVIES, model("batch", Yield ~ 1 + (1 | Batch))),
  set("singular_intercept", make_singular_intercept,
    model("one", y ~ x + (1 | g)), model("two", y ~ x + (1 | g) + (1 | h)), model("slope", y ~ x + (x | g))),
  set("zero_variance", make_zero_variance, model("batch", strength ~ 1 + (1 | batch))),
  set("singular_slope", make_singular_slope, model("slope", y ~ x + (x | g)), model("uncorrelated", y ~ x + (x || g))),
  set("rank_two", make_rank_two, model("full", y ~ x + z + (x + z | g)), model("uncorrelated", y ~ x + z + (x + z || g))),
  set("crossed_unbalanced", make_crossed_unbalanced,
    model("crossed", y ~ x + (1 | person) + (1 | rater)), model("slope", y ~ x + (x | person) + (1 | rater))),
  set("crossed_missing", make_crossed_missing,
    model("additive", y ~ x + (1 | g) + (1 | h)), model("cells", y ~ x + (1 | g) + (1 | h) + (1 | g:h))),
  set("nested_three", make_nested_three,
    # written out: lme4 names the groups of hospital/ward/team "team:(ward:hospital)"
    model("nested", y ~ x + (1 | team:ward:hospital) + (1 | ward:hospital) + (1 | hospital), ours = "y ~ x + (1 | hospital/ward/team)"),
    model("two", y ~ x + (1 | ward:hospital) + (1 | hospital), ours = "y ~ x + (1 | hospital/ward)"),
    model("slope", y ~ x + (1 | ward:hospital) + (1 | hospital) + (0 + x | hospital), ours = "y ~ x + (1 | hospital/ward) + (0 + x | hospital)")),
  set("crossed_slopes", make_crossed_slopes,
    model("slopes", y ~ x + (x | person) + (x | item)), model("uncorrelated", y ~ x + (x || person) + (x || item))),
  set("factor_slopes", make_factor_slopes,
    model("factor", y ~ f + (f | g), means = "f"), model("cells", y ~ f + (0 + f | g), means = "f"),
    model("uncorrelated", y ~ f + (1 | g) + (0 + is_b | g) + (0 + is_c | g), ours = "y ~ f + (f || g)", rename = c(is_b = "fb", is_c = "fc"), means = "f",
      note = "R's own (f || g) keeps the correlations of a factor's columns; is_b and is_c are those columns"),
    model("uncorrelated_cells", y ~ f + (0 + is_a | g) + (0 + is_b | g) + (0 + is_c | g), ours = "y ~ f + (0 + f || g)", rename = c(is_a = "fa", is_b = "fb", is_c = "fc"),
      note = "R's own (0 + f || g) keeps the correlations; is_a, is_b, is_c are the indicator columns")),
  set("several_terms", make_several_terms,
    model("three_diagonal", y ~ x + z + (1 | g) + (0 + x | g) + (0 + z | g)), model("block_and_diagonal", y ~ x + z + (x | g) + (0 + z | g)),
    model("with_crossed", y ~ x + z + (1 | h) + (x || g))),
  set("tiny_groups", make_tiny_groups, model("intercept", y ~ x + (1 | g))),
  set("badly_scaled", make_badly_scaled,
    model("centred", y ~ year_centred + income + (year_centred | g)),
    model("raw", y ~ year_centred + income + (year_centred | g), ours = "y ~ year + income + (year | g)", after = uncentred(2004), kr = FALSE, profile = FALSE,
      note = "fitted with year - 2004 and carried over to year exactly; REML is the same for both")),
  set("wide_weights", make_wide_weights,
    model("intercept", y ~ x + (1 | g), weights = "w"), model("slope", y ~ x + (x | g), weights = "w")),
  set("large_intercept", make_large_intercept,
    model("intercept", I(y - million) ~ x + (1 | g), ours = "y ~ x + (1 | g)", after = with_million, note = "fitted to y - 1e6, and 1e6 added to the intercept"),
    model("slope", I(y - million) ~ x + (x | g), ours = "y ~ x + (x | g)", after = with_million, note = "fitted to y - 1e6, and 1e6 added to the intercept")),
  set("unbalanced_cells", make_unbalanced_cells,
    model("interaction", y ~ A * B + (1 | g), means = c("A", "B", "A * B", "A | B")), model("additive", y ~ A + B + (1 | g), means = c("A", "B"))),
  set("three_way", make_three_way,
    model("full", y ~ A * B * C + z + (1 | g), means = c("A", "C", "A * B")), model("covariate", y ~ A * B * x + C + z + (1 | g), means = c("A", "C")),
    model("no_main", y ~ A:x + C * z + (1 | g))),
  set("residual_groups", make_residual_groups, nlme = SITE_NLME, model("slope", y ~ x + (x | g)), model("intercept", y ~ x + (1 | g))),
  set("ar1_gaps", make_ar1_gaps, nlme = GAP_NLME, model("slope", y ~ time + sex + (time | person)), model("intercept", y ~ time * sex + (1 | person), means = "sex")))
