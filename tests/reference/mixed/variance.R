# Makes variance.json: variances, R2 and ICC of the linear mixed models of this folder, from their definitions and, where
# it computes the same thing, from performance. Run it from here after generate.R: Rscript variance.R
source("common.R")
suppressPackageStartupMessages({
  library(performance)
})
source("fit.R")

read_set <- function(name) {
  described <- fromJSON(paste0(name, ".json"), simplifyDataFrame = FALSE)
  columns <- described$columns
  frame <- read.csv(paste0(name, ".csv"), colClasses = sapply(columns, function(x) if (x$type == "factor") "character" else "numeric"))
  for (column in names(columns)) if (columns[[column]]$type == "factor") frame[[column]] <- factor(frame[[column]], columns[[column]]$levels)
  list(frame = frame, models = described$models)
}

# Variance that each random term adds to a row, averaged over rows: mean of z' Sigma z. Ztlist has a matrix for each
# column of each term; a row's value of the column stands in the row of its level, and is their sum.
term_variances <- function(fit) {
  blocks <- lme4::VarCorr(fit)
  columns <- lapply(getME(fit, "Ztlist"), Matrix::colSums)
  term <- rep(seq_along(blocks), sapply(blocks, nrow))
  stopifnot(length(term) == length(columns))
  sapply(setNames(seq_along(blocks), names(blocks)), function(t) {
    Z <- do.call(cbind, columns[term == t])
    mean(rowSums((Z %*% as.matrix(blocks[[t]])) * Z))
  })
}

numbers <- function(fit) {
  terms <- term_variances(fit)
  fixed <- var(drop(getME(fit, "X") %*% lme4::fixef(fit)))
  residual <- sigma(fit)^2 * mean(1 / weights(fit))
  total <- fixed + sum(terms) + residual
  list(group = I(sub("\\.[0-9]+$", "", names(terms))), terms = I(unname(terms)), fixed = fixed, residual = residual,
       marginal = fixed / total, conditional = (fixed + sum(terms)) / total,
       adjusted = sum(terms) / (sum(terms) + residual), unadjusted = sum(terms) / total)
}

# performance: only where it uses the same definition (no weights, no ||, nothing on the boundary, and no slope without
# a fixed effect: insight 0.19 leaves the variance of those out, with a warning).
theirs <- function(fit) {
  split <- anyDuplicated(getME(fit, "flist") |> attr("assign")) > 0
  extra <- setdiff(unlist(getME(fit, "cnms")), names(lme4::fixef(fit)))
  if (isSingular(fit) || split || length(extra) || any(weights(fit) != 1)) return(NULL)
  r2 <- quietly(r2_nakagawa(fit)); single <- quietly(performance::icc(fit))
  list(marginal = unname(r2$R2_marginal), conditional = unname(r2$R2_conditional),
       adjusted = single$ICC_adjusted, unadjusted = single$ICC_unadjusted)
}

SETS <- c("sleepstudy", "penicillin", "pastes", "nested_three", "several_terms", "crossed_slopes", "singular_slope",
          "zero_variance", "wide_weights", "factor_slopes")
SKIP <- c("missing")
out <- list()
for (name in SETS) {
  set <- read_set(name)
  for (spec in set$models) {
    if (spec$name %in% SKIP || !is.null(spec$subset)) next
    spec$formula <- as.formula(spec$r_formula, env = globalenv())
    spec$data <- name
    assign(name, set$frame, globalenv())
    fit <- polished(spec, TRUE)$fit
    key <- paste(name, spec$name, sep = "-")
    out[[key]] <- c(numbers(fit), list(performance = theirs(fit)))
    message(key)
  }
}

# Correlation of two rows of a subject that are at the same day, from the marginal covariance matrix.
slope <- polished(list(formula = Reaction ~ Days + (Days | Subject), data = "sleepstudy"), TRUE)$fit
Z <- cbind(1, 0:9)
Sigma <- as.matrix(lme4::VarCorr(slope)$Subject)[1:2, 1:2]
between <- diag(Z %*% Sigma %*% t(Z))
curve <- between / (between + sigma(slope)^2)

# lmList is no pooling, lm complete pooling; conditional variances give the shrinkage factors.
each <- coef(lme4::lmList(Reaction ~ Days | Subject, sleepstudy))
modes <- lme4::ranef(slope, condVar = TRUE)$Subject
spread <- attr(modes, "postVar")
pooling <- list(level = I(rownames(each)), intercept = I(each[, 1]), slope = I(each[, 2]),
  partial_intercept = I(coef(slope)$Subject[, 1]), partial_slope = I(coef(slope)$Subject[, 2]),
  complete = I(unname(coef(lm(Reaction ~ Days, sleepstudy)))),
  factor_intercept = I(1 - spread[1, 1, ] / Sigma[1, 1]), factor_slope = I(1 - spread[2, 2, ] / Sigma[2, 2]))

# Variances of single observations, as insight computes them (log link), and by the other methods of the 2017 paper.
observation <- function(cv2) list(delta = cv2, lognormal = log1p(cv2), trigamma = trigamma(1 / cv2))
latent <- list(
  poisson = c(mu = 4.2, observation(poisson()$variance(4.2) / 4.2^2)),
  negative_binomial = c(mu = 4.2, size = 1.7, observation(MASS::negative.binomial(1.7)$variance(4.2) / 4.2^2)),
  gamma = c(mu = 4.2, dispersion = 0.3, observation(0.3)),
  logit = list(mu = 0.3, delta = 1 / (0.3 * 0.7)),
  probit = list(mu = 0.3, delta = 0.3 * 0.7 / dnorm(qnorm(0.3))^2))
generalised <- function(fit) {
  null <- update(fit, . ~ 1 + (1 | herd))
  v <- as.numeric(lme4::VarCorr(null)$herd)
  list(fixed = var(drop(getME(fit, "X") %*% lme4::fixef(fit))), term = as.numeric(lme4::VarCorr(fit)$herd),
       mean = integrate(function(z) family(fit)$linkinv(lme4::fixef(null) + sqrt(v) * z) * dnorm(z), -Inf, Inf, rel.tol = 1e-10)$value,
       performance = as.list(unlist(quietly(r2_nakagawa(fit)))), icc = quietly(performance::icc(fit))$ICC_adjusted)
}
binary <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial)
write_json_file(list(fits = out, curve = I(unname(curve)), pooling = pooling, latent = latent,
  cbpp = c(as.list(as.data.frame(lapply(cbpp, function(x) as.numeric(as.character(x))))), generalised(binary))), "variance.json")
