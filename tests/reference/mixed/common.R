# What every script of this folder shares: packages, JSON and exact CSV. Sourced by generate.R.
suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  library(emmeans)
  library(jsonlite)
  library(numDeriv)
  library(nloptr)
})
options(contrasts = c("contr.treatment", "contr.poly"), digits = 15)
emm_options(lmerTest.limit = 1e4, pbkrtest.limit = 1e4)

PACKAGES <- c("lme4", "lmerTest", "pbkrtest", "nlme", "emmeans", "nloptr", "numDeriv", "Matrix", "jsonlite")

quietly <- function(expr) suppressMessages(suppressWarnings(expr))

# ---- JSON: named vectors are objects, matrices {rows, cols, values}, data frames objects of columns -----------------

array_of <- function(x) I(unname(as.vector(x)))

object_of <- function(x) {
  out <- as.list(unname(x))
  names(out) <- names(x)
  out
}

matrix_of <- function(m) {
  m <- as.matrix(m)
  list(rows = I(as.character(rownames(m))), cols = I(as.character(colnames(m))), values = unname(m))
}

table_of <- function(frame, row_names = TRUE) {
  frame <- as.data.frame(frame, check.names = FALSE)
  columns <- lapply(frame, function(x) I(if (is.factor(x)) as.character(x) else unname(x)))
  if (row_names) c(list(row = I(rownames(frame))), columns) else columns
}

# A value, or {"error": R's message}: R itself fails on some boundary fits.
attempt <- function(expr) tryCatch(quietly(expr), error = function(e) list(error = conditionMessage(e)))

write_json_file <- function(x, file) {
  text <- toJSON(x, digits = NA, auto_unbox = TRUE, na = "null", null = "null", force = TRUE)
  writeLines(gsub('("(?:REML|ML|models|columns|nlme|source)":)', "\n\\1", text, perl = TRUE), file)
}

# ---- data: every number is rounded, so that the shortest decimal text is the number itself -------------------------

describe <- function(frame) lapply(frame, function(x) {
  if (is.factor(x)) list(type = "factor", levels = I(levels(x))) else list(type = "numeric")
})

write_exact_csv <- function(frame, file) {
  shown <- as.data.frame(lapply(frame, function(x) {
    if (!is.numeric(x)) return(as.character(x))
    text <- ifelse(is.na(x), NA, sprintf("%.15g", x))
    stopifnot(all(is.na(x) | as.numeric(text) == x))
    text
  }))
  write.csv(shown, file, row.names = FALSE, quote = FALSE, na = "")
  stopifnot(file.size(file) < 60e3)
}
