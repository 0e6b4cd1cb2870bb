# Overdispersion of glmer fits, and variance inflation, by performance. Run from this folder: Rscript audit.R
# Writes audit.csv (counts with too much variation) and audit.json.
suppressPackageStartupMessages({
  library(lme4)
  library(performance)
  library(jsonlite)
})
set.seed(8)
g <- rep(1:30, each = 8)
n <- length(g)
x <- round(rnorm(n), 4)
counts <- rpois(n, exp(0.8 + 0.4 * x + 0.5 * rnorm(30)[g] + 0.6 * rnorm(n)))
near <- round(x + 0.4 * rnorm(n), 4)
f <- sample(c("a", "b", "c"), n, TRUE)
frame <- data.frame(g = g, x = x, near = near, f = f, counts = counts, row = seq_len(n))
write.csv(frame, "audit.csv", row.names = FALSE)

tight <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-11)
said <- function(fit) {
  found <- check_overdispersion(fit)
  list(chisq = found$chisq_statistic, df = df.residual(fit), ratio = found$dispersion_ratio, p_value = found$p_value)
}
data(cbpp, package = "lme4")
out <- list(
  poisson = said(glmer(counts ~ x + (1 | g), frame, poisson, control = tight)),
  poisson_by_row = said(glmer(counts ~ x + (1 | g) + (1 | row), frame, poisson, control = tight)),
  cbpp = said(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial, control = tight)),
  inflation = setNames(
    as.list(check_collinearity(lm(counts ~ x + near + f, frame))$VIF), c("x", "near", "f")
  ),
  versions = sapply(c("lme4", "performance"), function(p) as.character(packageVersion(p)), simplify = FALSE)
)
write(toJSON(out, auto_unbox = TRUE, digits = 12, pretty = TRUE), "audit.json")
