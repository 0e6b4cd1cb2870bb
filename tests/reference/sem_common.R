# What sem.R and gpa_growth.R share: fitting lavaan's cfa(), sem() and growth() tightly, and taking out every
# number a test compares. Sources common.R.
source(file.path(here, "common.R"))

# With missing values lavaan's objective weighs the groups itself: its gradient must not do so again.
reduced_gradient <- function(model, fit) {
  gradient <- lavaan:::lav_model_gradient(
    model, lavsamplestats = fit@SampleStats, lavdata = fit@Data, group.weight = !fit@SampleStats@missing.flag
  )
  k <- if (model@eq.constraints) model@eq.constraints.K else diag(length(gradient))
  list(k = k, gradient = drop(crossprod(k, gradient)))
}

# Where nothing refines the optimum, nlminb must go on for longer than its default of 1e-10 relative.
TIGHT <- list(eval.max = 50000L, iter.max = 50000L, rel.tol = 1e-14, x.tol = 1e-12)

# What is left of the gradient once the constraints that hold, and the bounds that are met, have taken their part:
# zero at a constrained optimum.
stationarity <- function(fit) {
  gradient <- lavaan:::lav_model_gradient(
    fit@Model, lavsamplestats = fit@SampleStats, lavdata = fit@Data, group.weight = !fit@SampleStats@missing.flag
  )
  jacobian <- fit@Model@con.jac
  idle <- attr(jacobian, "inactive.idx")
  if (length(idle)) jacobian <- jacobian[-idle, , drop = FALSE]
  p <- parTable(fit)
  p <- p[p$free > 0, ]
  at <- function(bound) if (is.null(bound)) integer() else which(abs(p$est - bound) < 1e-9)
  met <- c(at(p$lower), at(p$upper))
  if (!length(jacobian)) jacobian <- NULL
  if (length(met)) jacobian <- rbind(jacobian, diag(length(gradient))[p$free[met], , drop = FALSE])
  if (length(jacobian)) gradient <- qr.resid(qr(t(jacobian)), gradient)
  max(abs(gradient))
}

# lavaan stops with gradients near 1e-6. Fisher scoring (common.R, polish) brings them below 1e-9; where it does
# not apply (bounds, inequalities, nonlinear constraints) nlminb's tight tolerances must do.
fit_tight <- function(fun, arguments, refine = TRUE) {
  if (!refine) arguments <- c(arguments, list(control = TIGHT, optim.force.converged = TRUE))
  plain <- quietly(fun, arguments)
  if (!refine) {
    cat(sprintf("  %s, rest of the gradient %.1e\n", plain@optim$warn.txt, stationarity(plain)))
    stopifnot(stationarity(plain) < 1e-5)
    return(plain)
  }
  stopifnot(lavInspect(plain, "converged"))
  settings <- list(
    start = polish(plain), check.start = FALSE, optim.method = "none", optim.force.converged = TRUE
  )
  precise <- quietly(fun, c(arguments, settings))
  precise@baseline <- plain@baseline   # without an optimiser the baseline model is not fitted either
  precise@h1 <- plain@h1
  stopifnot(
    gradient_size(precise) < 1e-9,
    abs(fitMeasures(plain, "fmin") - fitMeasures(precise, "fmin")) < 1e-7,
    fitMeasures(plain, "npar") == fitMeasures(precise, "npar"),
    fitMeasures(plain, "df") == fitMeasures(precise, "df")
  )
  precise
}

short <- function(x, digits = 11) if (is.numeric(x)) signif(unclass(x), digits) else x
columns <- function(frame) lapply(as.list(frame), function(x) I(unname(short(x))))
named_groups <- function(fit, index) {
  labels <- lavInspect(fit, "group.label")
  if (length(labels)) labels[index] else rep("all", length(index))
}

# Estimates of all rows, definitions included, with the standardized ones where asked for.
estimates_of <- function(fit, standardized = TRUE) {
  p <- parTable(fit)
  p <- p[p$op %in% c("=~", "~~", "~", "~1", ":="), ]
  group <- ifelse(p$group > 0, named_groups(fit, pmax(p$group, 1)), "")
  out <- data.frame(lhs = p$lhs, op = p$op, rhs = p$rhs, group = group, free = as.integer(p$free > 0), est = p$est,
    se = p$se)
  if (standardized) {
    keep <- c("est.std", "se")
    scaled <- function(type) {
      s <- standardizedSolution(fit, type = type)
      s[s$op %in% c("=~", "~~", "~", "~1", ":="), keep]
    }
    all <- scaled("std.all")
    lv <- scaled("std.lv")
    stopifnot(nrow(all) == nrow(out))
    out <- cbind(out, std_all = all$est.std, std_all_se = all$se, std_lv = lv$est.std, std_lv_se = lv$se)
  }
  columns(out)
}

# All of lavaan's fit measures but the levels of its intervals.
measures_of <- function(fit) {
  f <- unclass(fitMeasures(fit))
  as.list(short(f[!is.na(f) & !grepl("ci.level|close.h0", names(f))], 12))
}

# R-squared of every dependent variable, by group.
r2_of <- function(fit) {
  r2 <- lavInspect(fit, "rsquare")
  if (!is.list(r2)) r2 <- list(all = r2)
  lapply(r2, function(x) as.list(short(x)))
}

by_group <- function(x) if (is.list(x) && !is.data.frame(x)) x else list(all = x)

# Residuals of one fit, by group: raw, of correlations (Bentler's), standardized and normalized.
residuals_of <- function(fit) {
  kinds <- c(raw = "raw", cor = "cor.bentler", standardized = "standardized", normalized = "normalized")
  lapply(kinds, function(kind) {
    found <- residuals(fit, type = kind)
    found <- if (is.null(found$cov)) found[lavInspect(fit, "group.label")] else list(all = found)
    lapply(found, function(g) {
      mean <- if (!is.null(g$mean)) short(unname(c(g$mean)))
      list(items = rownames(g$cov), cov = short(unname(unclass(g$cov))), mean = mean)
    })
  })
}

scores_of <- function(fit, rows = 5L) {
  out <- lapply(c(regression = "EBM", bartlett = "ML"), function(method) {
    s <- by_group(lavPredict(fit, method = method))
    lapply(s, function(x) list(factors = I(colnames(x)), scores = short(unname(unclass(head(x, rows))))))
  })
  out
}

indices_of <- function(fit, rows = 20L) {
  m <- modindices(fit, sort. = TRUE)
  m <- m[seq_len(min(rows, nrow(m))), ]
  group <- if ("group" %in% names(m)) named_groups(fit, m$group) else rep("all", nrow(m))
  c(columns(data.frame(lhs = m$lhs, op = m$op, rhs = m$rhs, group = group, mi = m$mi, epc = m$epc,
    sepc_lv = m$sepc.lv, sepc_all = m$sepc.all)))
}

# Score tests of all equality constraints: which two parameters each releases, univariate X2, and the changes.
score_of <- function(fit) {
  t <- lavTestScore(fit, epc = TRUE)
  p <- parTable(fit)
  name <- function(plabel) {
    i <- match(plabel, p$plabel)
    group <- named_groups(fit, pmax(p$group[i], 1))
    ifelse(is.na(i), plabel, paste0(p$lhs[i], p$op[i], p$rhs[i], "|", group))   # a text: one side of a == b
  }
  u <- t$uni
  e <- t$epc[t$epc$free > 0, ]
  if (is.null(e$group)) e$group <- 1L
  list(
    total = list(x2 = short(t$test$X2), df = t$test$df, p = short(t$test$p.value)),
    univariate = columns(data.frame(lhs = name(u$lhs), rhs = name(u$rhs), x2 = u$X2, df = u$df, p = u$p.value)),
    epc = columns(data.frame(
      name = paste0(e$lhs, e$op, e$rhs), group = named_groups(fit, e$group), est = e$est, epc = e$epc, epv = e$epv
    ))
  )
}

difference_of <- function(restricted, free, method) {
  d <- lavTestLRT(free, restricted, method = method)
  list(chisq = short(d[2, "Chisq diff"]), df = short(d[2, "Df diff"]), p = short(d[2, "Pr(>Chisq)"]))
}
