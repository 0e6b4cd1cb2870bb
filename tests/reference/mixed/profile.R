# Profile likelihood intervals under ML: lme4's own (which interpolates by splines) and exact ones. Sourced by generate.R.
#
# The exact ones solve  min over all other parameters of -2 log L  -  the minimum  =  qchisq(0.95, 1)  by uniroot; the
# inner minimum is over standard deviations, correlations and sigma (beta is profiled out by lme4's own deviance).
CRITICAL <- qchisq(0.95, 1)

# The -2 log L of an ML fit at (theta, sigma), and at theta with beta_j held at v (sigma profiled): lme4's deviance
# function leaves behind log|L|^2, the penalised residual sum of squares, beta and (X'V^-1 X)^-1.
surfaces <- function(fit) {
  deviance_of <- quietly(update(fit, devFunOnly = TRUE))
  inner <- environment(deviance_of)
  n <- nobs(fit)
  weights_part <- -sum(log(weights(fit)))
  rss <- function() inner$resp$wrss() + inner$pp$sqrL(1)
  list(
    at_sigma = function(theta, sigma) {
      deviance_of(theta)
      inner$pp$ldL2() + rss() / sigma^2 + n * log(2 * pi * sigma^2) + weights_part
    },
    at_beta = function(theta, j, v) {
      deviance_of(theta)
      excess <- (v - inner$pp$beta(1)[j])^2 / inner$pp$unsc()[j, j]
      inner$pp$ldL2() + n * (1 + log(2 * pi * (rss() + excess) / n)) + weights_part
    })
}

# Standard deviations and correlations of terms of one or two columns, in the order of theta: sd1, cor, sd2.
to_theta <- function(par, sizes, sigma) {
  out <- numeric()
  for (k in sizes) {
    p <- head(par, k * (k + 1) / 2)
    par <- tail(par, -length(p))
    out <- c(out, if (k == 1) p else c(p[1], p[2] * p[3], p[3] * sqrt(max(0, 1 - p[2]^2))))
  }
  pair <- unlist(lapply(sizes, function(k) if (k == 1) 1 else c(1, 1, 1)))
  out / (pair * sigma)
}

least <- function(objective, starts, lower, upper) {
  runs <- lapply(starts, function(start) nloptr(pmin(pmax(start, lower), upper), objective, lb = lower, ub = upper, opts = list(
    algorithm = "NLOPT_LN_BOBYQA", xtol_rel = 1e-9, ftol_rel = 1e-14, maxeval = 1500)))
  best <- which.min(sapply(runs, function(r) r$objective))
  list(value = runs[[best]]$objective, at = runs[[best]]$solution)
}

# Both ends of one parameter: outwards from the estimate until the deviance has risen enough, then uniroot.
interval <- function(rise, estimate, step, lower, upper) {
  one_end <- function(direction, bound) {
    near <- estimate
    for (k in 0:40) {
      far <- estimate + direction * step * 1.6^k
      if (direction * (far - bound) >= 0) far <- bound
      if (rise(far) > 0) return(uniroot(rise, sort(c(near, far)), tol = 1e-9 * max(step, abs(estimate)), maxiter = 200)$root)
      if (far == bound) return(bound)                  # the deviance never rises enough: the interval ends at the bound
      near <- far
    }
    NA_real_
  }
  if (is.na(step)) return(c(NA, NA))
  c(one_end(-1, lower), one_end(1, upper))
}

exact_profile <- function(fit, labels) {
  surface <- surfaces(fit)
  sizes <- unname(lengths(getME(fit, "cnms")))
  if (any(sizes > 2)) return(NULL)
  kinds <- unlist(lapply(sizes, function(k) if (k == 1) "sd" else c("sd", "cor", "sd")))
  sigma <- sigma(fit)
  theta <- unname(getME(fit, "theta"))
  par <- numeric()
  rest <- theta
  for (k in sizes) {
    p <- head(rest, k * (k + 1) / 2)
    rest <- tail(rest, -length(p))
    second <- if (k == 2) sqrt(sum(p[2:3]^2))
    par <- c(par, if (k == 1) p * sigma else c(p[1] * sigma, if (second > 0) p[2] / second else 0, second * sigma))
  }
  kinds <- c(kinds, "sigma")
  par <- c(par, sigma)
  base <- surface$at_sigma(theta, sigma)
  stopifnot(abs(base - deviance(fit)) < 1e-6)
  scale <- ifelse(kinds == "cor", 1, pmax(par, 0.05 * sigma))
  low <- ifelse(kinds == "cor", -1, ifelse(kinds == "sigma", 1e-3 * sigma, 0)) / scale
  high <- ifelse(kinds == "cor", 1, 1e3 * max(par)) / scale
  value <- function(z) surface$at_sigma(to_theta(head(z * scale, -1), sizes, tail(z * scale, 1)), tail(z * scale, 1))
  ends <- lapply(seq_along(par), function(i) {
    last <- (par / scale)[-i]
    rise <- function(v) {
      objective <- function(z) value(append(z, v / scale[i], i - 1))
      found <- least(objective, unique(list(last, (par / scale)[-i])), low[-i], high[-i])
      last <<- found$at
      found$value - base - CRITICAL
    }
    step <- if (kinds[i] == "cor") 0.2 else 0.3 * scale[i]
    interval(rise, par[i], step, low[i] * scale[i], if (kinds[i] == "cor") 1 else 1e3 * max(par))
  })
  betas <- lapply(seq_along(lme4::fixef(fit)), function(j) {
    bound <- getME(fit, "lower")
    last <- theta
    rise <- function(v) {
      found <- least(function(z) surface$at_beta(z, j, v), unique(list(last, theta)), bound, rep(Inf, length(theta)))
      last <<- found$at
      found$value - base - CRITICAL
    }
    b <- lme4::fixef(fit)[[j]]
    interval(rise, b, sqrt(vcov(fit)[j, j]), -Inf, Inf)
  })
  both <- do.call(rbind, c(ends, betas))
  stopifnot(length(labels) == nrow(both))
  list(parameter = I(labels), estimate = array_of(c(par, lme4::fixef(fit))), lower = array_of(both[, 1]), upper = array_of(both[, 2]))
}

# Names as those of lme4's confint(oldNames = FALSE), built here because its profile fails on some boundary fits.
labels_of <- function(fit) {
  names <- getME(fit, "cnms")
  random <- unlist(lapply(seq_along(names), function(i) {
    nm <- names[[i]]
    cells <- outer(nm, nm, function(a, b) ifelse(a == b, paste0("sd_", a), paste0("cor_", a, ".", b)))
    paste0(cells[lower.tri(cells, TRUE)], "|", names(names)[i])
  }))
  c(random, "sigma", names(lme4::fixef(fit)))
}

lme4_profile <- function(fit) attempt({
  ci <- confint(profile(fit, signames = FALSE), level = 0.95)
  list(parameter = I(rownames(ci)), lower = array_of(ci[, 1]), upper = array_of(ci[, 2]))
})

profiles_of <- function(pol) {
  exact <- attempt(exact_profile(pol$fit, labels_of(pol$fit)))
  list(level = 0.95, lme4 = lme4_profile(pol$refittable), exact = exact)
}
