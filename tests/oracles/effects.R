# Reference values for mair/stats/effects.py. Writes effects.json beside it.
#   Rscript effects.R     (R 4.2.2, MASS, jsonlite)
# An independent way to each number: SMDs of levels from people's indicator variables and
# stats::mahalanobis, d_ppc2 from a regression of change on arm.
library(jsonlite)
set.seed(20203)
limits <- function(d, n1, n2, df = 1) d + c(-1, 1) * sqrt(qchisq(.95, df) * (1 / n1 + 1 / n2 + d^2 / 2 / (n1 + n2)))

continuous <- lapply(1:20, function(i) {
  x <- round(rnorm(sample(2:30, 1), 5, 3), 2); y <- round(rnorm(sample(2:30, 1), 6, 1), 2)
  d <- (mean(x) - mean(y)) / sqrt(mean(c(var(x), var(y))))
  list(x = x, y = y, d = d, limits = limits(d, length(x), length(y)))
})
levels_case <- function(a, b) {
  k <- length(a)
  arm <- function(counts) { g <- rep(seq_len(k), counts); outer(g, seq_len(k - 1), "==") + 0 }  # last level as reference
  A <- arm(a); B <- arm(b); n1 <- nrow(A); n2 <- nrow(B)
  S <- (cov(A) * (n1 - 1) / n1 + cov(B) * (n2 - 1) / n2) / 2
  d <- sqrt(mahalanobis(colMeans(A), colMeans(B), S))
  list(treatment = a, control = b, d = d, limits = pmax(limits(d, n1, n2, k - 1), 0))
}
levels <- c(list(levels_case(c(7, 8, 7), c(4, 8, 7)), levels_case(c(3, 8, 11), c(5, 8, 6)),
                 levels_case(c(12, 10), c(13, 6))),
            lapply(1:20, function(i) { k <- sample(2:6, 1); levels_case(sample(1:15, k, TRUE), sample(1:15, k, TRUE)) }))
binary <- lapply(list(c(12, 22, 13, 19), c(8, 22, 2, 19), c(1, 22, 0, 19), c(30, 50, 20, 40)), function(v) {
  x <- rep(1:0, c(v[1], v[2] - v[1])); y <- rep(1:0, c(v[3], v[4] - v[3]))
  population <- function(z) mean((z - mean(z))^2)
  d <- (mean(x) - mean(y)) / sqrt((population(x) + population(y)) / 2)
  list(counts = v, d = d, limits = limits(d, v[2], v[4]))
})

prepost <- lapply(1:25, function(i) {
  n <- sample(4:25, 2, TRUE); r <- runif(1, -.2, .95)
  arm <- rep(c(1, 0), n)
  z <- MASS::mvrnorm(sum(n), c(0, 0), matrix(c(1, r, r, 1), 2))
  pre <- round(60 + 15 * z[, 1] + 3 * arm, 2); post <- round(55 + 17 * z[, 2] - 12 * arm, 2)
  change <- unname(coef(lm(post - pre ~ arm))[2])
  sd <- sigma(lm(pre ~ arm))
  rho <- cor(resid(lm(pre ~ arm)), resid(lm(post ~ arm)))
  df <- sum(n) - 2; cp <- 1 - 3 / (4 * df - 1); d <- cp * change / sd
  A <- sum(n) / prod(n)
  # Morris (2008), eq. 25, as it stands in print.
  v <- 2 * cp^2 * (1 - rho) * A * (df / (df - 2)) * (1 + d^2 / (2 * (1 - rho) * A)) - d^2
  list(treatment_pre = pre[arm == 1], treatment_post = post[arm == 1], control_pre = pre[arm == 0],
       control_post = post[arm == 0], change = change, sd = sd, rho = rho, d = d, variance = v,
       limits = d + c(-1, 1) * qnorm(.975) * sqrt(v), uncorrected = change / sd,
       uncorrected_limits = (d + c(-1, 1) * qnorm(.975) * sqrt(v)) / cp)
})
geometric <- lapply(1:5, function(i) {
  x <- round(rlnorm(sample(2:30, 1), 1, i / 4), 4) + 1e-4
  list(x = x, mean = exp(mean(log(x))), cv = 100 * sqrt(exp(var(log(x))) - 1))
})
write_json(list(r = R.version.string, continuous = continuous, levels = levels, binary = binary, prepost = prepost,
                geometric = geometric), "effects.json", auto_unbox = TRUE, digits = I(17))
