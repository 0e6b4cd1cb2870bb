# Conditional AICs (cAIC4), likelihood ratios (anova) and tests of a variance (RLRsim) -> selection.json.
# Data are those of this folder's CSV files; run from this folder: Rscript selection.R
source("common.R")
suppressPackageStartupMessages({
  library(cAIC4)
  library(RLRsim)
})
options(contrasts = c("contr.treatment", "contr.poly"), digits = 15)

read_set <- function(name) {
  columns <- fromJSON(paste0(name, ".json"))$columns
  frame <- read.csv(paste0(name, ".csv"), colClasses = "character", na.strings = "")
  for (column in names(columns)) {
    levels <- columns[[column]]$levels
    frame[[column]] <- if (is.null(levels)) as.numeric(frame[[column]]) else factor(frame[[column]], levels)
  }
  frame
}
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.2, rhoend = 1e-10, maxfun = 1e5),
                     check.conv.singular = "ignore", calc.derivs = FALSE)
# cAIC4 finds the data again through the call: it has to be a global variable, and the formula part of the call
fit_of <- function(formula, REML) {
  quietly(eval(bquote(lme4::lmer(.(formula), set, REML = .(REML), control = tight))))
}

caic_of <- function(data, formula) {
  set <<- read_set(data)
  one <- function(REML) {
    fit <- fit_of(as.formula(formula), REML)
    found <- quietly(cAIC(fit))
    list(loglik = found$loglikelihood, rho = found$df, caic = found$caic, dropped = isTRUE(found$new),
         formula = if (isTRUE(found$new)) paste(deparse(formula(found$reducedModel), width.cutoff = 500), collapse = "") else NULL)
  }
  list(data = data, formula = formula, REML = one(TRUE), ML = one(FALSE))
}

anova_of <- function(data, small, large, refit) {
  set <<- read_set(data)
  found <- quietly(anova(fit_of(as.formula(small), TRUE), fit_of(as.formula(large), TRUE), refit = refit))
  list(data = data, small = small, large = large, refit = refit, npar = I(found$npar), AIC = I(found$AIC),
       BIC = I(found$BIC), chisq = found$Chisq[2], df = found$Df[2], p = found[["Pr(>Chisq)"]][2])
}

rlrt_of <- function(data, formula, null = NULL, tested = NULL, n = 100000) {
  set <<- read_set(data)
  full <- fit_of(as.formula(formula), TRUE)
  found <- if (is.null(null)) quietly(exactRLRT(full, seed = 1, nsim = n)) else
    quietly(exactRLRT(fit_of(as.formula(tested), TRUE), full, fit_of(as.formula(null), TRUE), seed = 1, nsim = n))
  sample <- found$sample
  list(data = data, formula = formula, null = null, tested = tested, n = n, rlr = unname(found$statistic), p = found$p.value,
       zeros = if (is.null(sample)) NULL else mean(sample == 0),
       quantiles = if (is.null(sample)) NULL else I(unname(quantile(sample, c(0.8, 0.9, 0.95, 0.99)))))
}

out <- list(
  R = R.version.string,
  packages = object_of(sapply(c("lme4", "cAIC4", "RLRsim"), function(p) as.character(packageVersion(p)))),
  caic = list(
    caic_of("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    caic_of("sleepstudy", "Reaction ~ Days + (Days || Subject)"),
    caic_of("sleepstudy", "Reaction ~ Days + (1 | Subject)"),
    caic_of("sleepstudy", "Reaction ~ 1 + (Days | Subject)"),
    caic_of("penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    caic_of("pastes", "strength ~ 1 + (1 | batch/cask)"),
    caic_of("singular_intercept", "y ~ x + (1 | g) + (1 | h)"),
    caic_of("tiny_groups", "y ~ x + (1 | g)")
  ),
  anova = list(
    anova_of("sleepstudy", "Reaction ~ Days + (1 | Subject)", "Reaction ~ Days + (Days | Subject)", FALSE),
    anova_of("sleepstudy", "Reaction ~ 1 + (Days | Subject)", "Reaction ~ Days + (Days | Subject)", TRUE),
    anova_of("penicillin", "diameter ~ 1 + (1 | plate)", "diameter ~ 1 + (1 | plate) + (1 | sample)", FALSE)
  ),
  rlrt = list(
    rlrt_of("sleepstudy", "Reaction ~ Days + (1 | Subject)"),
    rlrt_of("dyestuff", "Yield ~ 1 + (1 | Batch)"),
    rlrt_of("tiny_groups", "y ~ x + (1 | g)"),
    rlrt_of("pastes", "strength ~ 1 + (1 | batch:cask) + (1 | batch)", "strength ~ 1 + (1 | batch:cask)", "strength ~ 1 + (1 | batch)")
  )
)
write_json_file(out, "selection.json")
