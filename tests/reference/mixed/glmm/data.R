# The data sets: cbpp from lme4, all others simulated with a fixed seed and rounded before anything is fitted.
labelled <- function(prefix, i) factor(paste0(prefix, i), levels = paste0(prefix, sort(unique(i))))

DATA <- list(
  cbpp = function() {
    d <- lme4::cbpp
    d$prop <- signif(d$incidence / d$size, 15)
    d$healthy <- d$size - d$incidence
    d$obs <- factor(paste0("o", seq_len(nrow(d))), levels = paste0("o", seq_len(nrow(d))))
    d
  },
  bern_crossed = function() {
    set.seed(801)
    d <- expand.grid(item = 1:16, person = 1:40)
    d$x <- round(rnorm(nrow(d)), 2)
    d$female <- rep(rbinom(40, 1, 0.5), each = 16)
    a <- rnorm(40); s <- 0.1 * a + rnorm(40, sd = 0.8); i <- rnorm(16, sd = 0.8)
    d$y <- rbinom(nrow(d), 1, plogis(-0.3 + 0.8 * d$x + 0.5 * d$female + 1.1 * a[d$person] + s[d$person] * d$x + i[d$item]))
    d <- d[runif(nrow(d)) > 0.1, ]
    d$person <- labelled("p", d$person); d$item <- labelled("i", d$item)
    d
  },
  proportions = function() {
    set.seed(802)
    d <- data.frame(g = rep(1:50, each = 5))
    d$x <- round(runif(250, -1, 1), 2)
    d$arm <- factor(sample(c("control", "low", "high"), 250, TRUE), c("control", "low", "high"))
    d$n <- sample(2:25, 250, TRUE)
    eta <- -0.5 + 0.7 * d$x + c(0, 0.4, 0.9)[d$arm] + rnorm(50, sd = 0.9)[d$g]
    d$k <- rbinom(250, d$n, plogis(eta))
    d$rest <- d$n - d$k
    d$prop <- signif(d$k / d$n, 15)
    d$g <- labelled("g", d$g)
    d
  },
  poisson_slopes = function() {
    set.seed(803)
    d <- data.frame(g = rep(1:40, each = 8))
    d$x <- round(rnorm(320), 2)
    d$group <- factor(rep(sample(c("a", "b"), 40, TRUE), each = 8))
    d$hours <- round(runif(320, 0.5, 6), 1)
    a <- rnorm(40, sd = 0.6); s <- 0.4 * a + rnorm(40, sd = 0.3)
    d$y <- rpois(320, d$hours * exp(0.3 + 0.4 * (d$group == "b") + a[d$g] + (0.3 + s[d$g]) * d$x))
    d$g <- labelled("g", d$g)
    d
  },
  poisson_nested = function() {
    set.seed(820)
    d <- expand.grid(row = 1:5, ward = 1:6, hospital = 1:12)
    d$x <- round(rnorm(360), 2)
    d$y <- rpois(360, exp(0.8 + 0.3 * d$x + rnorm(72, sd = 0.5)[(d$hospital - 1) * 6 + d$ward]))
    d$hospital <- labelled("h", d$hospital); d$ward <- labelled("w", d$ward)
    d
  },
  nb_crossed = function() {
    set.seed(805)
    d <- expand.grid(site = 1:12, year = 1:30)
    d$x <- round(rnorm(360), 2)
    d$y <- rnbinom(360, size = 2.5, mu = exp(1 + 0.5 * d$x + rnorm(12, sd = 0.5)[d$site] + rnorm(30, sd = 0.7)[d$year]))
    d$site <- labelled("s", d$site); d$year <- labelled("y", d$year)
    d
  },
  gamma_log = function() {
    set.seed(806)
    d <- data.frame(g = rep(1:36, each = 8))
    d$x <- round(rnorm(288), 2)
    d$f <- factor(sample(c("u", "v", "w"), 288, TRUE))
    mu <- exp(1.2 + 0.3 * d$x + c(0, 0.2, -0.4)[d$f] + rnorm(36, sd = 0.5)[d$g] + rnorm(36, sd = 0.25)[d$g] * d$x)
    d$y <- signif(rgamma(288, shape = 3, scale = mu / 3), 5)
    d$w <- sample(c(0.5, 1, 2), 288, TRUE)
    d$g <- labelled("g", d$g)
    d
  },
  gamma_inverse = function() {
    set.seed(807)
    d <- data.frame(g = rep(1:30, each = 8))
    d$x <- round(runif(240), 2)
    eta <- 1.2 + 0.8 * d$x + rnorm(30, sd = 0.2)[d$g]
    d$y <- signif(rgamma(240, shape = 6, scale = 1 / eta / 6), 5)
    d$g <- labelled("g", d$g)
    d
  },
  inverse_gaussian = function() {
    set.seed(808)
    d <- data.frame(g = rep(1:40, each = 7))
    d$x <- round(rnorm(280), 2)
    mu <- exp(0.5 + 0.3 * d$x + rnorm(40, sd = 0.5)[d$g])
    d$y <- signif(statmod::rinvgauss(280, mean = mu, dispersion = 0.15), 5)
    d$g <- labelled("g", d$g)
    d
  },
  small_binary = function() {
    set.seed(809)
    d <- data.frame(g = rep(1:80, each = 5))
    d$x <- round(rnorm(400), 2)
    d$arm <- rep(rbinom(80, 1, 0.5), each = 5)
    d$y <- rbinom(400, 1, plogis(-0.5 + 0.8 * d$x + 0.6 * d$arm + rnorm(80, sd = 2)[d$g]))
    d$g <- labelled("g", d$g)
    d
  },
  cloglog = function() {
    set.seed(810)
    d <- expand.grid(period = 1:6, g = 1:60)
    d$x <- round(rnorm(60), 2)[d$g]
    d$y <- rbinom(360, 1, LINK$cloglog$h(-1.2 + 0.2 * (d$period - 3) + 0.5 * d$x + rnorm(60, sd = 0.8)[d$g]))
    d$period <- factor(d$period)
    d$g <- labelled("g", d$g)
    d
  },
  three_terms = function() {
    set.seed(811)
    d <- data.frame(g = sample(1:30, 300, TRUE), h = sample(1:12, 300, TRUE))
    d$x <- round(rnorm(300), 2)
    d$n <- sample(1:12, 300, TRUE)
    eta <- 0.4 - 0.6 * d$x + rnorm(30, sd = 0.9)[d$g] + rnorm(30, sd = 0.6)[d$g] * d$x + rnorm(12, sd = 0.5)[d$h]
    d$k <- rbinom(300, d$n, plogis(eta))
    d$rest <- d$n - d$k
    d$g <- labelled("g", d$g); d$h <- labelled("h", d$h)
    d
  },
  factor_response = function() {
    set.seed(812)
    d <- data.frame(g = rep(1:45, times = rep(c(3, 8, 14), 15)))
    d$x <- round(rnorm(nrow(d)), 2)
    d$z <- round(runif(nrow(d), 0, 10), 1)
    p <- plogis(-1 + 0.5 * d$x + 0.15 * d$z + rnorm(45, sd = 0.8)[d$g])
    d$answer <- factor(ifelse(rbinom(nrow(d), 1, p) == 1, "yes", "no"), c("yes", "no")) # R's first level is failure: yes
    d$x[sample(nrow(d), 12)] <- NA
    d$answer[sample(nrow(d), 5)] <- NA
    d$g <- labelled("g", d$g)
    d
  })

DATA$gaussian_log <- function() {
  set.seed(813)
  d <- data.frame(g = rep(1:25, each = 8))
  d$x <- round(rnorm(200), 2)
  d$y <- round(exp(1 + 0.3 * d$x + rnorm(25, sd = 0.3)[d$g]) + rnorm(200, sd = 0.6), 2)
  d$g <- labelled("g", d$g)
  d
}

# name, R's formula, family, link; formula: ours where it differs; points: fixed (theta, beta) where the criterion is kept.
m <- function(name, r_formula, family = "binomial", link = "logit", n_agq = 1, formula = NULL, weights = NULL, points = TRUE, profile = FALSE,
     reduced = NULL)
  list(name = name, r_formula = r_formula, formula = formula, family = family, link = link, n_agq = n_agq, weights = weights,
       points = points, profile = profile, reduced = reduced)

counts <- "cbind(incidence, healthy) ~ period + (1 | herd)"
small <- "y ~ x + arm + (1 | g)"
k <- "cbind(k, rest) ~"
MODELS <- list(
  cbpp = list(
    m("laplace", counts, profile = TRUE), m("agq0", counts, n_agq = 0), m("agq9", counts, n_agq = 9), m("agq25", counts, n_agq = 25),
    m("proportion", "prop ~ period + (1 | herd)", weights = "size"), m("probit", counts, link = "probit"),
    m("cloglog", counts, link = "cloglog"), m("observation", "cbind(incidence, healthy) ~ period + (1 | herd) + (1 | obs)"),
    m("poisson", "incidence ~ period + offset(log(size)) + (1 | herd)", "poisson", "log")),
  bern_crossed = list(m("slope", "y ~ x + female + (1 + x | person) + (1 | item)"),
                      m("crossed", "y ~ x + female + (1 | person) + (1 | item)"),
                      m("agq0", "y ~ x + female + (1 | person) + (1 | item)", n_agq = 0)),
  proportions = list(m("weights", "prop ~ x + arm + (1 | g)", weights = "n"), m("counts", paste(k, "x + arm + (1 | g)"), n_agq = 7),
                     m("probit", paste(k, "x * arm + (1 | g)"), link = "probit")),
  poisson_slopes = list(m("slopes", "y ~ x + group + offset(log(hours)) + (x | g)", "poisson", "log"),
                        m("intercept", "y ~ x * group + offset(log(hours)) + (1 | g)", "poisson", "log", 9)),
  poisson_nested = list(m("singular", "y ~ x + (1 | hospital/ward)", "poisson", "log", reduced = "y ~ x + (1 | ward:hospital)"),
                        m("agq0", "y ~ x + (1 | hospital:ward)", "poisson", "log", 0)),
  nb_crossed = list(m("crossed", "y ~ x + (1 | site) + (1 | year)", "nbinom", "log"), m("one", "y ~ x + (1 | year)", "nbinom", "log", 9)),
  gamma_log = list(m("slope", "y ~ x + f + (x || g)", "gamma", "log"), m("correlated", "y ~ x + f + (x | g)", "gamma", "log"),
                   m("one", "y ~ x + f + (1 | g)", "gamma", "log"), m("weights", "y ~ x + f + (1 | g)", "gamma", "log", weights = "w"), m("agq9",
                        "y ~ x + f + (1 | g)", "gamma", "log", 9)),
  gamma_inverse = list(m("one", "y ~ x + (1 | g)", "gamma", "inverse"), m("agq9", "y ~ x + (1 | g)", "gamma", "inverse", 9)),
  inverse_gaussian = list(m("one", "y ~ x + (1 | g)", "inverse_gaussian", "log"), m("agq25", "y ~ x + (1 | g)", "inverse_gaussian", "log", 25)),
  small_binary = list(m("laplace", small), m("agq0", small, n_agq = 0), m("agq5", small, n_agq = 5), m("agq11", small, n_agq = 11, profile = TRUE),
       m("agq25", small, n_agq = 25)),
  cloglog = list(m("laplace", "y ~ period + x + (1 | g)", link = "cloglog"), m("agq11", "y ~ period + x + (1 | g)", link = "cloglog", n_agq = 11)),
  gaussian_log = list(m("one", "y ~ x + (1 | g)", "gaussian", "log"), m("agq9", "y ~ x + (1 | g)", "gaussian", "log", 9)),
  three_terms = list(m("double_bar", paste(k, "x + (x || g) + (1 | h)"))),
  factor_response = list(m("factor", "answer ~ x + z + (1 | g)"), m("agq11", "answer ~ x + z + (1 | g)", n_agq = 11)))
