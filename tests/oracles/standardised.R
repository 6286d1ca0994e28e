# Oracle of mair/stats/standardised.py: risks standardised over baseline (g-computation).
# Logistic regression by glm; the mean predicted risk of everybody in either arm; its sandwich
# variance as an M-estimator (as stdReg's stdGlm), here from the estimating equations of
# coefficients and both risks at once: solve(A) %*% B %*% t(solve(A)), A by finite differences.
#
#   Rscript standardised.R     in tests/oracles: writes standardised.json
library(jsonlite)
set.seed(20209)
one <- function(n, shift, effect) {
  arm <- rep(0:1, length.out = n)
  x <- round(rnorm(n, 60, 12), 1)
  y <- as.integer(runif(n) < plogis(shift + effect * arm - 0.05 * (x - 60)))
  fit <- glm(y ~ arm + x, family = binomial, control = list(epsilon = 1e-14, maxit = 100))
  design <- function(a) cbind(1, a, x)
  risk <- sapply(1:0, function(a) mean(plogis(design(a) %*% coef(fit))))
  equations <- function(theta) {  # one row a person
    p <- function(a) plogis(design(a) %*% theta[1:3])
    cbind(design(arm) * c(y - p(arm)), p(1) - theta[4], p(0) - theta[5])
  }
  theta <- c(coef(fit), risk)
  step <- 1e-5 * pmax(1, abs(theta)) / c(1, 1, 60, 1, 1)
  A <- sapply(1:5, function(j) {
    h <- replace(numeric(5), j, step[j])
    -(colMeans(equations(theta + h)) - colMeans(equations(theta - h))) / (2 * step[j])
  })
  u <- equations(theta)
  V <- solve(A) %*% (crossprod(u) / n) %*% t(solve(A)) / n
  V <- V[4:5, 4:5]
  list(arm = arm, baseline = x, response = y, treatment = risk[1], control = risk[2],
       difference = risk[1] - risk[2], se = sqrt(V[1, 1] + V[2, 2] - 2 * V[1, 2]),
       log_ratio = log(risk[1] / risk[2]),
       se_log = sqrt(V[1, 1] / risk[1]^2 + V[2, 2] / risk[2]^2 - 2 * V[1, 2] / prod(risk)))
}
found <- list(one(35, -0.5, 1.5), one(80, 0, 0.4), one(400, -1, -0.6))
write(toJSON(found, digits = NA, auto_unbox = TRUE), "standardised.json")
