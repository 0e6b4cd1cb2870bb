# Makes every CSV and JSON of this folder; run it from here: Rscript generate.R [data set ...]
source("common.R")
source("data.R")
source("fit.R")
source("inference.R")
source("profile.R")
source("residual.R")
source("sets.R")

chosen <- commandArgs(TRUE)
read_back <- function(name, like) {
  frame <- read.csv(paste0(name, ".csv"), colClasses = ifelse(sapply(like, is.factor), "character", "numeric"))
  for (column in names(like)) if (is.factor(like[[column]])) frame[[column]] <- factor(frame[[column]], levels(like[[column]]))
  for (column in names(like)) stopifnot(identical(as.numeric(frame[[column]]), as.numeric(like[[column]])))
  frame
}

# A model on some rows only gets its own data frame in the workspace, so that R's update() finds it.
prepare <- function(spec, name, frame) {
  spec$data <- name
  if (!is.null(spec$subset)) {
    spec$data <- paste(name, spec$subset, sep = "_")
    assign(spec$data, droplevels(frame[frame[[spec$subset]] == 1, ]), globalenv())
  }
  spec
}

report_progress <- function(label, pol, profile) {
  gap <- if (is.null(profile$exact$lower) || is.null(profile$lme4$lower)) NA else
    max(abs(unlist(profile$lme4[c("lower", "upper")]) - unlist(profile$exact[c("lower", "upper")])), na.rm = TRUE)
  message(sprintf("  %-28s gradient %.1e, lme4 stopped at +%.1e, profile lme4 - exact %.1e%s", label, pol$gradient,
                  pol$objective_default - objective_of(pol$fit), gap, if (isSingular(pol$fit)) ", singular" else ""))
}

one_fit <- function(spec, reml) {
  pol <- polished(spec, reml)
  out <- numbers_of(pol)
  out$tests <- tests_of(pol$fit, spec)
  if (!is.null(spec$means)) out$means <- marginal_means(pol$fit, spec)
  if (reml) out$predict <- predictions_of(pol$fit, spec)
  if (!reml && !identical(spec$profile, FALSE)) out$profile <- profiles_of(pol)
  report_progress(paste(spec$name, if (reml) "REML" else "ML"), pol, out$profile)
  if (!is.null(spec$after)) spec$after(out, pol$fit) else out
}

one_model <- function(spec) list(
  name = spec$name, r_formula = deparse1(spec$formula), formula = spec$ours, rename = object_of(spec$rename), weights = spec$weights, subset = spec$subset,
  note = spec$note, REML = one_fit(spec, TRUE), ML = one_fit(spec, FALSE))

for (set in SETS) {
  if (length(chosen) && !set$name %in% chosen) next
  message(set$name)
  frame <- set$make()
  write_exact_csv(frame, paste0(set$name, ".csv"))
  frame <- read_back(set$name, frame)
  assign(set$name, frame, globalenv())
  models <- lapply(lapply(set$models, prepare, name = set$name, frame = frame), one_model)
  residual <- if (!is.null(set$nlme)) lme_cases(lapply(set$nlme, function(spec) c(spec, data = set$name)))
  write_json_file(list(
    dataset = set$name, source = set$source, R = R.version.string,
    packages = object_of(sapply(PACKAGES, function(p) as.character(packageVersion(p)))), columns = describe(frame),
    models = models, nlme = residual), paste0(set$name, ".json"))
}
