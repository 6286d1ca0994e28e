# Oracle of mair/stats/risk_limits.py: limits of a difference and of a ratio of two proportions.
# Written from the papers' formulae, another way than the Python: the restricted estimates by
# bisection of the likelihood's derivative (no closed form), the outermost crossing of the score by
# a scan of 4,000 points and uniroot, both limits found directly (no swapping of arms).
#
#   Rscript tests/oracles/risk.R tests/oracles/risk.csv     (about a minute)
#
# Newcombe 1998 (method 10); Miettinen and Nurminen 1985; Laud 2017, equation
#   S(theta)/sqrt(V) - (z^2 - 1) mu3/(6 V^1.5) = +-z; Katz et al. 1978; Donner and Zou 2012.
out <- commandArgs(trailingOnly = TRUE)[1]
set.seed(20201)

# p2 maximising the likelihood given p1 = p2 + theta or p1 = p2 * theta
restricted <- function(theta, x1, n1, x2, n2, ratio) {
  lo <- if (ratio) 0 * theta else pmax(0, -theta)
  hi <- if (ratio) pmin(1, 1 / theta) else pmin(1, 1 - theta)
  slope <- function(p) {
    q <- if (ratio) p * theta else p + theta
    d <- if (ratio) theta else 1
    s <- 0 * p
    if (x1 > 0) s <- s + d * x1 / q
    if (x1 < n1) s <- s - d * (n1 - x1) / (1 - q)
    if (x2 > 0) s <- s + x2 / p
    if (x2 < n2) s <- s - (n2 - x2) / (1 - p)
    s
  }
  for (i in 1:70) {
    mid <- (lo + hi) / 2
    up <- slope(mid) > 0
    up[is.na(up)] <- FALSE
    lo <- ifelse(up, mid, lo)
    hi <- ifelse(up, hi, mid)
  }
  (lo + hi) / 2
}

score <- function(theta, x1, n1, x2, n2, ratio, z, skew) {
  p2 <- restricted(theta, x1, n1, x2, n2, ratio)
  p1 <- if (ratio) p2 * theta else p2 + theta
  k <- if (ratio) theta else 1
  s <- if (ratio) x1 / n1 - theta * x2 / n2 else x1 / n1 - x2 / n2 - theta
  v <- (p1 * (1 - p1) / n1 + k^2 * p2 * (1 - p2) / n2) * (n1 + n2) / (n1 + n2 - 1)
  mu3 <- p1 * (1 - p1) * (1 - 2 * p1) / n1^2 - k^3 * p2 * (1 - p2) * (1 - 2 * p2) / n2^2
  s / sqrt(v) - (if (skew) (z^2 - 1) * mu3 / (6 * v^1.5) else 0)
}

# outermost crossing between the estimate (u = 0) and the end of the range (u = 1)
crossing <- function(f, target, above) {
  u <- sin(pi / 2 * (1:3999) / 4000)^2
  g <- f(u) - target
  inside <- if (above) g >= 0 else g <= 0     # towards the upper limit the score must stay >= -z
  inside[is.na(inside)] <- FALSE
  if (!any(inside)) return(0)
  k <- max(which(inside))
  if (k == length(u)) return(1)
  h <- function(w) f(w) - target
  uniroot(h, c(u[k], u[k + 1]), tol = 1e-15)$root
}

score_limits <- function(x1, n1, x2, n2, z, ratio, skew) {
  f <- function(theta) score(theta, x1, n1, x2, n2, ratio, z, skew)
  if (!ratio) {
    d <- x1 / n1 - x2 / n2
    up <- if (d == 1) 1 else d + (1 - d) * crossing(function(u) f(d + (1 - d) * u), -z, TRUE)
    lo <- if (d == -1) -1 else d - (1 + d) * crossing(function(u) f(d - (1 + d) * u), z, FALSE)
    return(c(lo, up))
  }
  up <- Inf
  if (x2 > 0) {
    r <- (x1 / n1) / (x2 / n2)
    t0 <- r / (1 + r)
    to <- function(u) { t <- t0 + (1 - t0) * u; t / (1 - t) }
    u <- crossing(function(u) f(to(u)), -z, TRUE)
    up <- if (u == 1) Inf else to(u)
  }
  lo <- 0
  if (x1 > 0) {
    t0 <- if (x2 == 0) 1 else { r <- (x1 / n1) / (x2 / n2); r / (1 + r) }
    to <- function(u) { t <- t0 * (1 - u); t / (1 - t) }
    u <- crossing(function(u) f(to(u)), z, FALSE)
    lo <- if (u == 1) 0 else to(u)
  }
  c(lo, up)
}

# Wilson by prop.test without continuity correction
wilson <- function(x, n, conf) {
  as.vector(suppressWarnings(prop.test(x, n, conf.level = conf, correct = FALSE))$conf.int)
}

closed <- function(x1, n1, x2, n2, conf, z) {
  p <- x1 / n1; q <- x2 / n2; d <- p - q
  a <- wilson(x1, n1, conf); b <- wilson(x2, n2, conf)
  wald <- d + c(-1, 1) * z * sqrt(p * (1 - p) / n1 + q * (1 - q) / n2)
  newcombe <- c(d - sqrt((p - a[1])^2 + (b[2] - q)^2), d + sqrt((a[2] - p)^2 + (q - b[1])^2))
  h <- if (x1 == 0 || x2 == 0) 0.5 else 0
  katz <- exp(log((x1 + h) / (n1 + h) / ((x2 + h) / (n2 + h))) + c(-1, 1) * z *
    sqrt(1 / (x1 + h) - 1 / (n1 + h) + 1 / (x2 + h) - 1 / (n2 + h)))
  # roots of the quadratic in the ratio that Fieller's theorem gives with recovered variances
  root <- function(l1, u2, sign) {
    disc <- (p * q)^2 - l1 * u2 * (2 * p - l1) * (2 * q - u2)
    (p * q + sign * sqrt(max(0, disc))) / (u2 * (2 * q - u2))
  }
  mover <- c(root(a[1], b[2], -1), root(a[2], b[1], 1))
  if (x1 == 0) { katz[1] <- 0; mover[1] <- 0 }
  if (x2 == 0) { katz[2] <- Inf; mover[2] <- Inf }
  list(wald = c(wald, katz), newcombe = c(newcombe, mover))
}

n <- matrix(sample(1:80, 600, TRUE), ncol = 2)
x <- matrix(rbinom(600, n, rbeta(600, 0.6, 0.6)), ncol = 2)      # many cells at 0 or n
x[1:20, 1] <- 0; x[11:30, 2] <- 0
x[31:45, 1] <- n[31:45, 1]; x[41:55, 2] <- n[41:55, 2]
conf <- rep(c(0.95, 0.95, 0.9, 0.99), length.out = 300)
rows <- list()
for (i in 1:300) {
  z <- qnorm(1 - (1 - conf[i]) / 2)
  t <- list(x[i, 1], n[i, 1], x[i, 2], n[i, 2])
  limits <- do.call(closed, c(t, conf[i], z))
  for (m in c("miettinen-nurminen", "skewness-corrected")) {
    skew <- m == "skewness-corrected"
    limits[[m]] <- c(do.call(score_limits, c(t, z, FALSE, skew)),
                     do.call(score_limits, c(t, z, TRUE, skew)))
  }
  for (m in names(limits)) {
    v <- sprintf("%.12g", limits[[m]])
    rows[[length(rows) + 1]] <- c(unlist(t), conf[i], m, v)
  }
}
table <- as.data.frame(do.call(rbind, rows))
names(table) <- c("x1", "n1", "x2", "n2", "confidence", "interval", "rd_low", "rd_high", "rr_low",
                  "rr_high")
write.csv(table, out, row.names = FALSE, quote = FALSE)
