# What is asked of fitted generalised mixed models: standard errors of predictions (glmmTMB), Wald tests of terms (car),
# marginal means on both scales (emmeans, with z as glmer has it). Writes glmm_uses.json; run as: Rscript glmm_uses.R
suppressPackageStartupMessages({library(glmmTMB); library(lme4); library(car); library(emmeans); library(jsonlite)})

read_set <- function(name) {
  columns <- fromJSON(file.path("glmm", paste0(name, ".json")))$columns
  data <- read.csv(file.path("glmm", paste0(name, ".csv")), colClasses = "character")
  for (x in names(columns)) data[[x]] <- if (columns[[x]]$type == "factor") factor(data[[x]], columns[[x]]$levels) else as.numeric(data[[x]])
  data
}

# Tight fits: glmmTMB's default stopping rule leaves the fifth digit open.
tight <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-14), optimizer = nlminb)

models <- list(
  list(set = "bern_crossed", formula = y ~ x + female + (1 + x | person) + (1 | item), family = binomial()),
  list(set = "cbpp", formula = cbind(incidence, healthy) ~ period + (1 | herd), family = binomial()),
  list(set = "gamma_log", formula = y ~ x + f + (x | g), family = Gamma("log")),
  list(set = "nb_crossed", formula = y ~ x + (1 | site) + (1 | year), family = nbinom2())
)
predictions <- lapply(models, function(m) {
  data <- read_set(m$set)
  fit <- glmmTMB(m$formula, data, family = m$family, control = tight)
  rows <- c(1, 8, 20, 33)
  one <- function(type, form) { p <- predict(fit, se.fit = TRUE, type = type, re.form = form); list(fit = unname(p$fit[rows]), se = unname(p$se.fit[rows])) }
  list(set = m$set, rows = rows, link = one("link", NULL), response = one("response", NULL), none = one("link", NA))
})

tests <- function(set, formula, family) {
  data <- read_set(set)
  fit <- glmmTMB(formula, data, family = family, control = tight)
  two <- Anova(fit, type = 2)
  contrasts <- options(contrasts = c("contr.sum", "contr.poly")); on.exit(options(contrasts))
  three <- Anova(glmmTMB(formula, data, family = family, control = tight), type = 3)
  say <- function(a) { a <- a[rownames(a) != "(Intercept)", ]; list(term = rownames(a), chisq = a$Chisq, df = a$Df, p = a[["Pr(>Chisq)"]]) }
  list(set = set, formula = deparse1(formula), two = say(two), three = say(three))
}
anova <- list(tests("proportions", cbind(k, rest) ~ x * arm + (1 | g), binomial("probit")),
              tests("poisson_slopes", y ~ x * group + offset(log(hours)) + (1 | g), poisson()),
              tests("cbpp", cbind(incidence, healthy) ~ period + (1 | herd), binomial()))

means <- function(set, formula, family, specs) {
  fit <- glmmTMB(formula, read_set(set), family = family, control = tight)
  say <- function(type) {
    found <- emmeans(fit, specs, type = type, contr = "pairwise", df = Inf)
    a <- as.data.frame(summary(found$emmeans)); b <- as.data.frame(summary(found$contrasts, infer = c(TRUE, TRUE)))
    limits <- function(x) list(lower = x[[grep("^(lower|asymp.L)", names(x))]], upper = x[[grep("^(upper|asymp.U)", names(x))]])
    c(list(means = c(list(estimate = a[[2]], se = a$SE), limits(a)),
           contrasts = c(list(contrast = as.character(b$contrast), estimate = b[[2]], se = b$SE, z = b$z.ratio, p = b$p.value), limits(b))))
  }
  list(set = set, specs = specs, link = say("link"), response = say("response"))
}
emm <- list(means("cbpp", cbind(incidence, healthy) ~ period + (1 | herd), binomial(), "period"),
            means("gamma_log", y ~ x + f + (1 | g), Gamma("log"), "f"))
versions <- sapply(c("glmmTMB", "car", "emmeans"), function(p) as.character(packageVersion(p)))
write_json(list(R = R.version.string, packages = as.list(versions), predictions = predictions, anova = anova, emmeans = emm), "glmm_uses.json", digits = 12, auto_unbox = TRUE, pretty = FALSE)
