# What packages say themselves: lme4's default fit, performance's R2 and ICC, profile limits.

lme4_fit <- function(model, data) eval(bquote(quietly(glmer(.(as.formula(model$r_formula)), data = data, family = r_family(model$family, model$link),
  weights = .(if (!is.null(model$weights)) as.name(model$weights)), nAGQ = .(model$n_agq), control = glmerControl(optimizer = "bobyqa",
       tolPwrss = 1e-10)))))

# lme4's fit with BOBYQA, and the joint SEs; of canonical links without dispersion, where it has the same criterion.
lme4_says <- function(s, model, data, par) {
  if (!(model$family %in% c("binomial", "poisson")) || model$link != CANONICAL[[model$family]]) return(NULL)
  fit <- lme4_fit(model, data)
  V <- quietly(vcov(fit, use.hessian = model$n_agq > 0))
  message(sprintf("    lme4 beta %.1e, theta %.1e away", max(abs(fixef(fit) - par[s$k + seq_len(s$p)])), max(abs(abs(getME(fit,
       "theta")) - abs(par[seq_len(s$k)])))))
  list(theta = array_of(getME(fit, "theta")), beta = array_of(fixef(fit)), se = array_of(sqrt(diag(as.matrix(V)))))
}

# performance 0.10.2 (insight 0.19): pi^2/3 and the like for binomial, lognormal with exp(intercept of the null model) for
# the others; nothing where it finds no null model and takes 0.
r2_of <- function(f) {
  if (is.null(f)) return(NULL)
  r2 <- attempt(performance::r2_nakagawa(f))
  icc <- attempt(performance::icc(f))
  v <- attempt(insight::get_variance(f))
  if (is.null(v$var.distribution) || v$var.distribution == 0) { message("    no R2"); return(NULL) }
  list(r2 = lapply(unclass(r2)[c("R2_conditional", "R2_marginal")], unname), icc = lapply(unclass(icc)[c("ICC_adjusted", "ICC_unadjusted")], unname),
       variance = list(fixed = unname(v$var.fixed), random = unname(v$var.random), distribution = unname(v$var.distribution),
            dispersion = unname(v$var.dispersion), residual = unname(v$var.residual)))
}

# 95 % limits: `exact` solves for the rise of qchisq(0.95, 1) on our criterion, `lme4` is confint(profile(fit)).
profile_of <- function(s, model, data, par, found) {
  f <- criterion(s)
  rise <- qchisq(0.95, 1)
  H <- hessian(f, par)
  se <- sqrt(diag(2 * solve(H)))
  side <- function(j, direction) {
    z <- par[-j]
    height <- function(x) {
      g <- function(z) { p <- par; p[j] <- x; p[-j] <- z; tryCatch(f(p), error = function(e) 1e10) }
      z <<- optim(z, g, method = "BFGS", control = list(reltol = 1e-12, maxit = 200))$par
      g(z) - found$objective - rise
    }
    far <- par[j] + direction * 3 * se[j]
    if (j <= s$k && far < 0) { far <- 1e-3; if (height(far) < 0) return(0); z <- par[-j] }
    uniroot(height, sort(c(par[j] + direction * 0.7 * se[j], far)),
         extendInt = if (j <= s$k && direction < 0) "no" else if (direction > 0) "upX" else "downX", tol = 1e-7)$root
  }
  exact <- t(sapply(seq_along(par), function(j) c(side(j, -1), side(j, 1))))
  names <- c(paste0("sd_(Intercept)|", names(s$re$cnms)), colnames(s$X))
  lme4 <- attempt(confint(lme4_fit(model, data), method = "profile", oldNames = FALSE, quiet = TRUE))
  list(parameter = I(names), exact = unname(exact), lme4 = if (is.matrix(lme4)) unname(lme4) else lme4)
}
