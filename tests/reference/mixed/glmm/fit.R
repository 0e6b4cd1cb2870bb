# The polished optimum of one model and everything said about it. glmmTMB fits and is polished by Newton steps on its exact
# gradient; what it lacks (quadrature, nAGQ = 0, inverse Gaussian) is optimised on the criterion of criterion.R.

# In the global environment, where insight's null model looks for the data again.
object_from <- function(model, data) {
  assign("model_data", data, globalenv())
  formula <- as.formula(if (is.null(model$reduced)) model$r_formula else model$reduced, globalenv())
  eval(bquote(quietly(glmmTMB::glmmTMB(.(formula), data = model_data, family = .(tmb_family(model$family, model$link)),
                                       weights = .(if (!is.null(model$weights)) as.name(model$weights)), na.action = na.omit))), globalenv())
}

polish <- function(f) {
  f$obj$env$inner.control <- list(maxit = 1000, trace = FALSE, tol = 1e-13, grad.tol = 1e-12, tol10 = 0)
  p <- f$fit$par
  gradient <- function(p) as.numeric(f$obj$gr(p))
  for (i in 1:8) {
    g <- gradient(p)
    if (max(abs(g)) < 1e-10) break
    p <- p - solve(jacobian(gradient, p), g)
  }
  f$obj$fn(p)
  list(par = p, gradient = max(abs(gradient(p))), objective = 2 * as.numeric(f$obj$fn(p)))
}

# lme4's theta from glmmTMB's parameters, and back; a term of lme4 that was left out (reduced) has theta 0.
theta_from <- function(s, f, par) {
  f$obj$fn(par)
  v <- f$obj$report(f$obj$env$last.par)
  blocks <- f$modelInfo$reTrms$cond
  unlist(lapply(seq_along(s$re$cnms), function(i) {
    names <- s$re$cnms[[i]]
    for (j in seq_along(blocks$cnms)) if (names(blocks$cnms)[j] == names(s$re$cnms)[i] && all(names %in% blocks$cnms[[j]])) {
      at <- match(names, blocks$cnms[[j]])
      sd <- v$sd[[j]][at]
      cor <- if (length(at) > 1) v$corr[[j]][at, at] else matrix(1)
      L <- t(chol(diag(sd, length(sd)) %*% cor %*% diag(sd, length(sd))))
      return(L[lower.tri(L, diag = TRUE)])
    }
    rep(0, length(names) * (length(names) + 1) / 2)
  }))
}

tmb_par <- function(s, f, theta, beta, d) {
  blocks <- f$modelInfo$reTrms$cond
  covariance <- unlist(lapply(seq_along(blocks$cnms), function(j) {
    sds <- correlation <- numeric()
    first <- cumsum(c(1, sapply(s$re$cnms, function(n) length(n) * (length(n) + 1) / 2)))
    for (name in blocks$cnms[[j]]) for (i in seq_along(s$re$cnms)) if (names(s$re$cnms)[i] == names(blocks$cnms)[j] && name %in% s$re$cnms[[i]]) {
      k <- length(s$re$cnms[[i]])
      L <- matrix(0, k, k)
      L[lower.tri(L, diag = TRUE)] <- theta[first[i] + seq_len(k * (k + 1) / 2) - 1]
      at <- match(name, s$re$cnms[[i]])
      sds <- c(sds, sqrt(sum(L[at, ]^2)))
      if (at == 2) correlation <- L[2, 1] / L[2, 2]
    }
    c(log(sds), correlation)
  }))
  p <- f$fit$par
  p[names(p) == "beta"] <- beta
  p[names(p) == "theta"] <- covariance
  if (s$dispersed) p[names(p) == "betad"] <- log(if (s$family == "gamma") 1 / d else d)
  p
}

# Minimum of our own criterion: BFGS and Newton steps with Richardson derivatives. Theta 0 stays where it is.
minimise <- function(s, start) {
  f <- criterion(s)
  free <- setdiff(seq_along(start), which(start == 0 & seq_along(start) <= s$k))
  g <- function(z) { p <- start; p[free] <- z; tryCatch(f(p), error = function(e) 1e10) }
  z <- optim(start[free], g, method = "BFGS", control = list(maxit = 500, reltol = 1e-13))$par
  for (i in 1:5) {
    slope <- grad(g, z)
    if (max(abs(slope)) < 1e-7) break
    step <- solve(hessian(g, z), slope)
    if (!all(is.finite(step)) || max(abs(step)) > 0.1) break
    z <- z - step
  }
  start[free] <- z
  list(par = start, gradient = max(abs(grad(g, z))), objective = g(z), free = free)
}

joint_vcov <- function(s, par) {
  f <- criterion(s)
  free <- setdiff(seq_along(par), which(par == 0 & seq_along(par) <= s$k))
  V <- 2 * solve(hessian(function(z) { p <- par; p[free] <- z; f(p) }, par[free]))
  at <- match(s$k + seq_len(s$p), free)
  list(beta = V[at, at, drop = FALSE], dispersion = if (s$dispersed) sqrt(V[nrow(V), nrow(V)]))
}

optimum <- function(s, model, data) {
  f <- if (model$family == "inverse_gaussian") NULL else object_from(model, data)
  found <- NULL
  if (!is.null(f)) {
    t <- polish(f)
    theta <- theta_from(s, f, t$par)
    beta <- t$par[names(t$par) == "beta"]
    d <- if (s$dispersed) exp(unname(t$par["betad"]))
    if (model$family == "gamma") d <- 1 / d
    start <- unname(c(theta, beta, if (s$dispersed) log(d)))
    ours <- criterion(s, 1)(start)
    message(sprintf("    glmmTMB |g| %.1e, -2logL %.9f, own Laplace there %.1e away", t$gradient, t$objective, ours - t$objective))
    stopifnot(t$gradient < 1e-6, abs(ours - t$objective) < 1e-6)
    found <- list(par = start, gradient = t$gradient, objective = ours)
    for (j in which(theta == 0)) { # left out because the boundary is the optimum
      inside <- start
      inside[j] <- 0.02
      stopifnot(criterion(s, 1)(inside) > ours)
    }
  } else {
    g <- glm(nobars(as.formula(model$r_formula)), r_family(model$family, model$link), data)
    start <- unname(c(0.5, coef(g), log(sum(residuals(g, "pearson")^2) / g$df.residual / 2)))
  }
  if (model$n_agq != 1 || is.null(f)) {
    if (model$n_agq == 0) {
      attr(s, "beta") <- start[s$k + seq_len(s$p)]
      o <- minimise(s, start[-(s$k + seq_len(s$p))])
      joint <- mode_of(s, o$par[seq_len(s$k)], start[s$k + seq_len(s$p)], 1, TRUE)
      o$par <- c(o$par[seq_len(s$k)], joint$beta, if (s$dispersed) o$par[s$k + 1])
    } else o <- minimise(s, start)
    message(sprintf("    own optimum |g| %.1e, -2logL %.9f", o$gradient, o$objective))
    stopifnot(o$gradient < 1e-5)
    found <- o
  }
  c(found, list(tmb = f))
}
