# Reference numbers for the analysis of variance of simulation studies: a full design of 2 x 3 x 2 cells with main
# effects, two-way interactions and a small three-way one, four data sets per cell; the same with some data sets
# missing; and one with whole cells missing. R's own aov and drop1, no package but jsonlite to write.
#
#   Rscript tests/reference/studies_anova.R          (1 s; writes studies_anova.json)
library(jsonlite)

here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})

set.seed(20250607)
levels_of <- list(n_groups = c(24, 48), group_size = c(50, 100, 200), reliability = c("high", "low"))
design <- expand.grid(rev(levels_of), stringsAsFactors = FALSE)[3:1]   # the last factor fastest, as in a study
full <- design[rep(seq_len(nrow(design)), each = 4), ]
full$cell <- rep(seq_len(nrow(design)) - 1L, each = 4)
full$replication <- rep(1:4, nrow(design))
size <- match(full$group_size, levels_of$group_size)
full$ari <- round(
  0.4 + 0.1 * (full$n_groups == 48) + c(0, 0.15, 0.35)[size] - 0.08 * (full$reliability == "low") +
    0.05 * (full$n_groups == 48) * (size == 2) - 0.03 * (full$reliability == "low") * (size == 3) +
    0.02 * (full$n_groups == 48) * (full$reliability == "low") * (size == 1) + rnorm(nrow(full), sd = 0.05),
  4
)

contrasts_sum <- function(d) {
  for (name in names(levels_of)) d[[name]] <- factor(d[[name]], levels = levels_of[[name]])
  d
}
options(contrasts = c("contr.sum", "contr.poly"))

# What a term explains beyond all terms that do not contain it, tested against the residuals of the whole model.
type_two <- function(d) {
  terms <- attr(terms(~ (n_groups + group_size + reliability)^2), "term.labels")
  whole <- lm(reformulate(terms, "ari"), d)
  error <- deviance(whole) / df.residual(whole)
  rows <- lapply(terms, function(term) {
    factors <- strsplit(term, ":")[[1]]
    rest <- Filter(function(t) !all(factors %in% strsplit(t, ":")[[1]]), terms)
    small <- lm(reformulate(rest, "ari"), d)
    large <- lm(reformulate(c(rest, term), "ari"), d)
    ss <- deviance(small) - deviance(large)
    df <- df.residual(small) - df.residual(large)
    f <- ss / df / error
    list(term = term, df = df, sum_sq = ss, F = f, p = pf(f, df, df.residual(whole), lower.tail = FALSE),
      partial_eta_sq = ss / (ss + deviance(whole)))
  })
  list(terms = rows, residual_df = df.residual(whole), residual_ss = deviance(whole))
}

full <- contrasts_sum(full)
balanced <- type_two(full)
by_aov <- summary(aov(ari ~ (n_groups + group_size + reliability)^2, full))[[1]]
stopifnot(all.equal(by_aov[["Sum Sq"]][1:6], sapply(balanced$terms, `[[`, "sum_sq")))
stopifnot(all.equal(by_aov[["Pr(>F)"]][1:6], sapply(balanced$terms, `[[`, "p")))

some <- full[-c(2, 3, 4, 9, 17, 30, 31, 44), ]
unbalanced <- type_two(some)
by_drop1 <- drop1(lm(ari ~ (n_groups + group_size + reliability)^2, some), test = "F")
stopifnot(all.equal(by_drop1[["Sum of Sq"]][-1], sapply(unbalanced$terms[4:6], `[[`, "sum_sq")))
stopifnot(all.equal(by_drop1[["Pr(>F)"]][-1], sapply(unbalanced$terms[4:6], `[[`, "p")))

holes <- full[!full$cell %in% c(3, 10), ]   # two cells without data; all two-way interactions can still be told apart
missing_cells <- type_two(holes)
stopifnot(!anyNA(coef(lm(ari ~ (n_groups + group_size + reliability)^2, holes))))

frame <- lapply(full[c("cell", "replication", "ari")], identity)
result <- list(
  made_by = "studies_anova.R", R = R.version.string, levels = levels_of, data = frame,
  balanced = balanced, unbalanced = c(unbalanced, list(rows = as.integer(rownames(full) %in% rownames(some)))),
  missing_cells = c(missing_cells, list(cells = c(3L, 10L)))
)
path <- file.path(here, "studies_anova.json")
writeLines(toJSON(result, auto_unbox = TRUE, digits = 12), path)
cat(sprintf("%s: %.1f kB\n", basename(path), file.size(path) / 1000))
