# Five imputations of a small clustered data set, lmer fits of each, and mice's pooled estimates.
# Run from this folder: Rscript missing.R  ->  missing.csv, missing.json
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(mice); library(jsonlite); library(broom.mixed)})
set.seed(11)
n <- 30; k <- 5
data <- data.frame(g = rep(seq_len(n), each = k), time = rep(0:(k - 1), n))
data$x <- round(rnorm(n * k) + rep(rnorm(n), each = k), 3)
data$z <- rep(round(rnorm(n), 3), each = k)
u <- cbind(rnorm(n, 0, 1.5), rnorm(n, 0, 0.7))
data$y <- round(1 + 0.5 * data$time + 0.4 * data$x + 0.3 * data$z + u[data$g, 1] + u[data$g, 2] * data$time + rnorm(n * k), 3)
data$y[runif(n * k) < plogis(-3 + 0.4 * data$time)] <- NA
data$x[runif(n * k) < 0.15] <- NA
mids <- mice(data, m = 5, maxit = 5, printFlag = FALSE, seed = 5)
long <- complete(mids, "long", include = TRUE)[, c(".imp", "g", "time", "x", "z", "y")]
names(long)[1] <- "imp"
long[c("x", "z", "y")] <- round(long[c("x", "z", "y")], 3)
write.csv(long, "missing.csv", row.names = FALSE, quote = FALSE, na = "")
long <- read.csv("missing.csv")

formula <- y ~ time + x + z + (time | g)
control <- lmerControl(optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, xtol_rel = 0, ftol_rel = 0))
fit <- function(i) lmerTest::lmer(formula, long[long$imp == i, ], control = control)
fits <- lapply(1:5, fit)
plain <- lapply(fits, as, Class = "lmerMod")
pooled <- summary(mice::pool(as.mira(plain)), type = "all")
satterthwaite <- rowMeans(sapply(fits, function(f) summary(f)$coefficients[, "df"]))
by_df <- t(sapply(seq_along(satterthwaite), function(i) {
  p <- summary(mice::pool(as.mira(plain), dfcom = satterthwaite[[i]]), type = "all")[i, ]
  c(df = p$df, fmi = p$fmi, p = p$p.value)
}))
sds <- t(sapply(fits, function(f) {
  v <- as.data.frame(VarCorr(f))
  v$sdcor
}))
out <- list(
  R = R.version.string, mice = as.character(packageVersion("mice")), lme4 = as.character(packageVersion("lme4")),
  names = as.character(pooled$term), estimate = pooled$estimate, se = pooled$std.error, df = pooled$df,
  dfcom = pooled$dfcom, fmi = pooled$fmi, p = pooled$p.value, within = pooled$ubar, between = pooled$b,
  satterthwaite = list(dfcom = unname(satterthwaite), df = by_df[, "df"], fmi = by_df[, "fmi"], p = by_df[, "p"]),
  complete_cases = list(beta = unname(fixef(fit(0))), se = unname(summary(fit(0))$coefficients[, "Std. Error"])),
  sd = sds
)
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE), "missing.json")
