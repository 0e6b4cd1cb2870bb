# Fits a mixed model with lme4 to data that Python wrote, with default options.
#
#   Rscript benchmarks/mixed_lme4.R found               # the version of lme4
#   Rscript benchmarks/mixed_lme4.R FOLDER [TINY ...]   # a folder of mixed_data.py; fits of TINY folders come first
#
# Prints one line of JSON as mixed_peers.py does: seconds and memory of the fit alone, and the estimates.
start <- proc.time()[["elapsed"]]
suppressMessages({
  library(lme4)
  library(jsonlite)
})
arguments <- commandArgs(TRUE)
show <- function(x) cat(toJSON(x, auto_unbox = TRUE, digits = NA, null = "null"), "\n")
if (arguments[1] == "found") {
  show(list(lme4 = as.character(packageVersion("lme4"))))
  quit()
}

read_problem <- function(folder) {
  problem <- fromJSON(file.path(folder, "problem.json"))
  column <- function(name) {
    file <- file.path(folder, paste0(name, ".bin"))
    levels <- problem$levels[[name]]
    if (levels == 0) return(readBin(file, "double", problem$n, 8, endian = "little"))
    codes <- readBin(file, "integer", problem$n, 4, endian = "little") + 1L
    structure(codes, levels = as.character(seq_len(levels)), class = "factor")
  }
  names <- names(problem$levels)
  list(formula = as.formula(problem$formula), frame = as.data.frame(sapply(names, column, simplify = FALSE)))
}

# MiB of this process: "VmRSS" now, "VmHWM" the peak; nothing where there is no /proc.
memory <- function(field) {
  lines <- tryCatch(readLines("/proc/self/status"), error = function(e) character(), warning = function(w) character())
  line <- grep(paste0("^", field, ":"), lines, value = TRUE)
  if (length(line)) as.numeric(gsub("[^0-9]", "", line)) / 1024 else NA
}

# "b:a" and "a:b" are the same grouping.
key <- function(name) paste(sort(regmatches(name, gregexpr("[A-Za-z0-9_.]+", name))[[1]]), collapse = ":")

for (tiny in arguments[-1]) {
  problem <- read_problem(tiny)
  invisible(suppressMessages(lmer(problem$formula, problem$frame)))
}
load <- proc.time()[["elapsed"]] - start
problem <- read_problem(arguments[1])
invisible(gc())
invisible(try(suppressWarnings(cat("5", file = "/proc/self/clear_refs")), silent = TRUE))
before <- memory("VmRSS")
heard <- character()
spent <- system.time(fit <- withCallingHandlers(
  lmer(problem$formula, problem$frame),
  warning = function(w) { heard <<- c(heard, conditionMessage(w)); invokeRestart("muffleWarning") },
  message = function(m) { heard <<- c(heard, trimws(conditionMessage(m))); invokeRestart("muffleMessage") }
), gcFirst = FALSE)
peak <- memory("VmHWM")
factors <- lapply(getME(fit, "Tlist"), function(m) unname(as.matrix(m)))
names(factors) <- vapply(names(getME(fit, "cnms")), key, "")
show(list(
  wall = spent[["elapsed"]], cpu = spent[["user.self"]] + spent[["sys.self"]], load = load,
  peak = peak - before, peak_all = peak, reported = REMLcrit(fit), evaluations = fit@optinfo$feval,
  stopped = fit@optinfo$optimizer, fixed = unname(fixef(fit)), sigma = sigma(fit), factors = factors,
  warnings = I(as.character(unique(heard)))
))
