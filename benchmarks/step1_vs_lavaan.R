# Times lavaan on Step 1: one joint confirmatory factor analysis of many groups with equal loadings.
#
#   Rscript benchmarks/step1_vs_lavaan.R [--moments FILE] [--input moments|raw] [--variant NAME] [--repeat N]
#                                        [--model FILE] [--partial "F1 =~ x2;F2 =~ x7"] [--factors 4]
#                                        [--groups 24] [--n 200] [--seed 1]
#
# --moments  JSON (or .json.gz) with items, groups, n, mean (one list per group), cov (one matrix per group, divisor
#            n). Without it, data are simulated (4 factors x 5 items, --groups groups of --n people).
# --input    moments: lavaan starts from sample.cov and sample.mean. raw: from rows; with --moments, rows are drawn
#            that have exactly these moments.
# --variant  default           a plain cfa() call: estimates, standard errors, chi-square, baseline model
#            fit               without standard errors (se = "none")
#            estimates         estimates and log-likelihood only (se, test, baseline and h1 switched off)
#            simple, fit-simple, estimates-simple   the same three with ceq.simple = TRUE, where equal loadings are
#                              one parameter: lavaan's faster route, with the same results
# --model    file with lavaan syntax; otherwise the items are divided evenly over --factors factors, in their order.
#
# Prints one line of JSON; elapsed_seconds and cpu_seconds hold one number per repetition. Only cfa() is timed.
suppressMessages({
  library(lavaan)
  library(jsonlite)
})

DEFAULTS <- list(
  moments = "", input = "moments", variant = "default", "repeat" = "1", model = "", partial = "", factors = "4",
  groups = "24", n = "200", seed = "1"
)
ESTIMATES <- list(se = "none", test = "none", baseline = FALSE, h1 = FALSE)
VARIANTS <- list(
  "default" = list(), "fit" = list(se = "none"), "estimates" = ESTIMATES,
  "simple" = list(ceq.simple = TRUE), "fit-simple" = list(se = "none", ceq.simple = TRUE),
  "estimates-simple" = c(ESTIMATES, ceq.simple = TRUE)
)

read_options <- function(words) {
  if (length(words) %% 2L) stop("options come in pairs: --name value")
  names_given <- sub("^--", "", words[c(TRUE, FALSE)])
  unknown <- setdiff(names_given, names(DEFAULTS))
  known <- paste0("--", names(DEFAULTS), collapse = ", ")
  if (length(unknown)) stop("unknown option --", unknown[1], "; known: ", known)
  modifyList(DEFAULTS, structure(as.list(words[c(FALSE, TRUE)]), names = names_given))
}

normal_rows <- function(n, mean, cov) sweep(matrix(rnorm(n * length(mean)), n) %*% chol(cov), 2, mean, "+")

# Rows whose mean and covariance (divisor n) are exactly the given ones.
exact_rows <- function(n, mean, cov) {
  z <- scale(matrix(rnorm(n * length(mean)), n), scale = FALSE)
  z <- z %*% solve(chol(crossprod(z) / n)) %*% chol(cov)
  sweep(z, 2, mean, "+")
}

simulate_moments <- function(n_groups, n) {
  lambda <- matrix(0, 20, 4)
  lambda[cbind(1:20, rep(1:4, each = 5))] <- rep(c(1, rep(sqrt(.6), 4)), 4)
  drawn <- lapply(seq_len(n_groups), function(g) {
    phi <- crossprod(matrix(rnorm(120), 30)) / 30 + .2
    x <- normal_rows(n, rep(0, 20), lambda %*% phi %*% t(lambda) + diag(runif(20, .3, .5)))
    list(mean = colMeans(x), cov = cov(x) * (n - 1) / n)
  })
  list(
    items = paste0("x", 1:20), groups = sprintf("g%03d", seq_len(n_groups)), n = rep(n, n_groups),
    mean = lapply(drawn, `[[`, "mean"), cov = lapply(drawn, `[[`, "cov")
  )
}

read_moments <- function(path) {
  m <- fromJSON(if (grepl("\\.gz$", path)) gzfile(path) else path, simplifyVector = FALSE)
  list(
    items = unlist(m$items), groups = as.character(unlist(m$groups)), n = unlist(m$n),
    mean = lapply(m$mean, unlist), cov = lapply(m$cov, function(s) do.call(rbind, lapply(s, unlist)))
  )
}

even_model <- function(items, n_factors) {
  owner <- sort(rep_len(seq_len(n_factors), length(items)))
  paste(sapply(seq_len(n_factors), function(q) paste0("F", q, " =~ ", paste(items[owner == q], collapse = " + "))),
    collapse = "\n")
}

data_arguments <- function(m, input) {
  if (input == "moments") {
    covs <- lapply(m$cov, function(s) structure(s, dimnames = list(m$items, m$items)))
    means <- lapply(m$mean, structure, names = m$items)
    names(covs) <- names(means) <- m$groups
    return(list(sample.cov = covs, sample.mean = means, sample.nobs = m$n, sample.cov.rescale = FALSE))
  }
  rows <- do.call(rbind, Map(exact_rows, m$n, m$mean, m$cov))
  colnames(rows) <- m$items
  list(data = data.frame(group_label = rep(m$groups, m$n), rows), group = "group_label")
}

main <- function() {
  o <- read_options(commandArgs(TRUE))
  stopifnot(o$input %in% c("moments", "raw"), o$variant %in% names(VARIANTS))
  set.seed(as.integer(o$seed))
  m <- if (nzchar(o$moments)) read_moments(o$moments) else simulate_moments(as.integer(o$groups), as.integer(o$n))
  model <- even_model(m$items, as.integer(o$factors))
  if (nzchar(o$model)) model <- paste(readLines(o$model), collapse = "\n")
  arguments <- c(list(model = model, group.equal = "loadings"), data_arguments(m, o$input), VARIANTS[[o$variant]])
  if (nzchar(o$partial)) arguments$group.partial <- trimws(strsplit(o$partial, ";")[[1]])
  fit <- NULL
  times <- lapply(seq_len(as.integer(o[["repeat"]])), function(i) {
    seconds <- system.time(fit <<- do.call("cfa", arguments))   # collects garbage first
    list(elapsed = seconds[["elapsed"]], cpu = seconds[["user.self"]] + seconds[["sys.self"]])
  })
  out <- list(
    tool = "lavaan", version = as.character(packageVersion("lavaan")), r = R.version.string, input = o$input,
    variant = o$variant, groups = length(m$groups), items = length(m$items), n_total = sum(m$n),
    elapsed_seconds = I(sapply(times, `[[`, "elapsed")), cpu_seconds = I(sapply(times, `[[`, "cpu")),
    logl = as.numeric(logLik(fit)), npar = length(unique(coef_labels(fit))),
    iterations = lavInspect(fit, "iterations"), converged = lavInspect(fit, "converged")
  )
  cat(toJSON(out, auto_unbox = TRUE, digits = NA), "\n")
}

# Free parameters with equal ones counted once.
coef_labels <- function(fit) {
  p <- parTable(fit)
  p <- p[p$free > 0, ]
  ifelse(nzchar(p$label), p$label, p$plabel)
}

main()
