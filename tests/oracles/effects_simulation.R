# Sampling behaviour of d_ppc2 and of SMDs under chance. Writes effects_simulation.json.
#   Rscript effects_simulation.R     (R 4.2.2, jsonlite; a minute)
# d_ppc2 at bivariate normal scores with equal variances: mean, variance, and coverage of
# d +- 1.96 se with eq. 25 at the observed d and pooled rho.
library(jsonlite)
seed <- 20204; draws <- 200000L
set.seed(seed)
one_arm <- function(n, rho, shift) {
  pre <- matrix(rnorm(n * draws), n); post <- rho * pre + sqrt(1 - rho^2) * matrix(rnorm(n * draws), n) + shift
  m1 <- colMeans(pre); m2 <- colMeans(post)
  list(change = m2 - m1, ss = colSums(pre^2) - n * m1^2, ss2 = colSums(post^2) - n * m2^2,
       cross = colSums(pre * post) - n * m1 * m2)
}
morris <- function(n1, n2, rho, delta) {
  a <- one_arm(n1, rho, delta); b <- one_arm(n2, rho, 0)
  df <- n1 + n2 - 2; cp <- 1 - 3 / (4 * df - 1); A <- 1 / n1 + 1 / n2
  d <- cp * (a$change - b$change) / sqrt((a$ss + b$ss) / df)
  r <- (a$cross + b$cross) / sqrt((a$ss + b$ss) * (a$ss2 + b$ss2))
  v <- cp^2 * df / (df - 2) * (2 * (1 - r) * A + d^2) - d^2
  list(n_treatment = n1, n_control = n2, rho = rho, delta = delta, draws = draws, mean = mean(d), variance = var(d),
       variance_se = sqrt((mean((d - mean(d))^4) - var(d)^2) / draws), coverage = mean(abs(d - delta) <= 1.959964 * sqrt(v)))
}
chance <- function(n1, n2) {
  var_mean <- function(n) { x <- matrix(rnorm(n * draws), n); m <- colMeans(x); list(m = m, v = (colSums(x^2) - n * m^2) / (n - 1)) }
  a <- var_mean(n1); b <- var_mean(n2); d <- abs(a$m - b$m) / sqrt((a$v + b$v) / 2)
  list(n_treatment = n1, n_control = n2, draws = draws, expected = mean(d), expected_se = sd(d) / sqrt(draws),
       bound = unname(quantile(d, .95)))
}
write_json(list(r = R.version.string, seed = seed,
                d_ppc2 = list(morris(19, 15, .5, -1.3), morris(19, 15, .2, 0), morris(10, 10, .8, .8), morris(40, 20, .5, .5)),
                chance = list(chance(22, 19), chance(10, 10), chance(6, 30))),
           "effects_simulation.json", auto_unbox = TRUE, digits = I(10))
