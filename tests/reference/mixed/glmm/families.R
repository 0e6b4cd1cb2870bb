# Families and links for criterion.R: log density, and its first two derivatives with respect to the mean; the inverse link
# and its first two derivatives. `w` are prior weights (trials of a binomial, else factors of a row's log density), `d` is the dispersion: phi of Gamma
# (variance phi mu^2) and of inverse Gaussian (phi mu^3), the size of the negative binomial (mu + mu^2 / size), the variance of Gaussian responses.
DENSITY <- list(
  binomial = list(
    ll = function(y, mu, w, d) dbinom(round(y * w), w, mu, log = TRUE),
    l1 = function(y, mu, w, d) w * (y / mu - (1 - y) / (1 - mu)),
    l2 = function(y, mu, w, d) -w * (y / mu^2 + (1 - y) / (1 - mu)^2)),
  poisson = list(
    ll = function(y, mu, w, d) dpois(y, mu, log = TRUE),
    l1 = function(y, mu, w, d) y / mu - 1,
    l2 = function(y, mu, w, d) -y / mu^2),
  nbinom = list(
    ll = function(y, mu, w, d) dnbinom(y, size = d, mu = mu, log = TRUE),
    l1 = function(y, mu, w, d) y / mu - (y + d) / (mu + d),
    l2 = function(y, mu, w, d) -y / mu^2 + (y + d) / (mu + d)^2),
  gamma = list(
    ll = function(y, mu, w, d) dgamma(y, shape = 1 / d, scale = mu * d, log = TRUE),
    l1 = function(y, mu, w, d) (y - mu) / mu^2 / d,
    l2 = function(y, mu, w, d) (1 / mu^2 - 2 * y / mu^3) / d),
  inverse_gaussian = list(
    ll = function(y, mu, w, d) -0.5 * log(2 * pi * d * y^3) - (y - mu)^2 / (2 * d * mu^2 * y),
    l1 = function(y, mu, w, d) (y - mu) / mu^3 / d,
    l2 = function(y, mu, w, d) (2 / mu^3 - 3 * y / mu^4) / d),
  gaussian = list(
    ll = function(y, mu, w, d) dnorm(y, mu, sqrt(d), log = TRUE),
    l1 = function(y, mu, w, d) (y - mu) / d,
    l2 = function(y, mu, w, d) -1 / d + 0 * y))

LINK <- list(
  logit = list(h = plogis, h1 = function(e) dlogis(e), h2 = function(e) dlogis(e) * (1 - 2 * plogis(e))),
  probit = list(h = pnorm, h1 = dnorm, h2 = function(e) -e * dnorm(e)),
  cloglog = list(h = function(e) -expm1(-exp(e)), h1 = function(e) exp(e - exp(e)), h2 = function(e) exp(e - exp(e)) * (1 - exp(e))),
  log = list(h = exp, h1 = exp, h2 = exp),
  inverse = list(h = function(e) 1 / e, h1 = function(e) -1 / e^2, h2 = function(e) 2 / e^3))

# R's own family objects: for glm.fit, glmer, glmmTMB, deviance and Pearson residuals.
r_family <- function(family, link, d = NULL) switch(family,
  binomial = binomial(link), poisson = poisson(link), gamma = Gamma(link), gaussian = gaussian(link),
  inverse_gaussian = inverse.gaussian(link), nbinom = MASS::negative.binomial(if (is.null(d)) 1 else d, link))

tmb_family <- function(family, link) switch(family,
  binomial = binomial(link), poisson = poisson(link), gamma = Gamma(link), gaussian = gaussian(link), nbinom = glmmTMB::nbinom2(link),
       inverse_gaussian = NULL)

needs_dispersion <- function(family) family %in% c("nbinom", "gamma", "inverse_gaussian", "gaussian")
CANONICAL <- c(binomial = "logit", poisson = "log", gamma = "inverse")
