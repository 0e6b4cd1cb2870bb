# Fits structural equation models by lavaan, as often as it is asked.
#
#   Rscript benchmarks/lavaan.R
#
# Each line of standard input names a case (JSON), and is answered by one line of JSON: CPU and wall seconds of the fit
# and the numbers that programs must agree on. A case has: `data` (a csv file), or `moments` (JSON or .json.gz with
# items, groups, n, mean, cov of divisor n); call ("cfa", "sem", "growth"); model (lines); options (lavaan's own names);
# measures (whether fit measures are wanted, and timed). Only the fit and its measures are timed, not the reading.
suppressMessages({
  library(lavaan)
  library(jsonlite)
})

read_moments <- function(path) {
  m <- fromJSON(if (grepl("\\.gz$", path)) gzfile(path) else path, simplifyVector = FALSE)
  items <- unlist(m$items)
  covs <- lapply(m$cov, function(s) structure(do.call(rbind, lapply(s, unlist)), dimnames = list(items, items)))
  means <- lapply(m$mean, function(v) structure(unlist(v), names = items))
  names(covs) <- names(means) <- as.character(unlist(m$groups))
  list(sample.cov = covs, sample.mean = means, sample.nobs = unlist(m$n), sample.cov.rescale = FALSE)
}

read_cache <- new.env()
read_data <- function(case) {
  file <- if (is.null(case$data)) case$moments else case$data
  if (is.null(read_cache[[file]])) {
    read_cache[[file]] <- if (is.null(case$data)) read_moments(file) else list(data = read.csv(file))
  }
  read_cache[[file]]
}

# Free loadings of the first group.
first_loadings <- function(fit) {
  p <- parTable(fit)
  if (is.null(p$group)) p$group <- 1L
  p[p$op == "=~" & p$free > 0 & p$group == 1L, ]
}

answer <- function(case) {
  arguments <- c(
    list(model = paste(case$model, collapse = "\n")), read_data(case), lapply(case$options, unlist)
  )
  invisible(gc())
  seconds <- system.time({
    fit <- suppressWarnings(do.call(case$call, arguments))
    if (case$measures) measures <- fitMeasures(fit)
  }, gcFirst = FALSE)
  first <- first_loadings(fit)
  named <- function(values) as.list(setNames(values, sprintf("%s=~%s", first$lhs, first$rhs)))
  out <- list(
    program = "lavaan", version = as.character(packageVersion("lavaan")),
    wall = seconds[["elapsed"]], cpu = seconds[["user.self"]] + seconds[["sys.self"]],
    converged = lavInspect(fit, "converged"), loglik = as.numeric(logLik(fit)), loadings = named(first$est)
  )
  if (case$measures) {
    out <- c(out, list(chisq = measures[["chisq"]], df = measures[["df"]], cfi = measures[["cfi"]], errors = named(first$se)))
  }
  out
}

input <- file("stdin", "r")
while (length(line <- readLines(input, 1))) {
  out <- tryCatch(answer(fromJSON(line)), error = function(e) conditionMessage(e))
  cat(toJSON(out, auto_unbox = TRUE, digits = 10), "\n", sep = "")
  flush(stdout())
}
