# Everything the JSON says about a model at its optimum.

names_of_theta <- function(s) unlist(lapply(seq_along(s$re$cnms), function(i) {
  n <- s$re$cnms[[i]]
  group <- names(s$re$cnms)[i]
  unlist(lapply(seq_along(n), function(a) sapply(a:length(n), function(b) paste0(group, ".", if (a == b) n[a] else paste0(n[b], ".", n[a])))))
}))

# Rows of b that belong to term i, effect k: lme4 orders a term's b by level, then effect.
rows_of_b <- function(s, i, k) { n <- length(s$re$cnms[[i]]); seq(s$re$Gp[i] + k, s$re$Gp[i + 1], by = n) }

# Columns of Z of new data, one row each: the levels' effects by name.
linear_of <- function(s, model, beta, b, new, levels_all) {
  formula <- as.formula(model$r_formula)
  fixed <- delete.response(terms(nobars(formula)))
  frame <- model.frame(fixed, new, xlev = levels_all, na.action = na.pass)
  offset <- model.offset(frame)
  none <- as.vector(model.matrix(fixed, frame) %*% beta) + if (is.null(offset)) 0 else offset
  all <- none
  for (i in seq_along(s$re$cnms)) {
    names <- s$re$cnms[[i]]
    factors <- strsplit(names(s$re$cnms)[i], ":")[[1]]
    factors <- sub("\\.[0-9]+$", "", factors)
    group <- do.call(paste, c(lapply(factors, function(f) as.character(new[[f]])), sep = ":"))
    known <- levels(s$re$flist[[attr(s$re$flist, "assign")[i]]])
    for (k in seq_along(names)) {
      effect <- b[rows_of_b(s, i, k)][match(group, known)]
      z <- if (names[k] == "(Intercept)") 1 else new[[names[k]]]
      all <- all + ifelse(is.na(effect), 0, effect) * z
    }
  }
  list(all = all, none = none)
}

new_rows <- function(model, data) {
  rows <- data[complete.cases(data), ][c(1, 8, 20, 33), ]
  for (x in names(rows)) if (is.numeric(rows[[x]]) && x %in% c("x", "z", "hours", "size")) rows[[x]] <- rows[[x]] + 0.5
  bars <- findbars(as.formula(model$r_formula))
  for (g in unique(unlist(lapply(bars, function(b) all.vars(b[[3]]))))) {
    rows[[g]] <- as.character(rows[[g]])
    rows[[g]][4] <- "new"
  }
  rows[, intersect(names(rows), all.vars(as.formula(model$r_formula)[[3]]))]
}

blocks_of <- function(s, L) lapply(seq_along(s$re$cnms), function(i) {
  names <- s$re$cnms[[i]]
  at <- s$re$Gp[i] + seq_along(names)
  S <- tcrossprod(L[at, at, drop = FALSE])
  dimnames(S) <- list(names, names)
  list(group = names(s$re$cnms)[i], cov = matrix_of(S), sd = object_of(setNames(sqrt(diag(S)), names)))
})

modes_of <- function(s, m) {
  sd <- sqrt(diag(m$L %*% solve(m$H, t(m$L))))
  unlist(lapply(seq_along(s$re$cnms), function(i) lapply(seq_along(s$re$cnms[[i]]), function(k) {
    rows <- rows_of_b(s, i, k)
    level <- levels(s$re$flist[[attr(s$re$flist, "assign")[i]]])
    at <- seq_len(min(12, length(rows)))
    list(group = names(s$re$cnms)[i], term = s$re$cnms[[i]][k], n = length(rows), level = I(level[at]), mode = array_of(m$b[rows[at]]),
         condsd = array_of(sd[rows[at]]))
  })), recursive = FALSE)
}

# lme4's own stage-2 criterion at (theta, beta): canonical links without a dispersion only, where its weights are the observed ones.
lme4_at <- function(s, model, n_agq) {
  if (!(model$family %in% c("binomial", "poisson")) || model$link != CANONICAL[[model$family]] || (n_agq > 1 && s$k > 1)) return(NULL)
  p <- s$parsed
  f <- do.call(mkGlmerDevfun, c(p, list(control = glmerControl(tolPwrss = 1e-12))))
  f <- updateGlmerDevfun(f, p$reTrms, nAGQ = n_agq)
  # lme4 leaves the saturated model's log likelihood out of n_agq > 1
  saturated <- if (n_agq == 1) 0 else if (s$family == "poisson") -2 * sum(dpois(s$y, s$y, log = TRUE)) else -2 * sum(dbinom(round(s$y * s$w), s$w,
       s$y, log = TRUE))
  function(theta, beta) { f(c(theta, beta)); f(c(theta, beta)) + saturated }
}

# The criterion at three places off the optimum: tests of it need no optimiser.
points_of <- function(s, model, par, se) {
  lapply(1:3, function(i) {
    theta <- round(ifelse(par[seq_len(s$k)] == 0, c(0.2, 0.1, 0)[i], par[seq_len(s$k)] * c(0.6, 1.5, 1.1)[i]), 4)
    beta <- signif(par[s$k + seq_len(s$p)] + c(-0.8, 1, 0.3)[i] * (-1)^seq_len(s$p) * se, 4)
    d <- if (s$dispersed) signif(exp(par[length(par)]) * c(0.7, 1.4, 1)[i], 4) else 1
    mode <- mode_of(s, theta, beta, d)
    scalar <- s$k == 1
    out <- list(theta = array_of(theta), beta = array_of(beta), dispersion = if (s$dispersed) d, laplace = mode$laplace,
                agq5 = if (scalar) agq_of(s, mode, theta, d, 5), agq9 = if (scalar) agq_of(s, mode, theta, d, 9), exact = if (scalar) exact_of(s,
                     mode, theta, d))
    for (n in c(1, if (scalar) c(5, 9))) {
      f <- lme4_at(s, model, n)
      if (is.null(f)) next
      ours <- if (n == 1) out$laplace else out[[paste0("agq", n)]]
      message(sprintf("    point %d, n_agq %d: lme4 %.1e away", i, n, f(theta, beta) - ours))
      stopifnot(abs(f(theta, beta) - ours) < 1e-4)
    }
    out
  })
}

numbers_of <- function(s, model, data, found) {
  par <- found$par
  theta <- setNames(par[seq_len(s$k)], names_of_theta(s))
  beta <- setNames(par[s$k + seq_len(s$p)], colnames(s$X))
  d <- if (s$dispersed) exp(par[length(par)]) else 1
  mode <- mode_of(s, theta, beta, d)
  V <- if (model$n_agq == 0) NULL else joint_vcov(s, par)
  if (!is.null(V)) dimnames(V$beta) <- list(names(beta), names(beta))
  n <- length(s$y); df <- length(par)
  mu <- mode$rows$mu
  R <- r_family(model$family, model$link, d)
  pearson <- (s$y - mu) * sqrt(s$w / R$variance(mu))
  rows <- new_rows(model, data)
  used <- Filter(is.factor, data)
  eta <- linear_of(s, model, beta, mode$b, rows, lapply(used[intersect(names(used), all.vars(nobars(as.formula(model$r_formula))[[3]]))], levels))
  first <- linear_of(s, model, beta, mode$b, s$parsed$fr_data[1:5, ], NULL)
  stopifnot(max(abs(first$all - mode$eta[1:5])) < 1e-8)
  se <- if (is.null(V)) rep(0.1, s$p) else sqrt(diag(V$beta))
  list(theta = object_of(theta), dispersion = if (s$dispersed) d, dispersion_log_se = V$dispersion, objective = found$objective,
       logLik = -found$objective / 2, df = df,
       AIC = found$objective + 2 * df, BIC = found$objective + df * log(n), nobs = n, ngrps = object_of(sapply(s$re$flist, nlevels)),
            gradient = found$gradient,
       beta = object_of(beta), se = if (!is.null(V)) object_of(se), vcov = if (!is.null(V)) matrix_of(V$beta), varcorr = blocks_of(s, mode$L),
            modes = modes_of(s, mode),
       fitted = array_of(mu[1:5]), linear = array_of(mode$eta[1:5]), fixed_linear = array_of(first$none),
       residuals = list(response = array_of((s$y - mu)[1:5]), pearson = array_of(pearson[1:5]),
            deviance = array_of((sign(s$y - mu) * sqrt(pmax(R$dev.resids(s$y, mu, s$w), 0)))[1:5])),
       pearson_chisq = sum(pearson^2), df_residual = n - df,
       predict = list(rows = table_of(rows, FALSE), link = list(all = array_of(eta$all), none = array_of(eta$none)),
            response = list(all = array_of(s$link$h(eta$all)), none = array_of(s$link$h(eta$none)))),
       laplace = mode$laplace, exact = if (s$k == 1) exact_of(s, mode, theta, d), points = if (model$points) points_of(s, model, par, se),
       lme4 = lme4_says(s, model, data, par), r2 = if (model$n_agq == 1) r2_of(found$tmb), profile = if (model$profile) profile_of(s, model, data,
            par, found))
}
