# Generalised linear mixed models: `Rscript glmm.R`, from this folder, writes glmm/*.csv and glmm/*.json (about ten minutes);
# `Rscript glmm.R cbpp small_binary` makes two. What is in them and how the criterion is defined: glmm/README.md.
source("common.R")
suppressPackageStartupMessages(library(glmmTMB))
for (part in c("families", "criterion", "data", "fit", "says", "numbers")) source(file.path("glmm", paste0(part, ".R")))
PACKAGES <- c("lme4", "glmmTMB", "TMB", "performance", "insight", "MASS", "statmod", "numDeriv", "Matrix", "jsonlite")

make <- function(dataset) {
  data <- DATA[[dataset]]()
  csv <- file.path("glmm", paste0(dataset, ".csv"))
  rownames(data) <- NULL
  write_exact_csv(data, csv)
  models <- lapply(MODELS[[dataset]], function(model) {
    message(dataset, ": ", model$name, " ", model$r_formula)
    seconds <- system.time({
      s <- set_up(model, data)
      s$parsed$fr_data <- data[as.integer(rownames(s$parsed$fr)), ]
      found <- optimum(s, model, data)
      numbers <- numbers_of(s, model, data, found)
    })[["elapsed"]]
    message(sprintf("    %.1f s", seconds))
    c(model[c("name", "r_formula", "formula", "family", "link", "n_agq", "weights")], numbers)
  })
  source_text <- if (dataset == "cbpp") "lme4::cbpp (Lesnoff et al. 2004); prop, healthy and obs added" else "simulated, see data.R"
  write_json_file(list(dataset = dataset, source = source_text, R = R.version.string, packages = sapply(PACKAGES,
       function(p) as.character(packageVersion(p)), simplify = FALSE),
                       columns = describe(data), models = models), file.path("glmm", paste0(dataset, ".json")))
}

wanted <- commandArgs(TRUE)
for (dataset in if (length(wanted)) wanted else names(DATA)) make(dataset)
