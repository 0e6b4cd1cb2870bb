# Growth curves three times: lme4's lmer by ML, nlme's lme with a residual variance per occasion, lavaan's growth() with
# the model texts that mixsem writes. `Rscript growth.R`, from this folder, writes growth.csv and growth.json.
source("common.R")
suppressPackageStartupMessages({
  library(nlme)
  library(lavaan)
})

# ---- data: 80 people, times 0, 1, 2, 3, 5 of which about a fifth is missing, residuals that shrink with time ---------
set.seed(20261)
people <- data.frame(id = 1:80, sex = sample(c("f", "m"), 80, TRUE), age = round(rnorm(80, 40, 9)))
b <- matrix(rnorm(160), 80) %*% chol(matrix(c(4, 0.6, 0.6, 0.5), 2))
d <- merge(expand.grid(time = c(0, 1, 2, 3, 5), id = 1:80), people)
d$y <- round(10 + 0.08 * d$age + (1.2 - 0.4 * (d$sex == "m")) * d$time + b[d$id, 1] + b[d$id, 2] * d$time +
  rnorm(nrow(d), sd = 1.6 - 0.2 * d$time), 2)
full <- d[order(d$id, d$time), c("id", "time", "sex", "age", "y")]
full$kept <- as.integer(runif(nrow(full)) > 0.2)
write_exact_csv(full, "growth.csv")
full <- read.csv("growth.csv")
full$sex <- factor(full$sex)
d <- full[full$kept == 1, ]
sleep <- read.csv("sleepstudy.csv")

# ---- the texts ----------------------------------------------------------------------------------------------------
curve_text <- function(response, times, name, regressions, residuals) {
  items <- paste0(response, "_", times)
  c("# growth factors",
    paste("Intercept =~", paste0("1*", items, collapse = " + ")),
    paste(name, "=~", paste0(times, "*", items, collapse = " + ")),
    "# means", "Intercept ~ 1", paste(name, "~ 1"),
    "# variances and covariances", "Intercept ~~ Intercept", paste(name, "~~", name), paste("Intercept ~~", name),
    if (length(regressions)) c("# covariates", regressions),
    "# residual variances", paste0(items, " ~~ ", residuals, items))
}
text_of <- function(...) paste(curve_text(...), collapse = "\n")
with_covariates <- c("Intercept ~ sex_m", "Intercept ~ age", "time ~ sex_m")

# ---- wide tables ----------------------------------------------------------------------------------------------------
wide_of <- function(frame, id, time, value) reshape(frame[c(id, time, value)], idvar = id, timevar = time, direction = "wide", sep = "_")
wide_sleep <- wide_of(sleep, "Subject", "Days", "Reaction")
joined <- function(frame) {
  wide <- wide_of(frame, "id", "time", "y")
  cbind(wide, sex_m = as.numeric(people$sex[wide$id] == "m"), age = people$age[wide$id])
}
people$sex <- factor(people$sex)

# ---- numbers -----------------------------------------------------------------------------------------------------------
lavaan_numbers <- function(text, wide, id, missing) {
  fit <- growth(text, wide, missing = missing)
  estimates <- subset(parameterEstimates(fit), !(op %in% c("=~")) & (op != "~1" | lhs %in% lavNames(fit, "lv")))
  scores <- lavPredict(fit)
  rownames(scores) <- wide[[id]][inspect(fit, "case.idx")]
  list(text = text, missing = missing, logLik = as.numeric(logLik(fit)), npar = fitMeasures(fit, "npar")[[1]],
       chisq = fitMeasures(fit, "chisq")[[1]], df = fitMeasures(fit, "df")[[1]], bic = BIC(fit), people = nobs(fit),
       estimates = table_of(estimates[c("lhs", "op", "rhs", "est", "se")], FALSE),
       scores = matrix_of(scores[seq_len(5), ]))
}
lmer_numbers <- function(formula, frame, group) {
  fit <- lmer(formula, frame, REML = FALSE, control = lmerControl(optCtrl = list(xtol_abs = 1e-10, ftol_abs = 1e-10)))
  vc <- VarCorr(fit)[[group]]
  list(logLik = as.numeric(logLik(fit)), beta = object_of(fixef(fit)), se = object_of(sqrt(diag(as.matrix(vcov(fit))))), cov = matrix_of(unclass(vc)[, ]),
       cor = attr(vc, "correlation")[1, 2], sigma = sigma(fit))
}
lme_numbers <- function(fixed, random, by, frame) {
  control <- lmeControl(maxIter = 500, msMaxIter = 2000, niterEM = 50, tolerance = 1e-10, msTol = 1e-12, msMaxEval = 10000)
  fit <- lme(fixed, frame, random, weights = varIdent(form = by), method = "ML", control = control)
  ratios <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
  list(logLik = as.numeric(logLik(fit)), beta = object_of(fixef(fit)), se = object_of(sqrt(diag(fit$varFix))),
       cov = matrix_of(unclass(getVarCov(fit))[1:2, 1:2]), residual_sd = object_of(fit$sigma * ratios[order(as.numeric(names(ratios)))]))
}
sets <- list(
  sleepstudy = list(
    lmer = lmer_numbers(Reaction ~ Days + (Days | Subject), sleep, "Subject"),
    lme = lme_numbers(Reaction ~ Days, ~ Days | Subject, ~ 1 | Days, sleep),
    equal = lavaan_numbers(text_of("Reaction", 0:9, "Days", NULL, "residual*"), wide_sleep, "Subject", "listwise"),
    free = lavaan_numbers(text_of("Reaction", 0:9, "Days", NULL, ""), wide_sleep, "Subject", "listwise")),
  growth = list(
    lmer = lmer_numbers(y ~ time * sex + age + (time | id), d, "id"),
    lme = lme_numbers(y ~ time * sex + age, ~ time | id, ~ 1 | time, d),
    equal = lavaan_numbers(text_of("y", c(0, 1, 2, 3, 5), "time", with_covariates, "residual*"), joined(d), "id", "ml"),
    free = lavaan_numbers(text_of("y", c(0, 1, 2, 3, 5), "time", with_covariates, ""), joined(d), "id", "ml"),
    listwise = lavaan_numbers(text_of("y", c(0, 1, 2, 3, 5), "time", with_covariates, "residual*"), joined(d), "id", "listwise")))

out <- list(R = R.version.string, packages = object_of(sapply(c("lme4", "nlme", "lavaan"), function(p) as.character(packageVersion(p)))), sets = sets)
write_json_file(out, "growth.json")
for (name in names(sets)) for (part in names(sets[[name]])) message(sprintf("%s %s %.8f", name, part, sets[[name]][[part]]$logLik))
