# What mixed_lme4.R and generalised_r.R share: reading a folder of mixed_data.py, and seconds and memory of one fit.
library(jsonlite)
show <- function(x) cat(toJSON(x, auto_unbox = TRUE, digits = NA, null = "null"), "\n")

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
  problem$frame <- as.data.frame(sapply(names, column, simplify = FALSE))
  problem$formula <- as.formula(problem$formula)
  problem
}

# MiB of this process: "VmRSS" now, "VmHWM" the peak; nothing where there is no /proc.
memory <- function(field) {
  lines <- tryCatch(readLines("/proc/self/status"), error = function(e) character(), warning = function(w) character())
  line <- grep(paste0("^", field, ":"), lines, value = TRUE)
  if (length(line)) as.numeric(gsub("[^0-9]", "", line)) / 1024 else NA
}

# "b:a" and "a:b" are the same grouping.
key <- function(name) paste(sort(regmatches(name, gregexpr("[A-Za-z0-9_.]+", name))[[1]]), collapse = ":")

by_key <- function(matrices) {
  names(matrices) <- vapply(names(matrices), key, "")
  lapply(matrices, function(m) unname(as.matrix(m)))
}

# Lower triangular factors of lme4, by the names of the groupings.
factors_of_lme4 <- function(fit) {
  factors <- getME(fit, "Tlist")
  names(factors) <- names(getME(fit, "cnms"))
  by_key(factors)
}

# Fit the folders of small data, then the first one with its seconds and memory; `start` is when the process began.
measure <- function(fit, read, folders, start) {
  for (tiny in folders[-1]) invisible(suppressWarnings(suppressMessages(fit(read_problem(tiny)))))
  load <- proc.time()[["elapsed"]] - start
  problem <- read_problem(folders[1])
  invisible(gc())
  invisible(try(suppressWarnings(cat("5", file = "/proc/self/clear_refs")), silent = TRUE))
  before <- memory("VmRSS")
  heard <- character()
  spent <- system.time(found <- withCallingHandlers(
    fit(problem),
    warning = function(w) { heard <<- c(heard, conditionMessage(w)); invokeRestart("muffleWarning") },
    message = function(m) { heard <<- c(heard, trimws(conditionMessage(m))); invokeRestart("muffleMessage") }
  ), gcFirst = FALSE)
  peak <- memory("VmHWM")
  show(c(
    list(wall = spent[["elapsed"]], cpu = spent[["user.self"]] + spent[["sys.self"]], load = load,
      peak = peak - before, peak_all = peak, warnings = I(as.character(unique(heard)))),
    read(found)
  ))
}
