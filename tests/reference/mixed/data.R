# The data sets: four classical ones from lme4, the others simulated here. Each function returns a data frame; all
# numbers are rounded to a few decimals, which makes the CSV exact.

letters_of <- function(n, prefix) factor(sprintf("%s%02d", prefix, seq_len(n)))

# Random effects of `n` groups whose covariance is L L'.
effects <- function(n, L) matrix(rnorm(n * ncol(L)), n) %*% t(L)

# Balanced rows: each of `n` groups `size` times.
grid <- function(n, size, prefix = "g") {
  data.frame(g = rep(letters_of(n, prefix), each = size), x = round(rep(seq(-1, 1, length.out = size), n), 3))
}

# ---- classical -----------------------------------------------------------------------------------------------------

make_sleepstudy <- function() {
  d <- as.data.frame(lme4::sleepstudy)
  d$w <- 1 + d$Days %% 3
  d$off <- 5 * d$Days
  d$Reaction_missing <- ifelse((7 * seq_len(180)) %% 11 < 3, NA, d$Reaction)
  d$few <- as.numeric(d$Subject %in% levels(d$Subject)[1:5])
  d$ends <- as.numeric(d$Days %in% c(0, 9))
  d
}
make_penicillin <- function() as.data.frame(lme4::Penicillin)
make_pastes <- function() as.data.frame(lme4::Pastes)
make_dyestuff <- function() as.data.frame(lme4::Dyestuff)

# ---- boundary fits -------------------------------------------------------------------------------------------------

# Groups whose members differ more than chance would have it: the variance of the intercept is estimated as 0.
make_singular_intercept <- function() {
  set.seed(701)
  d <- grid(12, 6)
  d$h <- factor(sample(c("u", "v", "w", "z"), 72, TRUE))
  noise <- rnorm(72)
  within <- noise - 0.97 * ave(noise, d$g)
  d$y <- round(2 + 0.5 * d$x + c(u = -0.6, v = 0, w = 0.2, z = 0.9)[as.character(d$h)] + within, 4)
  d
}
make_zero_variance <- function() {
  set.seed(702)
  noise <- rnorm(30)
  batch <- rep(factor(LETTERS[1:6]), each = 5)
  data.frame(batch = batch, strength = round(5 + 2 * (noise - 0.8 * ave(noise, batch)), 3))
}
make_singular_slope <- function() {
  set.seed(703)
  d <- grid(15, 6)
  b <- effects(15, cbind(c(1, -0.6)))
  d$y <- round(1 + 2 * d$x + b[d$g, 1] + b[d$g, 2] * d$x + rnorm(90), 4)
  d
}
make_rank_two <- function() {
  set.seed(704)
  d <- grid(20, 9)
  d$z <- round(rnorm(180), 3)
  b <- effects(20, rbind(c(1, 0), c(0.5, 0.6), c(-0.4, 0.7)))
  d$y <- round(3 - d$x + 0.5 * d$z + b[d$g, 1] + b[d$g, 2] * d$x + b[d$g, 3] * d$z + 0.8 * rnorm(180), 4)
  d
}

# ---- crossed and nested --------------------------------------------------------------------------------------------

make_crossed_unbalanced <- function() {
  set.seed(711)
  n <- 170
  d <- data.frame(rater = letters_of(8, "r")[sample(8, n, TRUE, c(30, 20, 15, 10, 5, 3, 2, 1))],
                  person = letters_of(24, "p")[sample(24, n, TRUE, runif(24) + 0.1)])
  d <- droplevels(d)
  d$x <- round(runif(n, 0, 10), 2)
  d$y <- round(10 + 0.3 * d$x + rnorm(8)[d$rater] + 1.5 * rnorm(24)[d$person] + rnorm(n), 4)
  d
}
make_crossed_missing <- function() {
  set.seed(712)
  cells <- expand.grid(g = letters_of(10, "g"), h = letters_of(7, "h"))
  cells <- cells[sort(sample(70, 46)), ]
  d <- cells[rep(seq_len(46), times = sample(1:4, 46, TRUE)), ]
  n <- nrow(d)
  rownames(d) <- NULL
  cell <- interaction(d$g, d$h, drop = TRUE)
  d$x <- round(rnorm(n), 3)
  d$y <- round(1 + d$x + rnorm(10)[d$g] + 0.7 * rnorm(7)[d$h] + 0.9 * rnorm(nlevels(cell))[cell] + rnorm(n), 4)
  d[sample(n), ]
}
# Labels of wards and teams are used again in every hospital: they mean something only together with it.
make_nested_three <- function() {
  set.seed(713)
  parts <- list()
  for (h in 1:7) for (w in seq_len(sample(2:4, 1))) for (t in seq_len(sample(1:3, 1))) {
    parts[[length(parts) + 1]] <- data.frame(hospital = sprintf("H%d", h), ward = sprintf("w%d", w),
                                             team = sprintf("t%d", t), member = seq_len(sample(2:6, 1)))
  }
  d <- do.call(rbind, parts)
  d[1:3] <- lapply(d[1:3], factor)
  ward <- factor(paste(d$hospital, d$ward))
  team <- factor(paste(d$hospital, d$ward, d$team))
  n <- nrow(d)
  d$x <- round(rnorm(n), 3)
  d$member <- NULL
  d$y <- round(20 + d$x + 2 * rnorm(7)[d$hospital] + 1.2 * rnorm(nlevels(ward))[ward] +
                 0.9 * rnorm(nlevels(team))[team] + rnorm(n), 4)
  d
}
make_crossed_slopes <- function() {
  set.seed(714)
  n <- 240
  d <- data.frame(item = letters_of(10, "i")[sample(10, n, TRUE)], person = letters_of(16, "p")[sample(16, n, TRUE)],
                  x = round(rnorm(n), 3))
  b <- effects(16, rbind(c(1, 0), c(0.3, 0.6)))
  a <- effects(10, rbind(c(0.8, 0), c(-0.4, 0.5)))
  d$y <- round(5 + 0.8 * d$x + b[d$person, 1] + b[d$person, 2] * d$x + a[d$item, 1] + a[d$item, 2] * d$x + rnorm(n), 4)
  d
}

# ---- several random terms ------------------------------------------------------------------------------------------

make_factor_slopes <- function() {
  set.seed(721)
  d <- expand.grid(rep = 1:4, f = factor(c("a", "b", "c")), g = letters_of(14, "g"))
  d <- d[-sample(nrow(d), 20), c("g", "f")]
  n <- nrow(d)
  b <- effects(14, rbind(c(1, 0, 0), c(0.4, 0.9, 0), c(-0.3, 0.5, 0.7)))
  d$y <- round(c(a = 1, b = 2, c = 2.5)[as.character(d$f)] + b[cbind(d$g, d$f)] + rnorm(n), 4)
  for (level in c("a", "b", "c")) d[[paste0("is_", level)]] <- as.numeric(d$f == level)
  rownames(d) <- NULL
  d
}
make_several_terms <- function() {
  set.seed(722)
  n <- 220
  d <- data.frame(g = letters_of(18, "g")[sample(18, n, TRUE)], h = letters_of(6, "h")[sample(6, n, TRUE)],
                  x = round(rnorm(n), 3), z = round(runif(n, -1, 1), 3))
  b <- effects(18, rbind(c(1, 0, 0), c(0.4, 0.6, 0), c(0, 0, 0.9)))
  d$y <- round(2 + d$x - d$z + b[d$g, 1] + b[d$g, 2] * d$x + b[d$g, 3] * d$z + rnorm(6)[d$h] + rnorm(n), 4)
  d
}
make_tiny_groups <- function() {
  set.seed(723)
  sizes <- rep(c(1, 2, 3, 5), times = c(20, 14, 6, 2))
  d <- data.frame(g = rep(letters_of(42, "g"), times = sizes))
  n <- nrow(d)
  d$x <- round(rnorm(n), 3)
  d$y <- round(1 + 0.5 * d$x + 1.2 * rnorm(42)[d$g] + rnorm(n), 4)
  d
}

# ---- scale ---------------------------------------------------------------------------------------------------------

make_badly_scaled <- function() {
  set.seed(731)
  d <- expand.grid(year = 2001:2008, g = letters_of(16, "g"))
  n <- nrow(d)
  d$income <- round(exp(rnorm(n, 10.5, 0.5)))
  b <- effects(16, rbind(c(2, 0), c(0.2, 0.4)))
  d$year_centred <- d$year - 2004
  d$y <- round(50 + 0.7 * d$year_centred + 2e-5 * d$income + b[d$g, 1] + b[d$g, 2] * d$year_centred + rnorm(n), 4)
  d
}
make_wide_weights <- function() {
  set.seed(732)
  d <- grid(16, 8)
  n <- nrow(d)
  d$w <- signif(10^runif(n, -2, 2), 4)
  b <- effects(16, rbind(c(1, 0), c(0.3, 0.7)))
  d$y <- round(4 + d$x + b[d$g, 1] + b[d$g, 2] * d$x + rnorm(n) / sqrt(d$w), 4)
  d
}
make_large_intercept <- function() {
  set.seed(733)
  d <- grid(14, 7)
  b <- effects(14, rbind(c(1, 0), c(0.2, 0.8)))
  d$million <- 1e6
  d$y <- round(1e6 + 2 * d$x + b[d$g, 1] + b[d$g, 2] * d$x + rnorm(98), 4)
  d
}

# ---- fixed parts with factors --------------------------------------------------------------------------------------

make_unbalanced_cells <- function() {
  set.seed(741)
  n <- 150
  d <- data.frame(g = letters_of(15, "g")[sample(15, n, TRUE)],
                  A = factor(sample(c("low", "mid", "top"), n, TRUE, c(5, 3, 2)), c("low", "mid", "top")),
                  B = factor(sample(c("no", "yes"), n, TRUE, c(2, 1))))
  cells <- matrix(c(1, 1.5, 2, 1.2, 2.6, 2.1), 3)
  d$y <- round(cells[cbind(d$A, d$B)] + 0.8 * rnorm(15)[d$g] + rnorm(n), 4)
  d
}
make_three_way <- function() {
  set.seed(742)
  n <- 200
  d <- data.frame(g = letters_of(20, "g")[sample(20, n, TRUE)], A = factor(sample(c("p", "q"), n, TRUE, c(2, 1))),
                  B = factor(sample(c("r", "s"), n, TRUE)), C = factor(sample(c("t", "u", "v"), n, TRUE, c(3, 2, 2))),
                  x = round(rnorm(n, 1), 3), z = round(runif(n), 3))
  d$y <- round(1 + (d$A == "q") * d$x - 0.5 * (d$B == "s") * (d$A == "q") + 0.7 * (d$C == "v") + d$z +
                 0.9 * rnorm(20)[d$g] + rnorm(n), 4)
  d
}

# ---- residual structure --------------------------------------------------------------------------------------------

make_residual_groups <- function() {
  set.seed(751)
  d <- grid(20, 7)
  d$site <- factor(sample(c("east", "north", "west"), 140, TRUE))
  b <- effects(20, rbind(c(1.5, 0), c(0.3, 0.8)))
  sd <- c(east = 0.5, north = 1, west = 2)[as.character(d$site)]
  d$y <- round(3 + d$x + b[d$g, 1] + b[d$g, 2] * d$x + sd * rnorm(140), 4)
  d
}
# Twelve occasions of which each person misses some: the correlation is phi to the power of the time between two rows.
make_ar1_gaps <- function() {
  set.seed(752)
  d <- expand.grid(time = 1:12, person = letters_of(22, "p"))
  sex <- factor(rep(c("f", "m"), 11))
  noise <- as.vector(replicate(22, arima.sim(list(ar = 0.6), 12) * sqrt(1 - 0.36)))
  d$sex <- sex[d$person]
  b <- effects(22, rbind(c(2, 0), c(-0.15, 0.35)))
  d$y <- round(5 + 0.3 * d$time + b[d$person, 1] + b[d$person, 2] * d$time + ifelse(d$sex == "m", 1.8, 1) * noise, 4)
  d <- d[-sample(nrow(d), 70), ]
  d[sample(nrow(d)), c("person", "sex", "time", "y")]
}
