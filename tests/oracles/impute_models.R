# Oracle for imputed data analysed by ANCOVA and with a common baseline (mair/sections/imputed.py).
#   Rscript impute_models.R      (from tests/oracles; two minutes) writes impute_models.json
# mice's norm by arm (as impute.R), m = 1,000; each completed set by lm, gls (varIdent) and lmer.
suppressMessages({library(mice); library(nlme); library(lme4); library(jsonlite)})
m <- 1000
d <- read.csv("impute_gaps.csv")
ys <- paste0("y", 0:3)
Y <- array(0, c(m, nrow(d), 4))
for (a in 0:1) {
  set.seed(800 + a)
  own <- as.matrix(d[d$arm == a, c("x", ys)]); seen <- !is.na(own)
  for (k in seq_len(m)) {
    z <- own
    for (j in ys) z[!seen[, j], j] <- sample(own[seen[, j], j], sum(!seen[, j]), TRUE)
    for (step in 1:20) for (j in ys) if (!all(seen[, j]))
      z[!seen[, j], j] <- mice.impute.norm(own[, j], seen[, j], z[, colnames(z) != j])
    Y[k, d$arm == a, ] <- z[, ys]
  }
}
long <- data.frame(id = rep(seq_len(nrow(d)), 4), visit = factor(rep(0:3, each = nrow(d))), x = rep(d$x, 4))
for (v in 1:3) long[[paste0("late", v)]] <- as.numeric(long$visit == v) * rep(d$arm, 4)
one <- function(y) {
  d$before <- y[, 1]; d$after <- y[, 4]; long$y <- as.vector(y)
  least <- summary(lm(after ~ arm + before + x, d))$coefficients["arm", 1:2]
  g <- gls(after ~ arm + before + x, d, weights = varIdent(form = ~ 1 | arm))
  f <- lmer(y ~ visit + x + late1 + late2 + late3 + (1 | id), long)
  c(least, coef(g)["arm"], sqrt(g$varBeta["arm", "arm"]), fixef(f)["late3"], sqrt(vcov(f)["late3", "late3"]))
}
found <- t(apply(Y, 1, one))
pooled <- function(j) {
  p <- pool.scalar(found[, j], found[, j + 1]^2)
  list(b = p$qbar, se = sqrt(p$t), between = p$b, m = m)
}
write_json(list(ancova = pooled(1), `ancova,by-arm` = pooled(3), `clda:random-intercept` = pooled(5)),
           "impute_models.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
