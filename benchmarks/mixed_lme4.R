# Fits a linear mixed model with lme4 to data that Python wrote, with default options.
#
#   Rscript benchmarks/mixed_lme4.R found                    # the version of lme4
#   Rscript benchmarks/mixed_lme4.R lme4 FOLDER [TINY ...]   # a folder of mixed_data.py; fits of TINY folders come first
#
# Prints one line of JSON as mixed_peers.py does: seconds and memory of the fit alone, and the estimates.
start <- proc.time()[["elapsed"]]
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
suppressMessages({
  library(lme4)
  source(file.path(here, "mixed_common.R"))
})
arguments <- commandArgs(TRUE)

fit <- function(problem) lmer(problem$formula, problem$frame)
read <- function(fit) list(
  reported = REMLcrit(fit), evaluations = fit@optinfo$feval, stopped = fit@optinfo$optimizer,
  fixed = unname(fixef(fit)), sigma = sigma(fit), factors = factors_of_lme4(fit)
)

if (arguments[1] == "found") {
  show(list(lme4 = as.character(packageVersion("lme4"))))
} else {
  measure(fit, read, arguments[-1], start)
}
