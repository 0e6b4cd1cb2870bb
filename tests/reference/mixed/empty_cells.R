# F tables of type III where cells are empty, by lmerTest: numbers in empty_cells.json. Rscript empty_cells.R
source("common.R")

cells <- read.csv("unbalanced_cells.csv", stringsAsFactors = TRUE)
cells <- subset(cells, !(A == "top" & B == "yes"))
cells$x <- (seq_len(nrow(cells)) * 7) %% 11
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9), check.rankX = "silent.drop.cols")

table_3 <- function(formula) {
  fit <- quietly(lmer(as.formula(formula), cells, control = control))
  table_of(quietly(anova(fit, type = 3))[, c("NumDF", "DenDF", "F value")])
}
formulas <- c("y ~ A * B + (1 | g)", "y ~ x + A * B + (1 | g)", "y ~ x * A * B + (1 | g)", "y ~ 0 + A * B + x + (1 | g)")
write_json(lapply(setNames(formulas, formulas), table_3), "empty_cells.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
