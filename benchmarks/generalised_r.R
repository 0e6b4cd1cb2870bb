# Fits a generalised mixed model with lme4 or glmmTMB to data that Python wrote, with default options.
#
#   Rscript benchmarks/generalised_r.R found                       # the versions of those that there are
#   Rscript benchmarks/generalised_r.R PROGRAM FOLDER [TINY ...]   # a folder of mixed_data.py
#
# Prints one line of JSON as generalised_peers.py does: seconds and memory of the fit alone, and the estimates.
start <- proc.time()[["elapsed"]]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
arguments <- commandArgs(TRUE)
if (arguments[1] != "found") suppressMessages(library(arguments[1], character.only = TRUE))
source(file.path(here, "mixed_common.R"))

leave <- function(reason) {
  cat(reason, "\n", file = stderr())
  quit(status = 1)
}

# Beyond one node lme4 leaves a constant out of the likelihood, so that there is nothing to compare.
lme4 <- list(
  fit = function(problem) glmer(problem$formula, problem$frame, family = problem$family, nAGQ = problem$n_agq),
  read = function(fit) list(
    reported = if (getME(fit, "devcomp")$dims[["nAGQ"]] > 1) NULL else -2 * as.numeric(logLik(fit)),
    evaluations = fit@optinfo$feval, stopped = paste(fit@optinfo$optimizer, collapse = ", "),
    fixed = unname(fixef(fit)), factors = factors_of_lme4(fit), errors = !is.null(fit@optinfo$derivs)
  )
)
glmmTMB <- list(
  fit = function(problem) {
    if (problem$n_agq > 1) leave("no quadrature")
    glmmTMB::glmmTMB(problem$formula, problem$frame, family = problem$family)
  },
  read = function(fit) list(
    reported = -2 * as.numeric(logLik(fit)), evaluations = fit$fit$evaluations[["function"]],
    gradients = fit$fit$evaluations[["gradient"]], stopped = fit$fit$message,
    fixed = unname(fixef(fit)$cond), factors = by_key(lapply(VarCorr(fit)$cond, function(m) t(chol(m)))),
    errors = !is.null(fit$sdr)
  )
)
programs <- list(lme4 = lme4, glmmTMB = glmmTMB)

if (arguments[1] == "found") {
  there <- Filter(function(name) requireNamespace(name, quietly = TRUE), names(programs))
  show(sapply(there, function(name) as.character(packageVersion(name)), simplify = FALSE))
} else {
  program <- programs[[arguments[1]]]
  measure(program$fit, program$read, arguments[-1], start)
}
