# A growth curve of students' grade point averages, as moments and lavaan's numbers.
#
#   Rscript tests/reference/gpa_growth.R gpa.csv.gz            (writes gpa_growth.json beside this file)
#
# The data are those of Hox's multilevel book as used in Clark's "Mixed Models with R" (m-clark/mixed-models-with-R,
# data/gpa.csv): 200 students in six semesters, a row for each, with the columns student, gpa and occasion (0 to 5).
# They are not kept here; their moments are all the likelihood needs.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
source(file.path(here, "sem_common.R"))

long <- read.csv(gzfile(commandArgs(TRUE)[1]))
wide <- reshape(long[c("student", "occasion", "gpa")], idvar = "student", timevar = "occasion", direction = "wide")
items <- paste0("gpa", 0:5)
names(wide) <- c("student", items)
stopifnot(nrow(wide) == 200, !anyNA(wide))
moments <- moments_of(wide, items)

shape <- "
i =~ 1*gpa0 + 1*gpa1 + 1*gpa2 + 1*gpa3 + 1*gpa4 + 1*gpa5
s =~ 0*gpa0 + 1*gpa1 + 2*gpa2 + 3*gpa3 + 4*gpa4 + 5*gpa5"
equal <- paste0("gpa", 0:5, " ~~ e*gpa", 0:5, collapse = "\n")
models <- list(
  equal_residuals = list(syntax = paste0(shape, "\n", equal), note = "the mixed model with random intercept and slope"),
  free_residuals = list(syntax = shape, note = "a residual variance for each semester"),
  uncorrelated = list(syntax = paste0(shape, "\n", equal, "\ni ~~ 0*s"), note = "intercept and slope independent")
)
cases <- lapply(names(models), function(name) {
  m <- models[[name]]
  fit <- fit_tight("growth", c(list(model = m$syntax), moment_arguments(moments)))
  p <- parTable(fit)
  free <- p[p$free > 0 & !duplicated(ifelse(p$label == "", p$plabel, p$label)), ]
  cat(sprintf("%-18s logl %.6f chisq %.4f df %d\n", name, fitMeasures(fit, "logl"), fitMeasures(fit, "chisq"),
    as.integer(fitMeasures(fit, "df"))))
  cat(sprintf("   %s %s %s %.6f (%.6f)\n", free$lhs, free$op, free$rhs, free$est, free$se), sep = "")
  list(
    name = name, call = "growth", syntax = I(strsplit(trimws(m$syntax), "\n")[[1]]), data = "gpa", group = NULL,
    options = structure(list(), names = character()), note = m$note, exact = TRUE, fit = measures_of(fit),
    parameters = estimates_of(fit), r2 = r2_of(fit)
  )
})
write_small(list(about = about("gpa_growth.R"), moments = list(gpa = moments), cases = cases),
  file.path(here, "gpa_growth.json"))
