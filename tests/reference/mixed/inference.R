# Degrees of freedom, F tables, marginal means. Sourced by generate.R.

tested <- function(fit) tryCatch(quietly(lmerTest::as_lmerModLmerTest(fit)), error = function(e) e)

coefficients_of <- function(fit, ddf) attempt(table_of(coef(summary(fit, ddf = ddf))))
anova_of <- function(fit, type, ddf) attempt({
  tab <- as.data.frame(anova(fit, type = type, ddf = ddf))
  names(tab) <- c("sum_sq", "mean_sq", "num_df", "den_df", "F", "p")
  table_of(tab)
})

# Satterthwaite always; Kenward-Roger for REML fits without weights (pbkrtest ignores weights) when `kr` asks for it.
tests_of <- function(fit, spec) {
  full <- tested(fit)
  if (inherits(full, "error")) return(list(error = conditionMessage(full)))
  methods <- c(satterthwaite = "Satterthwaite")
  if (isREML(fit) && is.null(spec$weights) && !identical(spec$kr, FALSE)) methods <- c(methods, kenward_roger = "Kenward-Roger")
  out <- lapply(methods, function(ddf) list(coefficients = coefficients_of(full, ddf),
    anova_type_3 = anova_of(full, 3, ddf), anova_type_1 = anova_of(full, 1, ddf)))
  if ("kenward_roger" %in% names(out)) out$kenward_roger$vcov <- attempt(matrix_of(as.matrix(pbkrtest::vcovAdj(fit))))
  out$varpar_vcov <- unname(full@vcov_varpar)          # of (theta, sigma), twice the inverse Hessian of the deviance
  out
}

means_of <- function(fit, specs, methods) lapply(specs, function(spec) {
  at <- as.formula(paste("~", spec))
  out <- lapply(methods, function(method) attempt({
    grid <- emmeans(fit, at, lmer.df = method)
    pair <- function(adjust) as.data.frame(summary(pairs(grid, adjust = adjust), infer = c(TRUE, TRUE)))
    list(means = table_of(as.data.frame(grid), FALSE), pairs = table_of(pair("none"), FALSE),
         tukey_p = array_of(pair("tukey")$p.value))
  }))
  c(list(specs = spec), out)
})
marginal_means <- function(fit, spec) {
  methods <- c(satterthwaite = "satterthwaite")
  if (isREML(fit) && is.null(spec$weights)) methods <- c(methods, kenward_roger = "kenward-roger")
  means_of(fit, spec$means, methods)
}
