# Reference values for mair/stats/reliability.py. Writes reliability.json beside
# it.
#   Rscript reliability.R     (R 4.2.2, psych 2.2.9, jsonlite)
suppressMessages({library(jsonlite); library(psych)})
set.seed(20211)
make <- function(n, loadings, points) {
  f <- rnorm(n)
  x <- outer(f, loadings) + matrix(rnorm(n * length(loadings)), n) * rep(sqrt(1 - loadings^2), each = n)
  matrix(pmin(pmax(round((points - 1) / 2 + x * points / 4), 0), points - 1), n)
}
cases <- list(pcs = make(41, seq(.4, .8, length.out = 13), 5), aaq = make(120, seq(.85, .5, length.out = 7), 7))
cases$gaps <- rbind(cases$pcs, c(NA, rep(1, 12)))
cases$two <- cases$aaq[, 1:2]
out <- lapply(cases, function(x) {
  seen <- x[complete.cases(x), ]; k <- ncol(x); n <- nrow(seen)
  a <- psych::alpha(as.data.frame(seen), warnings = FALSE)$total$raw_alpha
  ci <- alpha.ci(a, n, n.var = k, p.val = .05, digits = 12)
  om <- if (k > 2) suppressWarnings(suppressMessages(omega(seen, nfactors = 1, plot = FALSE)))$omega.tot else NA
  # minres to its minimum, which psych's optimiser meets to some six digits: sums over the pairs
  r <- cor(seen); pair <- lower.tri(r)
  fit <- if (k > 2) optim(rep(.6, k), function(l) sum((r - outer(l, l))[pair]^2), method = "BFGS",
                          control = list(reltol = 1e-16, maxit = 1e5))$par else NA
  boot <- if (k > 2) replicate(2000, {
    r <- cor(seen[sample(n, replace = TRUE), ])
    l <- optim(fit, function(l) sum((r - outer(l, l))[pair]^2), method = "BFGS")$par
    (sum(r) - k + sum(l^2)) / sum(r)
  }) else NA
  list(x = x, n = n, alpha = a, low = unname(ci$lower.ci), high = unname(ci$upper.ci), omega = om,
       omega_exact = if (k > 2) (sum(r) - k + sum(fit^2)) / sum(r) else NA,
       boot = unname(quantile(boot, c(.025, .975), na.rm = TRUE)))
})
write_json(list(r = R.version.string, psych = as.character(packageVersion("psych")), cases = out),
           "reliability.json", auto_unbox = TRUE, digits = NA, na = "null")
