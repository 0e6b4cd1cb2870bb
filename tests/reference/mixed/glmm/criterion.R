# The criterion itself, written from its definition in dense matrices: -2 log L by Laplace's method with the observed
# Hessian at the conditional mode, by adaptive Gauss-Hermite quadrature, or by stats::integrate, at any (theta, beta, log d).
# Random effects are b = Lambda(theta) u with u ~ N(0, I): no sigma.

# Everything fixed about a model, from lme4's parse of the formula.
set_up <- function(model, data) {
  parsed <- quietly(glFormula(as.formula(model$r_formula), data, family = r_family(model$family, model$link),
                              weights = if (!is.null(model$weights)) data[[model$weights]], na.action = na.omit))
  y <- model.response(parsed$fr)
  w <- rep(1, nrow(parsed$fr))
  if (is.matrix(y)) { w <- rowSums(y); y <- y[, 1] / w } else if (is.factor(y)) y <- as.numeric(y != levels(y)[1])
  if (!is.null(model$weights)) w <- as.vector(model.weights(parsed$fr))
  offset <- model.offset(parsed$fr)
  Zt <- as.matrix(parsed$reTrms$Zt)
  list(parsed = parsed, y = as.vector(y), w = w, offset = if (is.null(offset)) 0 * w else as.vector(offset), X = parsed$X, Zt = Zt,
       group = max.col(t(Zt) != 0, "first"), z = colSums(Zt),
       re = parsed$reTrms, density = DENSITY[[model$family]], link = LINK[[model$link]], family = model$family,
       p = ncol(parsed$X), k = length(parsed$reTrms$theta), n_agq = model$n_agq, dispersed = needs_dispersion(model$family))
}

lambda_of <- function(s, theta) {
  lt <- s$re$Lambdat
  lt@x <- theta[s$re$Lind]
  t(as.matrix(lt))
}

# Log likelihood of the rows with its first and second derivatives with respect to eta.
rows_of <- function(s, eta, d) {
  mu <- s$link$h(eta)
  l1 <- s$density$l1(s$y, mu, s$w, d)
  h1 <- s$link$h1(eta)
  if (s$family != "binomial") return(list(ll = s$w * s$density$ll(s$y, mu, s$w, d), g = s$w * l1 * h1,
    curve = -s$w * (s$density$l2(s$y, mu, s$w, d) * h1^2 + l1 * s$link$h2(eta)), mu = mu))
  list(ll = s$density$ll(s$y, mu, s$w, d), g = l1 * h1, curve = -(s$density$l2(s$y, mu, s$w, d) * h1^2 + l1 * s$link$h2(eta)), mu = mu)
}

# The mode of u (joint = FALSE) or of (u, beta) (joint = TRUE) by Newton's method with step halving. Rows whose observed
# curvature is negative may make the Hessian indefinite on the way; the step then uses |curvature|.
mode_of <- function(s, theta, beta, d, joint = FALSE, start = NULL) {
  if (s$k == 1 && !joint) return(scalar_mode_of(s, theta, beta, d, start))
  L <- lambda_of(s, theta)
  q <- nrow(L)
  M <- t(s$Zt) %*% L
  if (joint) M <- cbind(M, s$X)
  penalty <- c(rep(1, q), rep(0, ncol(M) - q))
  fixed <- if (joint) s$offset else s$offset + as.vector(s$X %*% beta)
  v <- if (!is.null(start) && length(start) == ncol(M)) start else c(rep(0, q), if (joint) beta)
  value <- function(v) suppressWarnings(sum(rows_of(s, fixed + as.vector(M %*% v), d)$ll)) - sum(penalty * v^2) / 2
  at <- value(v)
  if (!is.finite(at)) { v <- c(rep(0, q), if (joint) beta); at <- value(v) }
  for (i in 1:200) {
    r <- rows_of(s, fixed + as.vector(M %*% v), d)
    g <- as.vector(crossprod(M, r$g)) - penalty * v
    H <- crossprod(M, r$curve * M) + diag(penalty, ncol(M))
    R <- tryCatch(chol(H), error = function(e) chol(crossprod(M, abs(r$curve) * M) + diag(penalty, ncol(M))))
    step <- backsolve(R, backsolve(R, g, transpose = TRUE))
    size <- 1
    repeat {
      new <- value(v + size * step)
      if (is.finite(new) && new >= at - 1e-9 * (1 + abs(at))) break
      size <- size / 2
      stopifnot(size > 1e-12)
    }
    v <- v + size * step
    at <- new
    if (max(abs(step)) < 1e-11) break
  }
  u <- v[seq_len(q)]
  if (joint) beta <- v[-seq_len(q)]
  eta <- s$offset + as.vector(s$X %*% beta) + as.vector(t(s$Zt) %*% (L %*% u))
  r <- rows_of(s, eta, d)
  H <- crossprod(M[, seq_len(q), drop = FALSE], r$curve * M[, seq_len(q), drop = FALSE]) + diag(q)
  list(u = u, beta = beta, b = as.vector(L %*% u), L = L, eta = eta, rows = r, H = H, v = v,
       laplace = -2 * sum(r$ll) + sum(u^2) + 2 * sum(log(diag(chol(H)))))
}

# The same with one scalar factor, group by group.
scalar_mode_of <- function(s, theta, beta, d, start = NULL) {
  q <- nrow(s$Zt)
  g <- s$group
  z <- theta * s$z
  fixed <- s$offset + as.vector(s$X %*% beta)
  sums <- function(x) rowsum(x, g, reorder = TRUE)[, 1]
  values <- function(u) suppressWarnings(sums(rows_of(s, fixed + z * u[g], d)$ll)) - u^2 / 2
  u <- if (length(start) == q) start else rep(0, q)
  at <- values(u)
  if (!all(is.finite(at))) { u <- rep(0, q); at <- values(u) }
  stopifnot(all(is.finite(at)))
  for (i in 1:200) {
    r <- rows_of(s, fixed + z * u[g], d)
    h <- 1 + sums(z^2 * r$curve)
    step <- (sums(z * r$g) - u) / ifelse(h > 0, h, 1 + sums(z^2 * abs(r$curve)))
    repeat {
      new <- values(u + step)
      bad <- !(is.finite(new) & new >= at - 1e-9 * (1 + abs(at)))
      if (!any(bad)) break
      step[bad] <- step[bad] / 2
      stopifnot(max(abs(step)) > 1e-12)
    }
    u <- u + step
    at <- new
    if (max(abs(step)) < 1e-11) break
  }
  eta <- fixed + z * u[g]
  r <- rows_of(s, eta, d)
  h <- 1 + sums(z^2 * r$curve)
  list(u = u, beta = beta, b = theta * u, L = diag(theta, q), eta = eta, rows = r, H = diag(h, q), v = u,
       laplace = -2 * sum(r$ll) + sum(u^2) + sum(log(h)))
}

# One scalar factor: the group's row sums of a function of eta at u = mode + x * scale, for every node x.
by_group <- function(s, m, theta, d, deviates) {
  z <- theta * s$z
  g <- s$group
  sapply(seq_along(deviates[1, ]), function(k) {
    u <- m$u + deviates[, k]
    eta <- m$eta + z * deviates[g, k]
    rowsum(rows_of(s, eta, d)$ll, g, reorder = TRUE)[, 1] - u^2 / 2
  })
}

agq_of <- function(s, m, theta, d, n) {
  stopifnot(s$k == 1)
  rule <- statmod::gauss.quad(n, "hermite")
  scale <- sqrt(2 / diag(m$H))
  logs <- by_group(s, m, theta, d, outer(scale, rule$nodes)) + rep(log(rule$weights) + rule$nodes^2, each = nrow(m$H))
  top <- apply(logs, 1, max)
  -2 * sum(top + log(rowSums(exp(logs - top))) + log(scale) - 0.5 * log(2 * pi))
}

exact_of <- function(s, m, theta, d) {
  z <- theta * s$z
  g <- s$group
  one <- function(j) {
    i <- which(g == j)
    part <- within(s, { y <- y[i]; w <- w[i] })
    f <- function(x) sapply(x, function(e) {
      value <- suppressWarnings(sum(rows_of(part, m$eta[i] + z[i] * e, d)$ll)) - (m$u[j] + e)^2 / 2
      if (is.finite(value)) value else -Inf # no mean: the inverse link below 0
    })
    top <- f(0)
    wide <- 14 / sqrt(m$H[j, j])
    log(integrate(function(x) exp(f(x) - top), -wide, 0, rel.tol = 1e-11, subdivisions = 5000)$value +
        integrate(function(x) exp(f(x) - top), 0, 3 * wide, rel.tol = 1e-11, subdivisions = 5000)$value) + top - 0.5 * log(2 * pi)
  }
  -2 * sum(sapply(seq_len(nrow(s$Zt)), one))
}

# -2 log L at par = (theta, beta, log d); n_agq = 0: par = (theta, log d), beta at the joint mode.
criterion <- function(s, n_agq = s$n_agq) {
  warm <- NULL
  function(par) {
    theta <- par[seq_len(s$k)]
    d <- if (s$dispersed) exp(par[length(par)]) else 1
    joint <- n_agq == 0
    m <- mode_of(s, theta, if (joint) attr(s, "beta") else par[s$k + seq_len(s$p)], d, joint, warm)
    warm <<- m$v
    if (n_agq > 1) agq_of(s, m, theta, d, n_agq) else m$laplace
  }
}
