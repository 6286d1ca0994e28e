# Reference values for mair/stats/normality.py. Writes normality.json beside it.
#   Rscript normality.R     (R 4.2.2, nortest 1.0-4, jsonlite)
library(jsonlite); library(nortest)
set.seed(20202)
draw <- list(function(n) rnorm(n, 60, 18), function(n) rexp(n), function(n) rt(n, 3), function(n) sample(0:21, n, TRUE),
             function(n) rlnorm(n, 1, 1), function(n) runif(n))
cases <- lapply(1:60, function(i) {
  n <- c(5, 6, 8, 12, 19, 22, 35, 41, 100, 101, 150, 300)[(i - 1) %% 12 + 1]
  x <- round(draw[[(i - 1) %% 6 + 1]](n), 3)
  if (length(unique(x)) == 1) x[1] <- x[1] + 1
  l <- lillie.test(x); s <- shapiro.test(x)
  list(x = x, d = unname(l$statistic), p_lilliefors = l$p.value, w = unname(s$statistic), p_shapiro = s$p.value)
})
# Every stretch of the p formula, through samples of normal scores pushed out of shape.
shaped <- lapply(seq(0, 2, by = .1), function(power) {
  z <- qnorm(ppoints(30)); x <- round(sign(z + .7) * abs(z + .7)^(1 + power), 6)
  l <- lillie.test(x); s <- shapiro.test(x)
  list(x = x, d = unname(l$statistic), p_lilliefors = l$p.value, w = unname(s$statistic), p_shapiro = s$p.value)
})
write_json(list(r = R.version.string, nortest = as.character(packageVersion("nortest")), cases = c(cases, shaped)),
           "normality.json", auto_unbox = TRUE, digits = I(17))
