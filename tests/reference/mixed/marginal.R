# What R says about the alternatives to mixed models: clubSandwich, sandwich, plm, geepack; lme4 for the Mundlak model.
# `Rscript marginal.R`, run from this folder, writes marginal.json (data included: all sets are small).
source("common.R")
suppressPackageStartupMessages({
  library(clubSandwich)
  library(sandwich)
  library(plm)
  library(geepack)
})
PACKAGES <- c("clubSandwich", "sandwich", "plm", "geepack", "lme4", "jsonlite")

# ---- data ----------------------------------------------------------------------------------------------------------

sleep <- read.csv("sleepstudy.csv")[c("Reaction", "Days", "Subject", "w")]

# Twelve schools of very different sizes; treat and size are the same for a whole school.
few_schools <- function() {
  set.seed(81)
  sizes <- c(2, 3, 4, 5, 6, 8, 9, 12, 15, 20, 25, 30)
  school <- rep(seq_along(sizes), sizes)
  treat <- as.numeric(seq_along(sizes) %% 3 == 0)[school]
  ses <- round(rnorm(length(school)) + rnorm(length(sizes))[school], 2)
  girl <- as.numeric(runif(length(school)) < 0.5)
  w <- sample(c(0.5, 1, 2, 4), length(school), TRUE)
  slope <- rnorm(length(sizes), 1, 0.5)[school]
  y <- round(2 + treat + slope * ses + 0.5 * girl + rnorm(length(sizes))[school] + rnorm(length(school)), 2)
  data.frame(school, treat, ses, girl, w, y)
}

# Forty people, up to seven occasions, of which some are missing; rows are shuffled.
panel <- function() {
  set.seed(82)
  frame <- expand.grid(occ = 0:6, person = 1:40)
  e <- unlist(lapply(1:40, function(i) as.numeric(arima.sim(list(ar = 0.6), 7))))
  frame$x <- round(rnorm(280) + rnorm(40)[frame$person], 2)
  frame$group <- as.numeric(frame$person %% 2 == 0)
  frame$y <- round(1 + 0.5 * frame$x + 0.3 * frame$occ + 0.4 * frame$group + e, 2)
  frame$event <- as.numeric(runif(280) < plogis(-0.5 + 0.6 * frame$x + rnorm(40)[frame$person]))
  frame$count <- rpois(280, exp(0.2 + 0.3 * frame$x + 0.4 * frame$group + 0.5 * rnorm(40)[frame$person]))
  frame <- frame[sort(sample(280, 230)), ]
  frame[sample(nrow(frame)), c("person", "occ", "x", "group", "y", "event", "count")]
}

herds <- within(lme4::cbpp, {
  herd <- as.integer(as.character(herd))
  period <- paste0("p", period)
  share <- incidence / size
})[c("herd", "period", "incidence", "size")]

SETS <- list(sleep = sleep, schools = few_schools(), panel = panel(), herds = herds)

# ---- cluster-robust errors -----------------------------------------------------------------------------------------

robust <- function(set, formula, cluster, weights = NULL) {
  frame <- SETS[[set]]
  frame$.w <- if (is.null(weights)) 1 else frame[[weights]]
  model <- if (is.null(weights)) lm(formula, frame) else lm(formula, frame, weights = .w)
  kinds <- lapply(c(CR0 = "CR0", CR1 = "CR1", CR1S = "CR1S", CR2 = "CR2", CR3 = "CR3"), function(type) {
    found <- coef_test(model, vcovCR(model, cluster = frame[[cluster]], type = type), test = c("Satterthwaite", "naive-t"))
    list(se = I(found$SE), df = I(found$df_Satt), p = I(found$p_Satt), p_naive = I(found$p_t))
  })
  inverse <- NULL
  if (!is.null(weights)) {
    # weights as inverse variances: least squares of rows times their roots
    X <- model.matrix(formula, frame) * sqrt(frame$.w)
    scaled <- lm(I(y * sqrt(w)) ~ X - 1, list(y = model.response(model.frame(formula, frame)), w = frame$.w, X = X))
    found <- coef_test(scaled, vcovCR(scaled, cluster = frame[[cluster]], type = "CR2"), test = "Satterthwaite")
    inverse <- list(se = I(found$SE), df = I(found$df_Satt))
  }
  list(
    set = set, formula = deparse1(formula), cluster = cluster, weights = weights, beta = object_of(coef(model)),
    kinds = kinds, inverse = inverse, vcovCL = I(sqrt(diag(sandwich::vcovCL(model, cluster = frame[[cluster]]))))
  )
}

# ---- within --------------------------------------------------------------------------------------------------------

within_fit <- function(set, formula, cluster) {
  frame <- SETS[[set]]
  model <- do.call(plm, list(formula, data = frame, index = cluster, model = "within"))  # clubSandwich evaluates the call
  cr2 <- coef_test(model, vcovCR(model, cluster = frame[[cluster]], type = "CR2"), test = "Satterthwaite")
  dummies <- lm(update(formula, as.formula(paste("~ . + factor(", cluster, ")"))), frame)
  kept <- names(coef(model))
  robust <- coef_test(dummies, vcovCR(dummies, cluster = frame[[cluster]], type = "CR2"), test = "Satterthwaite")[kept, ]
  list(
    set = set, formula = deparse1(formula), cluster = cluster, beta = object_of(coef(model)),
    se = I(unname(sqrt(diag(vcov(model))))), df = df.residual(model),
    se_lm = I(unname(summary(dummies)$coefficients[kept, 2])),
    cr0 = I(unname(sqrt(diag(vcovHC(model, type = "HC0", cluster = "group"))))),
    sss = I(unname(sqrt(diag(vcovHC(model, type = "sss", cluster = "group"))))),
    cr2 = list(se = I(cr2$SE), df = I(cr2$df_Satt)), cr2_lm = list(se = I(robust$SE), df = I(robust$df_Satt))
  )
}

# ---- GEE -----------------------------------------------------------------------------------------------------------

gee_fit <- function(set, formula, cluster, family, working, time = NULL, weights = NULL) {
  frame <- SETS[[set]]
  frame <- frame[order(frame[[cluster]], if (is.null(time)) seq_len(nrow(frame)) else frame[[time]]), ]
  frame$.id <- frame[[cluster]]
  frame$.wave <- if (is.null(time)) NULL else frame[[time]] + 1
  # Rows times the roots of the weights: geepack's own weights enter its correlation in another way.
  root <- if (is.null(weights)) 1 else sqrt(frame[[weights]])
  X <- model.matrix(formula, frame) * root
  frame$.y <- model.response(model.frame(formula, frame)) * root
  control <- geese.control(epsilon = 1e-12, maxit = 200)
  arguments <- list(.y ~ X - 1, data = frame, id = quote(.id), family = family, corstr = working,
                    control = control)
  if (!is.null(time)) arguments$waves <- quote(.wave)
  model <- suppressWarnings(do.call(geeglm, arguments))
  stopifnot(is.null(weights) || family$family == "gaussian")
  list(
    set = set, formula = deparse1(formula), cluster = cluster, family = family$family, link = family$link,
    working = working, time = time, weights = weights, beta = object_of(setNames(coef(model), colnames(X))),
    se = I(unname(sqrt(diag(model$geese$vbeta)))), naive = I(unname(sqrt(diag(model$geese$vbeta.naiv)))),
    scale = unname(model$geese$gamma), alpha = if (working == "independence") NULL else unname(model$geese$alpha)
  )
}

# ---- Mundlak -------------------------------------------------------------------------------------------------------

mundlak_fit <- function(set, outcome, within, between, cluster) {
  frame <- SETS[[set]]
  means <- paste0("mean_", within)
  for (name in within) frame[[paste0("mean_", name)]] <- ave(frame[[name]], frame[[cluster]])
  text <- paste(outcome, "~", paste(c(within, between, means), collapse = " + "), "+ (1 |", cluster, ")")
  model <- lmer(as.formula(text), frame, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12)))
  V <- as.matrix(vcov(model))[means, means, drop = FALSE]
  b <- fixef(model)[means]
  list(
    set = set, outcome = outcome, within = I(within), between = I(between), cluster = cluster,
    beta = object_of(fixef(model)), se = I(unname(sqrt(diag(as.matrix(vcov(model)))))),
    cr1 = I(unname(sqrt(diag(as.matrix(vcovCR(model, type = "CR1")))))),  # of the mixed model's own estimates
    chisq = drop(b %*% solve(V, b)), df = length(means)
  )
}

out <- list(
  R = R.version.string,
  packages = lapply(setNames(PACKAGES, PACKAGES), function(p) as.character(packageVersion(p))),
  data = lapply(SETS, function(frame) lapply(frame, function(x) I(x))),
  robust = list(
    robust("sleep", Reaction ~ Days, "Subject"),
    robust("sleep", Reaction ~ Days, "Subject", "w"),
    robust("schools", y ~ treat + ses + girl, "school"),
    robust("schools", y ~ treat + ses + girl, "school", "w"),
    robust("panel", y ~ x * group + occ, "person")
  ),
  within = list(
    within_fit("sleep", Reaction ~ Days, "Subject"),
    within_fit("schools", y ~ ses + girl + ses:treat, "school"),
    within_fit("panel", y ~ x + occ + x:group, "person")
  ),
  gee = list(
    gee_fit("sleep", Reaction ~ Days, "Subject", gaussian(), "independence"),
    gee_fit("sleep", Reaction ~ Days, "Subject", gaussian(), "exchangeable"),
    gee_fit("schools", y ~ treat + ses + girl, "school", gaussian(), "exchangeable"),
    gee_fit("schools", y ~ treat + ses + girl, "school", gaussian(), "exchangeable", weights = "w"),
    gee_fit("panel", y ~ x + occ + group, "person", gaussian(), "ar1", time = "occ"),
    gee_fit("panel", event ~ x + occ, "person", binomial(), "independence"),
    gee_fit("panel", event ~ x + occ, "person", binomial(), "exchangeable"),
    gee_fit("panel", event ~ x + occ, "person", binomial("probit"), "exchangeable"),
    gee_fit("panel", count ~ x + group, "person", poisson(), "exchangeable"),
    gee_fit("panel", count ~ x + group, "person", poisson(), "ar1", time = "occ")
  ),
  mundlak = list(
    mundlak_fit("schools", "y", c("ses", "girl"), "treat", "school"),
    mundlak_fit("panel", "y", c("x", "occ"), "group", "person")
  )
)
write_json_file(out, "marginal.json")
