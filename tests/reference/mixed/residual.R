# Mixed models with a structured residual: nlme's lme, refined on a likelihood of our own that it must agree with.
# Sourced by generate.R.
#
# e of one group ~ N(0, sigma^2 S R S): S = diag(ratio of the row's stratum; the first stratum has 1),
# R_ij = phi^|t_i - t_j|. Random effects of one grouping factor, correlated.

nlme_call <- function(spec, method) {
  call <- list(quote(nlme::lme), fixed = spec$fixed, random = spec$random, data = as.name(spec$data), method = method,
               control = quote(nlme::lmeControl(maxIter = 500, msMaxIter = 2000, niterEM = 50, tolerance = 1e-12,
                                                msTol = 1e-13, msMaxEval = 10000, opt = "nlminb",
                                                returnObject = TRUE)))
  if (!is.null(spec$by)) call$weights <- bquote(nlme::varIdent(form = .(as.formula(paste("~ 1 |", spec$by)))))
  if (!is.null(spec$time)) call$correlation <- bquote(nlme::corAR1(form = .(as.formula(paste("~", spec$time, "|", spec$group)))))
  as.call(call)
}

# The pieces of the likelihood, and -2 log L of (log-Cholesky of D / sigma^2, log ratios, atanh phi); beta and sigma
# profiled out.
pieces_of <- function(spec) {
  frame <- get(spec$data, globalenv())
  frame <- frame[complete.cases(frame[all.vars(spec$fixed)]), ]
  rows <- split(seq_len(nrow(frame)), frame[[spec$group]], drop = TRUE)
  X <- model.matrix(spec$fixed[-2], frame)
  Z <- model.matrix(as.formula(paste("~", deparse(spec$random[[2]][[2]]))), frame)
  y <- eval(spec$fixed[[2]], frame)
  stratum <- if (is.null(spec$by)) rep(1L, nrow(frame)) else as.integer(frame[[spec$by]])
  list(blocks = lapply(rows, function(i) list(
    X = X[i, , drop = FALSE], Z = Z[i, , drop = FALSE], y = y[i], stratum = stratum[i],
    gap = if (is.null(spec$time)) NULL else abs(outer(frame[[spec$time]][i], frame[[spec$time]][i], "-")))),
    n = nrow(frame), p = ncol(X), q = ncol(Z), strata = max(stratum), ar = !is.null(spec$time), X = X)
}
unpack <- function(par, pieces) {
  k <- pieces$q * (pieces$q + 1) / 2
  L <- matrix(0, pieces$q, pieces$q)
  L[lower.tri(L, TRUE)] <- par[seq_len(k)]
  diag(L) <- exp(diag(L))
  list(L = L, ratio = c(1, exp(par[k + seq_len(pieces$strata - 1)])), phi = if (pieces$ar) tanh(tail(par, 1)) else 0)
}
solve_gls <- function(par, pieces, reml) {
  at <- unpack(par, pieces)
  XX <- Xy <- yy <- logdet <- 0
  for (b in pieces$blocks) {
    s <- at$ratio[b$stratum]
    R <- if (pieces$ar) at$phi^b$gap else diag(length(s))
    U <- chol(tcrossprod(b$Z %*% at$L) + R * tcrossprod(s))
    W <- backsolve(U, cbind(b$X, b$y), transpose = TRUE)
    x <- W[, seq_len(pieces$p), drop = FALSE]
    XX <- XX + crossprod(x)
    Xy <- Xy + crossprod(x, W[, pieces$p + 1])
    yy <- yy + sum(W[, pieces$p + 1]^2)
    logdet <- logdet + 2 * sum(log(diag(U)))
  }
  beta <- solve(XX, Xy)
  nu <- pieces$n - if (reml) pieces$p else 0
  sigma2 <- drop(yy - crossprod(Xy, beta)) / nu
  extra <- if (reml) determinant(XX)$modulus[1] else 0
  list(beta = drop(beta), XX = XX, sigma = sqrt(sigma2), m2ll = logdet + extra + nu * (1 + log(2 * pi * sigma2)))
}

start_of <- function(fit, pieces) {
  structure <- fit$modelStruct
  L <- t(chol(nlme::pdMatrix(structure$reStruct)[[1]]))
  diag(L) <- log(diag(L))
  ratios <- if (is.null(structure$varStruct)) NULL else {
    all <- coef(structure$varStruct, unconstrained = FALSE, allCoef = TRUE)
    log(all / all[[1]])[-1]
  }
  phi <- if (pieces$ar) atanh(coef(structure$corStruct, unconstrained = FALSE))
  unname(c(L[lower.tri(L, TRUE)], ratios, phi))
}

# nlme names the strata in the order of the data; here they are in the order of the levels, ratios relative to the first.
lme_numbers <- function(spec, method) {
  reml <- method == "REML"
  fit <- evaluate(nlme_call(spec, method))
  pieces <- pieces_of(spec)
  levels_ <- if (is.null(spec$by)) NULL else levels(get(spec$data, globalenv())[[spec$by]])
  if (!is.null(levels_)) {
    given <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
    start <- start_of(fit, pieces)
    k <- pieces$q * (pieces$q + 1) / 2
    reference <- given[[levels_[1]]]                # everything relative to the sigma of the first level
    L <- t(chol(nlme::pdMatrix(fit$modelStruct$reStruct)[[1]])) / reference
    diag(L) <- log(diag(L))
    start[seq_len(k)] <- L[lower.tri(L, TRUE)]
    start[k + seq_along(levels_[-1])] <- log(given[levels_[-1]] / reference)
  } else start <- start_of(fit, pieces)
  objective <- function(par) solve_gls(par, pieces, reml)$m2ll
  par <- nlminb(start, objective, control = list(rel.tol = 1e-14, iter.max = 500, eval.max = 2000))$par
  par <- optim(par, objective, function(z) grad(objective, z), method = "BFGS", control = list(reltol = 1e-15, maxit = 200))$par
  for (step in 1:6) {
    slope <- grad(objective, par)
    if (max(abs(slope)) < 1e-8) break
    move <- solve(hessian(objective, par), slope)
    if (objective(par - move) > objective(par) + 1e-10) break
    par <- par - move
  }
  best <- solve_gls(par, pieces, reml)
  at <- unpack(par, pieces)
  D <- best$sigma^2 * tcrossprod(at$L)
  dimnames(D) <- dimnames(nlme::pdMatrix(fit$modelStruct$reStruct)[[1]])
  vcov <- best$sigma^2 * solve(best$XX)
  difference <- as.numeric(logLik(fit)) + best$m2ll / 2
  cat(sprintf("  %-28s %-4s nlme's logLik - ours at our optimum %.1e, gradient %.1e\n", spec$name, method, difference, max(abs(grad(objective, par)))), file = stderr())
  list(logLik = -best$m2ll / 2, logLik_nlme = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"), AIC = -2 * (-best$m2ll / 2) + 2 * attr(logLik(fit), "df"),
       nobs = pieces$n, max_gradient = max(abs(grad(objective, par))),
       beta = object_of(best$beta), se = object_of(sqrt(diag(vcov))), vcov = matrix_of(vcov), sigma = best$sigma,
       ratios = if (!is.null(levels_)) object_of(setNames(at$ratio, levels_)),
       residual_sd = if (!is.null(levels_)) object_of(setNames(at$ratio, levels_) * best$sigma),
       phi = if (pieces$ar) at$phi, random_sd = object_of(sqrt(diag(D))), random_cov = matrix_of(D), random_cor = matrix_of(cov2cor(D)),
       nlme = list(sigma = fit$sigma, beta = object_of(nlme::fixef(fit)), modes = table_of(head(nlme::ranef(fit), 25))))
}

lme_cases <- function(specs) lapply(specs, function(spec) list(
  name = spec$name, fixed = deparse1(spec$fixed), random = deparse1(spec$random), group = spec$group, by = spec$by, time = spec$time,
  formula = spec$ours, REML = attempt(lme_numbers(spec, "REML")), ML = attempt(lme_numbers(spec, "ML"))))
