# Reference values for mair/stats/power.py. Writes power.json beside it.
#   Rscript power.R     (R 4.2.2, jsonlite)
library(jsonlite)
grid <- expand.grid(d = c(14.2 / 15.2, 14.16 / 15.2, .2, .35, .5, .8, 1.2, 2.5), alpha = c(.01, .05, .1), power = c(.6, .8, .9, .95))
rows <- lapply(seq_len(nrow(grid)), function(i) with(grid[i, ], {
  # uniroot's own tolerance decides near whole numbers; tight.
  n_t <- tryCatch(power.t.test(delta = d, sd = 1, sig.level = alpha, power = power, strict = TRUE, tol = 1e-10)$n,
                  error = function(e) NA)   # below two an arm it has no solution
  n_z <- 2 * ((qnorm(1 - alpha / 2) + qnorm(power)) / d)^2
  n <- max(2, ceiling(n_z))
  se <- sqrt(2 / n)
  list(d = d, alpha = alpha, power = power, n_t = n_t, n_normal = n_z, at = n,
       power_t = power.t.test(n = n, delta = d, sd = 1, sig.level = alpha, strict = TRUE)$power,
       power_normal = pnorm(qnorm(alpha / 2), d / se) + pnorm(qnorm(1 - alpha / 2), d / se, lower.tail = FALSE))
}))
write_json(list(r = R.version.string, rows = rows), "power.json", auto_unbox = TRUE, digits = I(17), na = "null")
