# Structured residuals in nlme's lme that residual.R does not have: negative phi with odd and even gaps, prior weights,
# nested groups, both structures at once; and lavaan's growth curve. `Rscript generate.R`, from this folder, writes
# schools.csv and fits.json.
library(nlme)
library(jsonlite)

set.seed(20260)
# 8 schools x 6 pupils, occasions 0..9 of which about a third is missing; AR(1) within pupil with phi = -0.5, residual SD
# 1.8 times as large for form "b" as for form "a"; weights.
d <- expand.grid(time = 0:9, pupil = 1:6, school = 1:8)
d$pupil <- d$school * 100 + d$pupil
d$x <- round(rnorm(nrow(d)), 2)
d$form <- sample(c("a", "b"), nrow(d), TRUE)
d$w <- round(runif(nrow(d), 0.5, 2), 2)
e <- rnorm(nrow(d))
for (i in which(d$time > 0)) e[i] <- -0.5 * e[i - 1] + sqrt(0.75) * e[i]
d$y <- round(3 + 0.5 * d$x + rep(rnorm(8), each = 60) + rep(rnorm(48, sd = 0.8), each = 10) + e * ifelse(d$form == "b", 1.8, 1) / sqrt(d$w), 3)
d <- d[runif(nrow(d)) > 0.33, ]
d <- d[order(d$school, d$pupil, d$time), ]
d <- d[which(d$form == "a")[1]:nrow(d), ]     # nlme takes the first stratum it meets as the reference
d$iw <- 1 / d$w
write.csv(d[sample(nrow(d)), c("school", "pupil", "time", "form", "x", "w", "y")], "schools.csv", row.names = FALSE, quote = FALSE)
sleep <- read.csv("../sleepstudy.csv")

control <- lmeControl(maxIter = 500, msMaxIter = 2000, niterEM = 50, tolerance = 1e-10, msTol = 1e-12, msMaxEval = 10000, opt = "nlminb")
cases <- list(
  list(name = "negative_phi", data = "schools", ar1 = c("pupil", "time"),
       call = quote(lme(y ~ x, d, ~ 1 | school / pupil)), ours = "y ~ x + (1 | school/pupil)", cor = quote(corAR1(form = ~ time | school / pupil))),
  list(name = "both", data = "schools", by = "form", ar1 = c("pupil", "time"),
       call = quote(lme(y ~ x, d, ~ 1 | school / pupil)), ours = "y ~ x + (1 | school/pupil)", cor = quote(corAR1(form = ~ time | school / pupil)),
       var = quote(varIdent(form = ~ 1 | form))),
  list(name = "both_weighted", data = "schools", by = "form", ar1 = c("pupil", "time"), weights = "w",
       call = quote(lme(y ~ x, d, ~ 1 | school / pupil)), ours = "y ~ x + (1 | school/pupil)", cor = quote(corAR1(form = ~ time | school / pupil)),
       var = quote(varComb(varIdent(form = ~ 1 | form), varFixed(~ iw)))),
  list(name = "by_weighted", data = "schools", by = "form", weights = "w",
       call = quote(lme(y ~ x, d, ~ 1 | school / pupil)), ours = "y ~ x + (1 | school/pupil)", var = quote(varComb(varIdent(form = ~ 1 | form), varFixed(~ iw)))),
  list(name = "sleep_by_day", data = "sleepstudy", by = "Days",
       call = quote(lme(Reaction ~ Days, sleep, ~ Days | Subject)), ours = "Reaction ~ Days + (Days | Subject)", var = quote(varIdent(form = ~ 1 | Days))),
  list(name = "sleep_both", data = "sleepstudy", by = "Days", ar1 = c("Subject", "Days"),
       call = quote(lme(Reaction ~ Days, sleep, ~ 1 | Subject)), ours = "Reaction ~ Days + (1 | Subject)", var = quote(varIdent(form = ~ 1 | Days)),
       cor = quote(corAR1(form = ~ Days | Subject))))

numbers <- function(case, method) {
  call <- case$call
  call$weights <- case$var
  call$correlation <- case$cor
  call$method <- method
  call$control <- quote(control)
  seconds <- system.time(fit <- eval(call))[["elapsed"]]
  message(sprintf("%-16s %-4s %.2f s  logLik %.8f", case$name, method, seconds, logLik(fit)))
  structure <- fit$modelStruct$varStruct
  ratios <- if (is.null(structure)) NULL else {
    part <- if (inherits(structure, "varComb")) structure[[1]] else structure
    as.list(coef(part, unconstrained = FALSE, allCoef = TRUE))
  }
  phi <- if (is.null(case$cor)) NULL else unname(coef(fit$modelStruct$corStruct, unconstrained = FALSE))
  rows <- if (case$data == "sleepstudy") order(sleep$Subject, sleep$Days) else order(d$pupil, d$time)
  list(logLik = as.numeric(logLik(fit)), df = attr(logLik(fit), "df"), sigma = fit$sigma, phi = phi, ratios = ratios,
       beta = as.list(fixef(fit)), se = as.list(sqrt(diag(fit$varFix))),
       pearson = as.numeric(residuals(fit, type = "pearson"))[rows][1:8],
       normalized = as.numeric(residuals(fit, type = "normalized"))[rows][1:8])
}
out <- lapply(cases, function(case) list(name = case$name, data = case$data, formula = case$ours, by = case$by, ar1 = case$ar1,
  weights = case$weights, REML = numbers(case, "REML"), ML = numbers(case, "ML")))

# lavaan's default growth curve has a residual variance for each occasion.
wide <- reshape(sleep[c("Subject", "Days", "Reaction")], idvar = "Subject", timevar = "Days", direction = "wide", sep = "")
items <- paste0("Reaction", 0:9)
growth <- lavaan::growth(paste("i =~", paste0("1*", items, collapse = " + "), "\ns =~", paste0(0:9, "*", items, collapse = " + ")), wide)
variances <- subset(lavaan::parameterEstimates(growth), op == "~~" & lhs == rhs & lhs %in% items)$est
lavaan_numbers <- list(version = as.character(packageVersion("lavaan")), logLik = as.numeric(lavaan::logLik(growth)), residual_sd = sqrt(variances))

write(toJSON(list(R = R.version.string, nlme = as.character(packageVersion("nlme")), growth = lavaan_numbers, cases = out), auto_unbox = TRUE, digits = I(12), null = "null", pretty = TRUE),
      "fits.json")
