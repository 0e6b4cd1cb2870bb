# Reference numbers for 24 groups x 20 items x 4 factors, made with lavaan (takes a few minutes).
#
#   Rscript tests/reference/mgcfa_24groups.R
#
# Writes mgcfa_24groups_moments.json.gz (the simulated sample: n, mean and covariance with divisor N per group,
# rounded to 8 decimals; every fit below starts from the rounded numbers) and mgcfa_24groups.json: the joint
# measurement model, the same with one factor per block, and the factor covariances of the block fits by the
# mapping M = (L' T^-1 L)^-1 L' T^-1, Phi = M (S - T) M'.
here <- local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  if (length(script)) dirname(normalizePath(script)) else "."
})
source(file.path(here, "common.R"))

N_GROUPS <- 24L
N_PEOPLE <- 200L
FACTORS <- paste0("F", 1:4)
ITEMS <- paste0("x", 1:20)
OWNER <- rep(1:4, each = 5)
GROUPS <- sprintf("g%02d", seq_len(N_GROUPS))
PARTIAL <- c("F1 =~ x2", "F1 =~ x3", "F2 =~ x7", "F3 =~ x13")
FREED <- c(2, 3, 7, 13)

block_syntax <- function(q) paste0("F", q, " =~ ", paste(ITEMS[OWNER == q], collapse = " + "))

# Two clusters of groups: F3 = b2 F1 + b3 F2, F4 = b1 F1 + b4 F3, with b1 = 0 in the first cluster, b2 = 0 in the
# second and .4 elsewhere. Loadings 1 and sqrt(.6); the four freed ones vary over groups.
simulate_group <- function(cluster) {
  b <- rep(.4, 4)
  b[cluster] <- 0
  exogenous <- diag(runif(2, .75, 1.25))
  exogenous[1, 2] <- exogenous[2, 1] <- runif(1, -.3, .3)
  total <- runif(2, .75, 1.25)
  beta <- matrix(0, 4, 4)
  beta[3, 1:2] <- b[2:3]
  beta[4, c(1, 3)] <- b[c(1, 4)]
  psi <- matrix(0, 4, 4)
  psi[1:2, 1:2] <- exogenous
  psi[3, 3] <- total[1] - drop(t(b[2:3]) %*% exogenous %*% b[2:3])
  cov13 <- b[2] * exogenous[1, 1] + b[3] * exogenous[1, 2]
  psi[4, 4] <- total[2] - (b[1]^2 * exogenous[1, 1] + b[4]^2 * total[1] + 2 * b[1] * b[4] * cov13)
  inverse <- solve(diag(4) - beta)
  phi <- inverse %*% psi %*% t(inverse)
  loading <- rep(c(1, rep(sqrt(.6), 4)), 4)
  loading[FREED] <- rnorm(4, sqrt(.6), .2)
  lambda <- matrix(0, 20, 4)
  lambda[cbind(1:20, OWNER)] <- loading
  sigma <- lambda %*% phi %*% t(lambda) + diag(runif(20, .3, .5))
  x <- sweep(matrix(rnorm(N_PEOPLE * 20), N_PEOPLE) %*% chol(sigma), 2, rnorm(20, 3, .5), "+")
  list(mean = round(colMeans(x), 8), cov = round(unname(ml_cov(x)), 8))
}

set.seed(20240)
cluster <- rep(1:2, length.out = N_GROUPS)
drawn <- lapply(cluster, simulate_group)
moments <- list(
  items = ITEMS, groups = GROUPS, n = rep(N_PEOPLE, N_GROUPS), mean = lapply(drawn, `[[`, "mean"),
  cov = lapply(drawn, `[[`, "cov")
)
connection <- gzfile(file.path(here, "mgcfa_24groups_moments.json.gz"), "w", compression = 9)
writeLines(toJSON(c(list(made_by = "mgcfa_24groups.R", cluster = cluster), moments), auto_unbox = TRUE,
  digits = NA), connection)
close(connection)

only <- function(m, items) {
  i <- match(items, m$items)
  list(items = items, groups = m$groups, n = m$n, mean = lapply(m$mean, `[`, i),
    cov = lapply(m$cov, function(s) s[i, i]))
}

fit_equal_loadings <- function(syntax, items, partial) {
  arguments <- c(list(model = syntax, group.equal = "loadings"), moment_arguments(only(moments, items)))
  if (length(partial)) arguments$group.partial <- partial
  seconds <- system.time(fit <- fit_precisely(arguments))[[3]]
  cat(sprintf("%-60s logl %.6f chisq %.6f df %d gradient %.1e (%.0f s)\n", substr(gsub("\n", "; ", syntax), 1, 60),
    fitMeasures(fit, "logl"), fitMeasures(fit, "chisq"), fitMeasures(fit, "df"), gradient_size(fit), seconds))
  fit
}

# Arrays with the group axis first: loading of each item on its factor, unique variances, factor covariances.
arrays_of <- function(fit, items, factors) {
  p <- parTable(fit)
  groups <- seq_len(N_GROUPS)
  by_group <- function(rows, column, names_wanted, key) {
    lapply(groups, function(g) {
      sub <- rows[rows$group == g, ]
      digits12(sub[[column]][match(names_wanted, sub[[key]])])
    })
  }
  loadings <- p[p$op == "=~", ]
  uniques <- p[p$op == "~~" & p$lhs == p$rhs & p$lhs %in% items, ]
  latent <- p[p$op == "~~" & p$lhs %in% factors, ]
  square <- function(column) {
    lapply(groups, function(g) {
      sub <- latent[latent$group == g, ]
      out <- matrix(0, length(factors), length(factors), dimnames = list(factors, factors))
      out[cbind(sub$lhs, sub$rhs)] <- out[cbind(sub$rhs, sub$lhs)] <- sub[[column]]
      digits12(unname(out))
    })
  }
  list(
    loadings = by_group(loadings, "est", items, "rhs"), loadings_se = by_group(loadings, "se", items, "rhs"),
    unique = by_group(uniques, "est", items, "lhs"), unique_se = by_group(uniques, "se", items, "lhs"),
    phi = square("est"), phi_se = square("se")
  )
}

summary_of <- function(fit) as.list(c(unclass(fitMeasures(fit, MEASURES)), check_by_hand(fit)))

# ---- one factor per block, and the mapping ---------------------------------------------------------------

block_fits <- lapply(1:4, function(q) {
  fit_equal_loadings(block_syntax(q), ITEMS[OWNER == q], grep(paste0("F", q, " "), PARTIAL, value = TRUE))
})
blocks <- lapply(1:4, function(q) {
  items <- ITEMS[OWNER == q]
  c(list(syntax = block_syntax(q), factor = FACTORS[q], items = items, fit = summary_of(block_fits[[q]])),
    arrays_of(block_fits[[q]], items, FACTORS[q]))
})
mapped <- lapply(seq_len(N_GROUPS), function(g) {
  lambda <- matrix(0, 20, 4)
  theta <- numeric(20)
  for (q in 1:4) {
    est <- lavInspect(block_fits[[q]], "est")[[g]]
    lambda[OWNER == q, q] <- est$lambda[ITEMS[OWNER == q], 1]
    theta[OWNER == q] <- diag(est$theta)[ITEMS[OWNER == q]]
  }
  weighted <- t(lambda / theta)
  m <- solve(weighted %*% lambda, weighted)
  m %*% (moments$cov[[g]] - diag(theta)) %*% t(m)
})

# lavaan's own sam() must give the same matrices (it fits its blocks less precisely).
structural <- "
F3 ~ F1 + F2
F4 ~ F1 + F3"
joint_syntax <- paste(sapply(1:4, block_syntax), collapse = "\n")
from_sam <- quietly("sam", c(
  list(paste0(joint_syntax, structural), group.equal = c("loadings", "regressions"), group.partial = PARTIAL,
    se = "none", output = "list"),
  moment_arguments(moments)
))
sam_difference <- max(mapply(function(a, b) max(abs(a - b[FACTORS, FACTORS])), mapped, from_sam$VETA))
cat(sprintf("largest difference to sam(): %.1e\n", sam_difference))
stopifnot(sam_difference < 1e-4)

# ---- all factors at once ---------------------------------------------------------------------------------

joint_fit <- fit_equal_loadings(joint_syntax, ITEMS, PARTIAL)
joint <- c(list(syntax = strsplit(joint_syntax, "\n")[[1]], fit = summary_of(joint_fit)),
  arrays_of(joint_fit, ITEMS, FACTORS))

write_small(
  list(
    about = about("mgcfa_24groups.R"), data = "mgcfa_24groups_moments.json.gz", groups = GROUPS, n = moments$n,
    items = ITEMS, factors = FACTORS, group_equal = I("loadings"), group_partial = PARTIAL, joint = joint,
    blocks = blocks, sam = list(phi = lapply(mapped, digits12), largest_difference_to_lavaan_sam = sam_difference)
  ),
  file.path(here, "mgcfa_24groups.json")
)
