# Times lavaan on structural equation models whose data and options Python wrote.
#
#   Rscript benchmarks/sem_vs_lavaan.R CASE.json
#
# CASE.json: data (a csv file), call ("cfa", "sem", "growth"), model (lines), options (lavaan's own names), repeat.
# Prints one line of JSON with CPU and elapsed seconds of the fit with standard errors, test and fit measures (one
# number per repetition), and the numbers that both programs must agree on.
suppressMessages({
  library(lavaan)
  library(jsonlite)
})

case <- fromJSON(commandArgs(TRUE)[1])
data <- read.csv(case$data)
model <- paste(case$model, collapse = "\n")
arguments <- c(list(model = model, data = data), lapply(case$options, unlist))
fit <- NULL
times <- lapply(seq_len(case[["repeat"]]), function(i) {
  seconds <- system.time({
    fit <<- suppressWarnings(do.call(case$call, arguments))
    measures <<- fitMeasures(fit)
  })
  list(elapsed = seconds[["elapsed"]], cpu = seconds[["user.self"]] + seconds[["sys.self"]])
})
p <- parTable(fit)
if (is.null(p$group)) p$group <- 1L
first <- p[p$op == "=~" & p$free > 0 & p$group == 1L, ]
groups <- lavInspect(fit, "group.label")
cat(toJSON(list(
  version = as.character(packageVersion("lavaan")), r = R.version.string,
  elapsed_seconds = I(sapply(times, `[[`, "elapsed")), cpu_seconds = I(sapply(times, `[[`, "cpu")),
  chisq = measures[["chisq"]], df = measures[["df"]], loglik = measures[["logl"]], cfi = measures[["cfi"]],
  converged = lavInspect(fit, "converged"), first_group = if (length(groups)) groups[1] else "",
  loadings = as.list(setNames(first$est, sprintf("%s=~%s", first$lhs, first$rhs))),
  errors = as.list(setNames(first$se, sprintf("%s=~%s", first$lhs, first$rhs)))
), auto_unbox = TRUE, digits = 10), "\n")
