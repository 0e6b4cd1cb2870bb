# One lmer fit at its exact optimum, and what it says. Sourced by generate.R.

fit_call <- function(spec, reml, ...) {
  arguments <- list(quote(lme4::lmer), formula = spec$formula, data = as.name(spec$data), REML = reml)
  if (!is.null(spec$weights)) arguments$weights <- as.name(spec$weights)
  as.call(c(arguments, list(...)))
}
evaluate <- function(call) quietly(eval(call, globalenv()))
tight <- quote(lmerControl(optimizer = "nloptwrap", calc.derivs = FALSE,
  optCtrl = list(algorithm = "NLOPT_LN_BOBYQA", xtol_abs = 1e-12, xtol_rel = 0, ftol_abs = 0, ftol_rel = 0, maxeval = 5000)))

# BOBYQA to 1e-13 from lme4's own optimum and from two others; the best is taken, values below 1e-4 go to the boundary
# if the objective becomes no worse by it; then Newton's method on the free part. `curvature` says whether theta is
# identified: at a boundary of a block it may not be.
best_start <- function(deviance_of, lower, theta) {
  run <- function(start) nloptr(start, deviance_of, lb = lower, opts = list(
    algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 1e-13, xtol_abs = rep(1e-13, length(start)), ftol_rel = 0, maxeval = 4000))
  unit <- as.numeric(lower == 0)
  runs <- lapply(list(theta, unit, 0.3 * unit + 0.1), run)
  values <- sapply(runs, function(r) r$objective)
  runs[[which.min(values)]]$solution
}
to_boundary <- function(deviance_of, lower, theta) {
  for (i in which(lower == 0 & theta < 1e-4)) {
    moved <- replace(theta, i, 0)
    if (deviance_of(moved) <= deviance_of(theta) + 1e-8) theta <- moved
  }
  theta
}
newton <- function(deviance_of, lower, theta) {
  free <- which(!(lower == 0 & theta == 0))
  part <- function(z) deviance_of(replace(theta, free, z))
  for (step in 1:6) {
    if (!length(free)) break
    slope <- grad(part, theta[free])
    if (max(abs(slope)) < 1e-9) break
    move <- tryCatch(solve(hessian(part, theta[free]), slope), error = function(e) NULL)
    if (is.null(move) || max(abs(move)) > 0.05) break
    to <- theta[free] - move
    if (any(to < lower[free]) || part(to) > part(theta[free]) + 1e-9) break
    theta[free] <- to
  }
  list(theta = theta, gradient = if (length(free)) max(abs(grad(part, theta[free]))) else 0)
}

# `fit` is at the polished theta; `refittable` is a fit of lme4 that its profile can work with.
polished <- function(spec, reml) {
  rough <- evaluate(fit_call(spec, reml, control = tight))
  deviance_of <- quietly(update(rough, devFunOnly = TRUE))
  lower <- getME(rough, "lower")
  theta <- best_start(deviance_of, lower, unname(getME(rough, "theta")))
  found <- newton(deviance_of, lower, to_boundary(deviance_of, lower, theta))
  fit <- evaluate(fit_call(spec, reml, start = found$theta, control = quote(lmerControl(optimizer = NULL, calc.derivs = FALSE))))
  stopifnot(max(abs(getME(fit, "theta") - found$theta)) < 1e-12)
  plain <- evaluate(fit_call(spec, reml))
  list(fit = fit, refittable = rough, gradient = found$gradient, theta_default = unname(getME(plain, "theta")),
       objective_default = objective_of(plain))
}
objective_of <- function(fit) unname(if (isREML(fit)) lme4::REMLcrit(fit) else fit@devcomp$cmp[["dev"]])

# ---- what a fit says -----------------------------------------------------------------------------------------------

varcorr_of <- function(fit) {
  groups <- names(getME(fit, "cnms"))
  blocks <- Map(function(m, group) c(list(group = group), block_of(matrix(as.numeric(m), nrow(m), dimnames = dimnames(m)))),
                unname(unclass(lme4::VarCorr(fit))[seq_along(groups)]), groups)
  list(table = table_of(as.data.frame(lme4::VarCorr(fit), order = "lower.tri"), FALSE), blocks = unname(blocks))
}
block_of <- function(cov) {
  sd <- sqrt(diag(cov))
  cor <- cov / outer(sd, sd)
  cor[!is.finite(cor)] <- NA
  list(cov = matrix_of(cov), sd = object_of(setNames(sd, rownames(cov))), cor = matrix_of(cor))
}
modes_of <- function(fit, levels = 25) {
  modes <- as.data.frame(lme4::ranef(fit, condVar = TRUE))
  by <- interaction(modes$grpvar, modes$term, sep = " | ", drop = TRUE)
  lapply(unname(split(modes, by)), function(d) {
    kept <- head(d, levels)
    list(group = as.character(d$grpvar[1]), term = as.character(d$term[1]), n = nrow(d), level = I(as.character(kept$grp)),
         mode = array_of(kept$condval), condsd = array_of(kept$condsd))
  })
}
pca_of <- function(fit) lapply(lme4::rePCA(fit), function(p) array_of(p$sdev))

numbers_of <- function(pol) {
  fit <- pol$fit
  beta <- lme4::fixef(fit)
  vcov <- as.matrix(vcov(fit))
  rows <- model.frame(fit)
  list(
    theta = object_of(getME(fit, "theta")), lower = array_of(ifelse(getME(fit, "lower") == 0, 0, NA)),
    max_gradient = pol$gradient, default = list(theta = array_of(pol$theta_default), objective = pol$objective_default),
    objective = objective_of(fit), logLik = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"), AIC = AIC(fit),
    BIC = BIC(fit), nobs = nobs(fit), ngrps = object_of(ngrps(fit)), sigma = sigma(fit), beta = object_of(beta),
    se = object_of(sqrt(diag(vcov))), vcov = matrix_of(vcov), varcorr = varcorr_of(fit), modes = modes_of(fit),
    fitted = array_of(head(fitted(fit), 5)), hat = array_of(head(hatvalues(fit), 5)), hat_sum = sum(hatvalues(fit)),
    residuals = list(response = array_of(head(residuals(fit), 5)),
                     pearson = array_of(head(residuals(fit, type = "pearson"), 5)),
                     scaled = array_of(head(residuals(fit, scaled = TRUE), 5))),
    singular = isSingular(fit), pca_sd = attempt(pca_of(fit)))
}

# ---- prediction ----------------------------------------------------------------------------------------------------

# Rows of the data with known and unknown levels: row 1 as it is, row 2 with a new level of the first factor, row 3
# with new levels of all.
new_rows <- function(fit, frame) {
  variables <- unique(unlist(strsplit(names(ngrps(fit)), ":")))
  rows <- frame[head(which(complete.cases(frame)), 3), , drop = FALSE]
  rows[variables] <- lapply(rows[variables], as.character)
  rows[2, variables[1]] <- "new"
  rows[3, variables] <- "new"
  rownames(rows) <- NULL
  rows
}
predictions_of <- function(fit, spec) {
  frame <- get(spec$data, globalenv())
  bars <- findbars(spec$formula)
  one <- if (length(bars) == 1) NULL else lapply(bars, function(bar) {
    re <- as.formula(paste("~ (", paste(deparse(bar, width.cutoff = 500), collapse = ""), ")"))
    list(re_form = paste(deparse(re, width.cutoff = 500), collapse = ""), values = attempt(array_of(head(predict(fit, re.form = re), 5))))
  })
  rows <- new_rows(fit, frame)
  list(all = array_of(head(predict(fit), 5)), none = array_of(head(predict(fit, re.form = NA), 5)), terms = one,
       new = list(rows = table_of(rows, FALSE), all = attempt(array_of(predict(fit, newdata = rows, allow.new.levels = TRUE))),
                  none = attempt(array_of(predict(fit, newdata = rows, re.form = NA)))))
}
