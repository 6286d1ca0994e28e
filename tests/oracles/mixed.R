# Oracle for mair/stats/mixed.py: lme4 and nlme on Beat the Blues and on simulated trials.
#   Rscript tests/oracles/mixed.R          (from the root of the repository)
# Writes mixed_<name>.csv (design and response of the simulated sets) and mixed_results.json.
# lme4's own optimisers stop at about 1e-6 in theta, so its deviance function is minimised here
# over a grid and then by golden section, and the model is assembled at that theta.
suppressMessages({library(lme4); library(nlme); library(jsonlite)})
here <- "tests/oracles"

tight <- function(formula, data, reml) {
  lf <- lFormula(formula, data, REML = reml)
  devf <- do.call(mkLmerDevfun, lf)
  grid <- c(0, exp(seq(log(1e-3), log(1e4), length.out = 400)))
  value <- sapply(grid, devf)
  k <- which.min(value)
  theta <- grid[k]
  if (k == 1 || k == 2) {
    o <- optimize(devf, c(0, grid[3]), tol = 1e-12)
    theta <- if (o$objective < devf(0) - 1e-10) o$minimum else 0
  } else {
    o <- optimize(function(s) devf(exp(s)), log(grid[c(k - 1, k + 1)]), tol = 1e-12)
    theta <- exp(o$minimum)
  }
  # golden section knows theta to sqrt(eps); one secant on central differences sharpens it
  if (theta > 0) {
    s <- log(theta); h <- 1e-3
    slope <- function(s) (8 * (devf(exp(s + h)) - devf(exp(s - h))) -
                          (devf(exp(s + 2 * h)) - devf(exp(s - 2 * h)))) / (12 * h)
    s <- uniroot(slope, s + c(-1e-3, 1e-3), tol = 1e-13, extendInt = "upX")$root
    theta <- exp(s)
  }
  fval <- devf(theta)
  mkMerMod(environment(devf), list(par = theta, fval = fval, conv = 0), lf$reTrms, lf$fr)
}

one <- function(formula, fixed, data, group) {
  out <- list()
  for (estimator in c("reml", "ml")) {
    reml <- estimator == "reml"
    m <- tight(formula, data, reml)
    vc <- as.data.frame(VarCorr(m))$vcov
    out[[estimator]] <- list(
      names = names(fixef(m)), beta = unname(fixef(m)), se = unname(sqrt(diag(as.matrix(vcov(m))))),
      vcov = unname(as.matrix(vcov(m))), var_participant = vc[1], var_residual = vc[2],
      criterion = if (reml) unname(REMLcrit(m)) else unname(deviance(m)),
      modes = setNames(as.list(ranef(m)[[1]][[1]]), rownames(ranef(m)[[1]])),
      fitted = unname(fitted(m)), n_rows = nobs(m), n_groups = unname(ngrps(m)))
    l <- tryCatch(lme(fixed, random = as.formula(paste("~1 |", group)), data = data,
      method = toupper(estimator), control = lmeControl(tolerance = 1e-13, msTol = 1e-13,
        maxIter = 2000, msMaxIter = 2000, niterEM = 200, msMaxEval = 5000)), error = function(e) NULL)
    if (!is.null(l)) {
      v <- as.numeric(VarCorr(l)[, 1])
      s2 <- l$sigma^2
      p2 <- as.numeric(getVarCov(l)[1, 1])
      out[[estimator]]$nlme <- list(beta = unname(fixef(l)),
        # summary() of an ML fit inflates by n/(n-p) in some versions; varFix is (X'V^-1X)^-1
        se = unname(sqrt(diag(l$varFix))), var_participant = p2, var_residual = s2,
        criterion = -2 * as.numeric(logLik(l)))
    }
  }
  out
}

res <- list()
wide <- read.csv("mair/data/beat_the_blues.csv")
wide$treatment <- factor(wide$treatment, levels = c("TAU", "BtheB"))
visits <- c("pre", "2m", "3m", "5m", "8m")
long <- do.call(rbind, lapply(visits, function(v) data.frame(
  id = wide$id, visit = v, drug = wide$drug, length = wide$length, treatment = wide$treatment,
  bdi_pre = wide$bdi_pre, bdi = wide[[paste0("bdi_", v)]])))
long <- long[!is.na(long$bdi), ]
long$visit <- factor(long$visit, levels = visits)
res$beat_the_blues <- one(bdi ~ treatment * visit + drug + length + (1 | id),
                          bdi ~ treatment * visit + drug + length, long, "id")
later <- long[long$visit != "pre", ]
later$month <- as.numeric(sub("m", "", as.character(later$visit)))
res$hsaur3 <- one(bdi ~ bdi_pre + month + treatment + drug + length + (1 | id),
                  bdi ~ bdi_pre + month + treatment + drug + length, later, "id")

simulate <- function(name, seed, n, visits, sd_id, sd_e, missing, binary) {
  set.seed(seed)
  d <- expand.grid(visit = seq_len(visits), id = seq_len(n))
  d$arm <- as.numeric(d$id %in% sample(n, n %/% 2))
  x <- if (binary) rbinom(n, 1, 0.3) else round(rnorm(n, 4, 2), 2)
  d$x <- x[d$id]
  d$y <- 40 + 2 * d$x - 3 * d$arm * (d$visit > 1) - d$visit +
    rnorm(n, sd = sd_id)[d$id] + rnorm(nrow(d), sd = sd_e)
  d <- d[runif(nrow(d)) >= missing, ]
  d$y <- round(d$y, 4)
  write.csv(d[, c("id", "visit", "arm", "x", "y")], row.names = FALSE, quote = FALSE,
            file = file.path(here, paste0("mixed_", name, ".csv")))
  res[[name]] <<- one(y ~ arm * factor(visit) + x + (1 | id), y ~ arm * factor(visit) + x, d, "id")
}
simulate("complete", 11, 41, 3, 8, 6, 0, FALSE)
simulate("missing", 12, 30, 4, 3, 4, 0.3, TRUE)
simulate("boundary", 14, 20, 3, 0, 5, 0.15, FALSE)
simulate("huge_icc", 15, 25, 3, 50, 0.05, 0.2, TRUE)
simulate("near_zero", 16, 60, 3, 1, 6, 0.25, FALSE)
simulate("sparse", 17, 16, 5, 4, 4, 0.5, TRUE)
for (n in names(res)) cat(n, res[[n]]$reml$var_participant, res[[n]]$reml$var_residual,
                          res[[n]]$ml$var_participant, is.null(res[[n]]$reml$nlme), "\n")
write_json(list(versions = list(R = as.character(getRversion()),
    lme4 = as.character(packageVersion("lme4")), nlme = as.character(packageVersion("nlme"))),
  fits = res), file.path(here, "mixed_results.json"), digits = NA, auto_unbox = TRUE, null = "null")
