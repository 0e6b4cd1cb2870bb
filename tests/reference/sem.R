# Reference numbers for cfa(), sem() and growth(), made with lavaan.
#
#   Rscript tests/reference/sem.R            (from anywhere; writes sem.json and the data files sem_*.csv.gz)
#
# Data: HolzingerSwineford1939, PoliticalDemocracy and Demo.growth, which ship with lavaan, the first with values
# deleted by rule, and a small data set simulated below. Groups are in alphabetical order.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
source(file.path(here, "sem_common.R"))

CASES <- list()
FITS <- list()
SHIFTS <- list()
write_csv <- function(frame, name) {
  file <- gzfile(file.path(here, name), "w")
  write.csv(frame, file, row.names = FALSE, quote = FALSE, na = "")
  close(file)
}

# ---- data ------------------------------------------------------------------------------------------------

hs <- HolzingerSwineford1939
schools <- c("Grant-White", "Pasteur")
hs_missing <- hs
hs_missing$x5[seq(5, nrow(hs), 5)] <- NA
hs_missing$x9[seq(7, nrow(hs), 7)] <- NA
# One value in five of every item, by rule: the number of the row and that of the item decide.
hs_fifth <- hs
i <- seq_len(nrow(hs))
for (j in 1:9) hs_fifth[(i * (7 * j + 3) + (i %/% 4) * j * j + j) %% 11 < 2, paste0("x", j)] <- NA
stopifnot(all(rowSums(!is.na(hs_fifth[paste0("x", 1:9)])) > 0))

set.seed(4)
paths <- local({
  n <- 160
  a <- round(rnorm(n), 3)
  b <- round(.4 * a + rnorm(n), 3)
  m <- round(.5 * a + .3 * b + rnorm(n, sd = .8) + 1, 3)
  y <- round(.4 * m + .2 * a + rnorm(n), 3)
  z <- round(.3 * m + .3 * y + rnorm(n, sd = 1.2) - 1, 3)
  data.frame(site = rep(c("north", "south"), n / 2), a, b, m, y, z)
})
write_csv(paths, "sem_paths.csv.gz")
growth_data <- round(Demo.growth, 6)
growth_data$half <- rep(c("first", "second"), length.out = nrow(growth_data))
write_csv(growth_data, "sem_growth.csv.gz")
growth_data <- read.csv(gzfile(file.path(here, "sem_growth.csv.gz")))
DATA <- list(hs = hs, hs_missing = hs_missing, hs_fifth = hs_fifth, political_democracy = PoliticalDemocracy,
  sem_paths = paths, sem_growth = growth_data)
LABELS <- list(school = schools, site = c("north", "south"), half = c("first", "second"))

# ---- one case --------------------------------------------------------------------------------------------

# `options` are lavaan's; the JSON keeps them under lavaan's names with dots as underscores. `after` names what else
# is stored. `refine = FALSE` marks fits that only nlminb could bring to their optimum.
case <- function(name, syntax, data, options = list(), call = "cfa", group = NULL, after = character(),
                 standardized = TRUE, refine = TRUE, note = "") {
  arguments <- c(list(model = syntax), options)
  # lavaan's default is TRUE for maximum likelihood only, and then not if start = is given.
  squares <- c("GLS", "WLS", "ULS", "DWLS", "WLSMV", "ULSMV")
  if (is.null(options$fixed.x)) arguments$fixed.x <- !isTRUE(options$estimator %in% squares)
  if (is.character(data)) {
    arguments$data <- DATA[[data]]
  } else {
    arguments <- c(arguments, data$arguments)
  }
  if (!is.null(group)) arguments <- c(arguments, list(group = group, group.label = LABELS[[group]]))
  fit <- fit_tight(call, arguments, refine)
  f <- fitMeasures(fit)
  value <- function(key) if (key %in% names(f)) f[[key]] else NA
  cat(sprintf("%-34s chisq %10.4f df %3d scaled %9.4f (%.4f) cfi %.4f rmsea %.4f srmr %.4f logl %11.4f gradient %.0e\n",
    name, f[["chisq"]], as.integer(f[["df"]]), value("chisq.scaled"), value("chisq.scaling.factor"), value("cfi"),
    value("rmsea"), value("srmr"), value("logl"), gradient_size(fit)))
  stored_options <- lapply(options, function(x) if (is.character(x) && length(x) > 1) I(x) else x)
  stored_options <- stored_options[!grepl("^em\\.", names(stored_options))]
  if (length(stored_options)) names(stored_options) <- gsub(".", "_", names(stored_options), fixed = TRUE)
  entry <- list(
    name = name, call = call, syntax = I(strsplit(trimws(syntax), "\n")[[1]]),
    data = if (is.character(data)) data else data$name, group = group,
    options = if (length(stored_options)) stored_options else structure(list(), names = character()), note = note,
    exact = refine, fit = measures_of(fit), parameters = estimates_of(fit, standardized)
  )
  if (standardized) entry$r2 <- r2_of(fit)
  take <- list(scores = scores_of, modindices = indices_of, residuals = residuals_of, score_test = score_of)
  for (kind in after) entry[[kind]] <- take[[kind]](fit)
  CASES[[length(CASES) + 1L]] <<- entry
  FITS[[name]] <<- fit
  invisible(fit)
}

# A difference test of two stored fits.
shift <- function(restricted, free, method = "default") {
  d <- difference_of(FITS[[restricted]], FITS[[free]], method)
  cat(sprintf("  %s in %s, %s: %.4f (%.0f) p %.4f\n", restricted, free, method, d$chisq, d$df, d$p))
  SHIFTS[[length(SHIFTS) + 1L]] <<- c(list(restricted = restricted, free = free, method = method), d)
}

source(file.path(here, "sem_models.R"))

# ---- F: structural after measurement ---------------------------------------------------------------------

SAM <- list()
sam_case <- function(name, syntax, blocks, method) {
  fit <- quietly("sam", list(syntax, data = PoliticalDemocracy, mm.list = blocks, sam.method = method))
  p <- parTable(fit)
  slopes <- p[p$op == "~", ]
  cat(sprintf("%-26s", name), sprintf("%.4f (%.4f)", slopes$est, slopes$se), "\n")
  SAM[[length(SAM) + 1L]] <<- list(
    name = name, syntax = I(strsplit(trimws(syntax), "\n")[[1]]), data = "political_democracy",
    blocks = lapply(blocks, I), method = method, parameters = estimates_of(fit, FALSE)
  )
}
joint <- list("ind60", c("dem60", "dem65"))
separate <- list("ind60", "dem60", "dem65")
for (method in c("local", "global")) {
  sam_case(paste0("two_blocks_", method), paste0(democracy, regressions), joint, method)
  sam_case(paste0("three_blocks_", method), paste0(democracy, regressions), separate, method)
  sam_case(paste0("over_time_", method), paste0(over_time, regressions, covariances), joint, method)
}

about_sem <- about("sem.R")
about_sem$estimator <- "as named in each case; likelihood 'normal' (divisor N)"
write_small(
  list(
    about = about_sem, moments = list(political_democracy_moments = PD), cases = CASES, differences = SHIFTS, sam = SAM
  ),
  file.path(here, "sem.json")
)
