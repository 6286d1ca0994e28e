# Reference values for mair/stats/impute.py and pooling.py. Writes impute.json and impute_gaps.csv.
#   Rscript impute.R [part ...]     (R 4.2.2, mice, lme4, MASS, jsonlite; five minutes; with mice(), an hour)
# Parts: fiq pcs gaps one blues reference rubin; by default all. A part given alone replaces its
# own results in impute.json; seeds are set part by part. `one` is imputed by mice() itself, the
# others by its algorithm around its mice.impute.norm; with `mice` among the parts, all by mice().
# MAR: mice's norm by arm, every other visit and the covariates as predictors, maxit 20, m = 2,000.
# Reference-based: draws of sequential regressions by arm, then the joint normal formulas of
# Carpenter, Roger and Kenward (2013) participant by participant, given baseline.
suppressMessages({library(mice); library(lme4); library(jsonlite)})
m <- 2000
parts <- commandArgs(TRUE)
if (!length(parts)) parts <- c("fiq", "pcs", "gaps", "one", "blues", "reference", "rubin")
store <- function(part, value, name = NULL) {   # replace one part of impute.json
  force(value)
  all <- if (file.exists("impute.json")) read_json("impute.json", simplifyVector = FALSE) else list()
  if (is.null(name)) all[[part]] <- value else all[[part]][[name]] <- value
  write_json(all, "impute.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
}

set.seed(510)
n <- 70
gaps <- data.frame(arm = rep(0:1, c(33, 37)), x = round(rnorm(n), 2))
level <- rnorm(n)
for (t in 0:3)
  gaps[[paste0("y", t)]] <- round(50 + 4 * gaps$x + 8 * level + 7 * rnorm(n) - 2 * t - 3 * t * gaps$arm, 1)
for (t in 1:3) {   # later visits go missing with the one before: gaps and dropout, at random
  gone <- runif(n) < plogis(-1.6 + .04 * (gaps[[paste0("y", t - 1)]] - 50))
  gaps[[paste0("y", t)]][which(gone)] <- NA
}
gaps$y0[c(5, 50)] <- NA
write.csv(gaps, "impute_gaps.csv", row.names = FALSE)

cohort <- read.csv("impute_cohort.csv")   # fiq and pcs of one synthetic cohort
blues <- read.csv("../../mair/data/beat_the_blues.csv")
wide <- function(d, arm, visits, covariates) {
  w <- cbind(arm = as.numeric(arm), covariates, setNames(d[visits], paste0("y", seq_along(visits) - 1)))
  as.data.frame(w)
}
mair <- function(v) wide(cohort, cohort$arm, paste0(v, 0:2), cohort["x"])
one <- gaps[c("arm", "x", "y0", "y1")]
one <- one[!is.na(one$y0), ]
data <- list(
  fiq = mair("fiq"), pcs = mair("pcs"), gaps = gaps, one = one,
  blues = wide(blues, blues$treatment == "BtheB", c("bdi_pre", "bdi_2m", "bdi_3m", "bdi_5m", "bdi_8m"),
               data.frame(drug = +(blues$drug == "Yes"), length = +(blues$length == ">6m"))))

complete_model <- function(d) {   # completed Y to contrasts and variances: a random intercept by REML
  # on complete data, in closed form (analysis of variance); the first is checked against lmer.
  # (lme4 1.1-31's refit() returns another sigma than lmer() on the same data.)
  covariates <- as.matrix(d[setdiff(names(d)[!grepl("^y", names(d))], "arm")])
  X <- cbind(1, d$arm, covariates); n <- nrow(d); checked <- FALSE
  function(Y) {
    q <- ncol(Y); change <- Y[, -1, drop = FALSE] - Y[, 1]
    b <- colMeans(change[d$arm == 1, , drop = FALSE]) - colMeans(change[d$arm == 0, , drop = FALSE])
    R <- Y - rowMeans(Y)
    for (a in 0:1) R[d$arm == a, ] <- scale(R[d$arm == a, ], scale = FALSE)
    w <- sum(R^2); dw <- (n - 2) * (q - 1)
    v <- q * sum(lm.fit(X, rowMeans(Y))$residuals^2); dv <- n - ncol(X)
    s2 <- if (v / dv > w / dw) w / dw else (v + w) / (dv + dw)
    if (!checked) {
      long <- data.frame(id = rep(seq_len(n), q), time = factor(rep(seq_len(q), each = n)),
                         arm = rep(d$arm, q), y = as.vector(Y), covariates[rep(seq_len(n), q), , drop = FALSE])
      f <- lmer(reformulate(c("arm * time", colnames(covariates), "(1 | id)"), "y"), long)
      i <- paste0("arm:time", 2:q)
      stopifnot(all.equal(unname(fixef(f)[i]), unname(b), tolerance = 1e-8),
                all.equal(vcov(f)[i[1], i[1]], 2 * s2 * sum(1 / table(d$arm)), tolerance = 1e-5))
      checked <<- TRUE
    }
    c(b, rep(2 * s2 * sum(1 / table(d$arm)), q - 1))
  }
}
summarise <- function(d, results, m) {
  q <- ncol(results) / 2
  lapply(seq_len(q), function(j) {
    p <- pool.scalar(results[, j], results[, q + j], n = 80, k = 2)   # complete-data df 78
    list(m = m, estimate = p$qbar, se = sqrt(p$t), between = p$b, within = p$ubar, df78 = p$df, fmi = p$fmi)
  })
}
chained <- function(own, seed) {   # mice()'s algorithm around its mice.impute.norm, five times as quick
  set.seed(seed)
  own <- as.matrix(own); ys <- grep("^y", colnames(own)); seen <- !is.na(own)
  out <- array(0, c(m, nrow(own), length(ys)))
  for (k in seq_len(m)) {
    z <- own
    for (j in ys) z[!seen[, j], j] <- sample(own[seen[, j], j], sum(!seen[, j]), TRUE)
    for (step in 1:20) for (j in ys) if (!all(seen[, j]))
      z[!seen[, j], j] <- mice.impute.norm(own[, j], seen[, j], z[, -j])
    out[k, , ] <- z[, ys]
  }
  out
}
for (name in intersect(names(data), parts)) {
  d <- data[[name]]; ys <- grep("^y", names(d)); Y <- array(0, c(m, nrow(d), length(ys)))
  for (a in 0:1) {
    i <- which(d$arm == a)
    own <- d[i, names(d) != "arm"]
    if (name != "one" && !"mice" %in% parts) { Y[, i, ] <- chained(own, 700 + a); next }
    imp <- mice(own, method = "norm", m = m, maxit = 20, seed = 700 + a, printFlag = FALSE,
                remove.collinear = FALSE, eps = 0)
    for (k in seq_len(m)) Y[k, i, ] <- as.matrix(complete(imp, k)[, grep("^y", names(own))])
  }
  model <- complete_model(d)
  out <- list(contrasts = summarise(d, t(apply(Y, 1, model)), m))
  if (name == "fiq")
    out$responders <- lapply(c(.2, .5), function(r) {
      met <- (Y[, , 1] - Y[, , 2]) / Y[, , 1] >= r - 1e-9
      p1 <- rowMeans(met[, d$arm == 1]); p0 <- rowMeans(met[, d$arm == 0])
      p <- pool.scalar(p1 - p0, p1 * (1 - p1) / sum(d$arm) + p0 * (1 - p0) / sum(1 - d$arm))
      list(m = m, reduction = r, estimate = p$qbar, se = sqrt(p$t), between = p$b, within = p$ubar)
    })
  store("mar", out, name)
}

# --- reference-based, for data whose pattern is monotone ----------------------------------
draw <- function(y, X, random, later) {   # a Bayesian regression (or its estimate); the prior
  # |Sigma|^-1 of all visits leaves it two degrees of freedom fewer for each later visit
  f <- lm.fit(X, y); b <- f$coefficients
  if (!random) return(list(b = b, s2 = 0))
  s2 <- sum(f$residuals^2) / rchisq(1, length(y) - ncol(X) - 2 * later)
  list(b = MASS::mvrnorm(1, b, s2 * solve(crossprod(X))), s2 = s2)
}
joint <- function(d, X, Y, random) {   # mean given x and baseline, covariance given baseline
  q <- ncol(Y) - 1; k <- ncol(X) + 1
  B <- matrix(0, k, q); S <- matrix(0, q, q)
  for (t in seq_len(q)) {
    seen <- !is.na(Y[, t + 1])
    f <- draw(Y[seen, t + 1], cbind(X, Y[, seq_len(t), drop = FALSE])[seen, ], random, q - t)
    own <- f$b[seq_len(k)]; past <- f$b[-seq_len(k)]; e <- seq_len(t - 1)
    B[, t] <- own + B[, e, drop = FALSE] %*% past
    S[t, e] <- S[e, t] <- S[e, e, drop = FALSE] %*% past
    S[t, t] <- f$s2 + sum(past * S[e, t])
    if (!random) S[t, t] <- S[t, t] + 1   # any residual variance: the means do not depend on it
  }
  list(B = B, S = S)
}
reference <- function(d, rule, random) {
  ys <- grep("^y", names(d)); Y <- as.matrix(d[ys]); q <- ncol(Y) - 1
  X <- cbind(1, as.matrix(d[setdiff(names(d)[-ys], "arm")]))
  par <- lapply(0:1, function(a) joint(d, X[d$arm == a, ], Y[d$arm == a, ], random))
  for (i in which(is.na(Y[, q + 1]))) {
    gone <- which(is.na(Y[i, -1])); kept <- setdiff(seq_len(q), gone)
    own <- par[[d$arm[i] + 1]]; ref <- par[[1]]; at <- c(X[i, ], Y[i, 1])
    mean_own <- drop(at %*% own$B); mean_ref <- drop(at %*% ref$B)
    mu <- switch(rule, mar = mean_own, cr = mean_ref,
                 j2r = { v <- mean_ref; v[kept] <- mean_own[kept]; v })
    S <- if (rule == "mar") own$S else if (rule == "cr") ref$S else {
      R <- ref$S; A <- own$S; S <- R   # Carpenter, Roger and Kenward, equation 5
      if (length(kept)) {
        C <- R[gone, kept] %*% solve(R[kept, kept])
        S[kept, kept] <- A[kept, kept]; S[gone, kept] <- C %*% A[kept, kept]
        S[kept, gone] <- t(S[gone, kept])
        S[gone, gone] <- R[gone, gone] - C %*% (R[kept, kept] - A[kept, kept]) %*% t(C)
      }
      S
    }
    v <- S[gone, gone, drop = FALSE]; e <- mu[gone]
    if (length(kept)) {
      C <- S[gone, kept, drop = FALSE] %*% solve(S[kept, kept])
      e <- e + C %*% (Y[i, kept + 1] - mu[kept]); v <- v - C %*% S[kept, gone, drop = FALSE]
    }
    Y[i, gone + 1] <- if (random) MASS::mvrnorm(1, e, v) else e
  }
  Y
}
mr <- 1000
if ("reference" %in% parts) store("reference", lapply(c(fiq = "fiq", blues = "blues"), function(name) {
  set.seed(511); d <- data[[name]]; model <- complete_model(d); n <- nrow(d); q <- length(grep("^y", names(d))) - 1
  lapply(c(j2r = "j2r", cr = "cr"), function(rule) {
    drawn <- t(sapply(seq_len(mr), function(k) model(reference(d, rule, TRUE))))
    point <- model(reference(d, rule, FALSE))[1:q]
    left <- t(sapply(seq_len(n), function(i) complete_model(d[-i, ])(reference(d[-i, ], rule, FALSE))[1:q]))
    list(contrasts = summarise(d, drawn, mr), conditional_mean = point,
         jackknife_se = sqrt((n - 1) / n * colSums(sweep(left, 2, colMeans(left))^2)))
  })
}))
q <- c(1.2, .7, 1.9, 1.1, 1.6, .2); u <- c(.5, .4, .6, .55, .45, .5)
rubin <- lapply(list(c(n = 30, k = 2), c(n = Inf, k = 1)), function(v) {
  p <- pool.scalar(q, u, n = v[["n"]], k = v[["k"]])
  list(df_complete = if (is.finite(v[["n"]])) v[["n"]] - v[["k"]] else "inf", estimate = p$qbar,
       se = sqrt(p$t), df = p$df, fmi = p$fmi, between = p$b)
})
if ("rubin" %in% parts) store("rubin", list(estimates = q, variances = u, pooled = rubin))
