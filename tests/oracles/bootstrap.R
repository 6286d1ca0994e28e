# Reference values for mair/stats/bootstrap.py. Writes bootstrap.json beside it.
#   Rscript bootstrap.R     (R 4.2.2, boot, jsonlite)
# boot's BCa interval for d_ppc2, resampled within arms, with influence values that are each
# arm's jackknife values over its size (Davison and Hinkley 1997, 5.23; boot.ci's own default
# leaves the sizes out).
library(boot); library(jsonlite)
set.seed(44)
n <- c(19, 12)
arm <- rep(1:0, n)
pre <- round(60 + 12 * rnorm(sum(n)), 1); post <- round(.7 * pre + 10 * rexp(sum(n)) - 9 * arm, 1)
d <- data.frame(arm, pre, post)
statistic <- function(d, i = seq_len(nrow(d))) {
  b <- d[i, ]; change <- tapply(b$post - b$pre, b$arm, mean)
  s <- tapply(b$pre, b$arm, var); k <- tapply(b$pre, b$arm, length); df <- sum(k) - 2
  unname((change["1"] - change["0"]) / sqrt(sum((k - 1) * s) / df) * (1 - 3 / (4 * df - 1)))
}
L <- numeric(sum(n))
for (a in 0:1) {
  i <- which(d$arm == a); left <- sapply(i, function(j) statistic(d[-j, ]))
  L[i] <- (length(i) - 1) * (mean(left) - left) / length(i)
}
few <- boot(d, statistic, 999, strata = d$arm)
many <- boot(d, statistic, 40000, strata = d$arm)
ci <- function(b, conf) boot.ci(b, conf, type = "bca", L = L)$bca[4:5]
write_json(list(data = d, estimate = few$t0, influence = L, replicates = as.vector(few$t),
                few95 = ci(few, .95), few80 = ci(few, .8), many95 = ci(many, .95)),
           "bootstrap.json", digits = NA, auto_unbox = TRUE)
