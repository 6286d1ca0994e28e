# Oracle for mair/stats/covariance.py and smallsample.py: lme4, lmerTest, pbkrtest, emmeans, nlme.
#   Rscript tests/oracles/smallsample.R     (from the root of the repository)
# Reads smallsample_data.csv (written once, see `data`; FIQ and HADS-A are copies of the synthetic
# cohort of that day, so that the oracle does not move with it) and writes smallsample.json.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(emmeans)
                  library(nlme); library(jsonlite)})
here <- "tests/oracles"
file <- file.path(here, "smallsample_data.csv")

long <- function(set, wide, columns, id, arm, x, x2 = NA) {
  d <- do.call(rbind, lapply(seq_along(columns), function(v) data.frame(
    set = set, id = wide[[id]], visit = v, arm = arm, x = x, x2 = x2, y = wide[[columns[v]]])))
  d[!is.na(d$y), ]
}
data <- function() {
  cohort <- read.csv("mair/data/mair_synthetic.csv")
  cohort$id <- as.integer(sub("S", "", cohort$id))
  beat <- read.csv("mair/data/beat_the_blues.csv")
  part <- function(set, stem) long(set, cohort, paste0(stem, c("_baseline", "_post", "_followup")),
                                   "id", as.integer(cohort$arm == "MAIR"), cohort$n_medications)
  sets <- list(part("fiq", "fiq"), part("hads_a", "hads_a"),
    long("beat", beat, paste0("bdi_", c("pre", "2m", "3m", "5m", "8m")), "id",
         as.integer(beat$treatment == "BtheB"), as.integer(beat$drug == "Yes"),
         as.integer(beat$length == ">6m")))
  simulate <- function(set, seed, n, visits, sd_id, sd_e, missing, drop = 0) {
    set.seed(seed)
    d <- expand.grid(visit = seq_len(visits), id = seq_len(n))
    d$set <- set; d$x2 <- NA
    d$arm <- as.numeric(d$id %in% sample(n, n %/% 2))
    d$x <- round(rnorm(n, 4, 2), 2)[d$id]
    e <- matrix(rnorm(n * visits), n)
    if (drop) e <- e - drop * rowMeans(e)   # negative correlation within participants
    d$y <- round(40 + 2 * d$x - 3 * d$arm * (d$visit > 1) - d$visit + rnorm(n, sd = sd_id)[d$id] +
                 sd_e * (1 + 0.2 * d$visit * (set == "dropout")) * e[cbind(d$id, d$visit)], 4)
    d[runif(nrow(d)) >= missing, c("set", "id", "visit", "arm", "x", "x2", "y")]
  }
  sets <- c(sets, list(simulate("pairs", 21, 24, 2, 6, 5, 0),
    simulate("dropout", 22, 60, 4, 5, 4, 0.45), simulate("near_zero", 33, 60, 3, 1, 6, 0.25),
    simulate("zero", 14, 20, 3, 0, 5, 0.15, 0.3), simulate("negative", 23, 40, 3, 0, 5, 0.2, 0.7)))
  write.csv(do.call(rbind, sets), file, row.names = FALSE, quote = FALSE)
}
if (!file.exists(file)) data()

# lme4's optimisers stop at about 1e-6 in theta: search on a grid, then a root of the slope
tight <- function(fn, par, lower, upper, control) {
  grid <- c(0, exp(seq(log(1e-3), log(1e3), length.out = 300)))
  value <- sapply(grid, fn)
  k <- which.min(value)
  theta <- grid[k]
  if (k <= 2) {
    o <- optimize(fn, c(0, grid[3]), tol = 1e-12)
    theta <- if (o$objective < fn(0) - 1e-10) o$minimum else 0
  }
  if (theta > 0) {
    slope <- function(s, h = 1e-3) (8 * (fn(exp(s + h)) - fn(exp(s - h))) -
                                    (fn(exp(s + 2 * h)) - fn(exp(s - 2 * h)))) / (12 * h)
    s <- log(theta) + c(-0.05, 0.05)
    theta <- exp(uniroot(slope, s, tol = 1e-13, extendInt = "upX")$root)
  }
  list(par = theta, fval = fn(theta), conv = 0, message = "")
}
control <- lmerControl(optimizer = "tight", calc.derivs = FALSE,
                       check.conv.singular = "ignore")

contrasts_of <- function(m, L) {
  adjusted <- vcovAdj(m); plain <- vcov(m)
  s <- t(apply(L, 1, function(l) unlist(contest1D(m, l))[c("Estimate", "Std. Error", "df")]))
  list(L = unname(L), estimate = unname(s[, 1]), se = unname(s[, 2]), satterthwaite_df = unname(s[, 3]),
       kr_se = unname(sqrt(diag(L %*% as.matrix(adjusted) %*% t(L)))),
       kr_df = apply(L, 1, function(l) Lb_ddf(l, as.matrix(plain), adjusted)))
}
joint_of <- function(m, L) {
  s <- contestMD(m, L)
  k <- getKR(KRmodcomp(m, L))
  list(L = unname(L), satterthwaite = list(f = s$`F value`, df2 = s$DenDF, p = s$`Pr(>F)`),
       kr = list(f = k$Fstat, df2 = k$ddf, p = k$p.value, scaling = k$F.scaling))
}
emm_of <- function(m, d, mode) {
  e <- emmeans(m, ~ arm * visit, lmer.df = mode, at = list(arm = c(0, 1)))
  v <- summary(e)
  list(L = unname(as.matrix(e@linfct)), mean = v$emmean, se = v$SE, df = v$df)
}
mixed_of <- function(formula, d) {
  out <- list()
  for (reml in c(TRUE, FALSE)) {
    assign("d", d, envir = globalenv())
    m <- lmer(formula, data = d, REML = reml, control = control)
    vc <- as.data.frame(VarCorr(m))$vcov
    part <- list(beta = unname(fixef(m)), se = unname(sqrt(diag(as.matrix(vcov(m))))),
                 var_participant = vc[1], var_residual = vc[2], n_rows = nobs(m),
                 criterion = if (reml) unname(REMLcrit(m)) else unname(deviance(m)))
    names <- names(fixef(m))
    L <- diag(length(names))
    if (reml) {
      whole <- L[grepl("^arm.*visit|visit.*arm", names), , drop = FALSE]
      part <- c(part, list(names = names, contrasts = contrasts_of(m, L), joint = joint_of(m, whole)))
      if (any(names == "arm"))
        part$emm <- list(satterthwaite = emm_of(m, d, "satterthwaite"), kr = emm_of(m, d, "kenward-roger"))
    } else {
      part$satterthwaite_df <- unname(sapply(seq_along(names), function(i)
        contest1D(m, L[i, ])$df))
    }
    out[[if (reml) "reml" else "ml"]] <- part
  }
  out
}
# gls stops at about 1e-6 in its parameters: Newton steps on its own likelihood, evaluated with
# the parameters fixed. Its SEs by ML are inflated by sqrt(N / (N - p)), which is undone.
gls_of <- function(formula, d, form, structure) {
  out <- list()
  for (method in c("REML", "ML")) {
    at <- function(rho, ratio, fixed) gls(formula, data = d, method = method,
      correlation = structure(rho, form = form, fixed = fixed),
      weights = if (!length(ratio)) NULL else if (fixed) varIdent(form = ~ 1 | visit, fixed = ratio)
                else varIdent(ratio, form = ~ 1 | visit),
      control = glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 2000,
                           opt = "nlminb", apVar = FALSE))
    whole <- identical(structure, corSymm)
    k <- nlevels(d$visit)
    r <- if (whole) k * (k - 1) / 2 else 1
    start <- setNames(rep(1.001, k - 1), levels(d$visit)[-1])
    m <- at(if (whole) numeric(0) else 0, if (whole) start, FALSE)
    par <- c(coef(m$modelStruct$corStruct, unconstrained = FALSE),
             if (whole) log(coef(m$modelStruct$varStruct, unconstrained = FALSE)[names(start)]))
    at_par <- function(p) at(unname(p[1:r]), if (whole) setNames(exp(p[-(1:r)]), names(start)), TRUE)
    value <- function(p) as.numeric(logLik(at_par(p)))
    h <- numDeriv::hessian(value, par)
    for (i in 1:3) par <- par - solve(h, numDeriv::grad(value, par))
    m <- at_par(par)
    sd <- m$sigma * c(1, if (whole) exp(par[-(1:r)]))
    shrink <- if (method == "ML") sqrt((m$dims$N - m$dims$p) / m$dims$N) else 1
    out[[tolower(method)]] <- list(beta = unname(coef(m)), loglik = as.numeric(logLik(m)),
      se = unname(shrink * sqrt(diag(m$varBeta))), rho = unname(par[1:r]), sd = unname(sd))
  }
  out
}

all <- read.csv(file)
all$visit <- factor(all$visit)
set <- function(name) { d <- droplevels(all[all$set == name, ]); d[order(d$id, d$visit), ] }
res <- list()
for (name in unique(all$set)) {
  d <- set(name)
  fixed <- if (name == "beat") y ~ arm * visit + x + x2 else y ~ arm * visit + x
  res[[name]] <- list(mixed = mixed_of(update(fixed, . ~ . + (1 | id)), d))
  if (name %in% c("fiq", "negative", "zero", "dropout"))
    res[[name]]$compound_symmetry <- gls_of(fixed, d, ~ 1 | id, corCompSymm)
  if (name %in% c("fiq", "hads_a", "beat", "dropout", "pairs")) {
    d$index <- as.integer(d$visit)
    d <- d[order(d$visit, d$id), ]  # so that the SDs are relative to visit 1
    res[[name]]$unstructured <- gls_of(fixed, d, ~ index | id, corSymm)
  }
  cat(name, nrow(d), res[[name]]$mixed$reml$var_participant, "\n")
}
d <- set("fiq")
for (v in 2:3) d[[paste0("late", v)]] <- as.numeric(d$visit == v) * d$arm
names(d)[grepl("late", names(d))] <- c("armvisit2", "armvisit3")
res$fiq_clda <- list(mixed = mixed_of(y ~ visit + armvisit2 + armvisit3 + x + (1 | id), d))
d <- set("beat")
base <- d[d$visit == 1, ]
d$pre <- base$y[match(d$id, base$id)]
d <- droplevels(d[d$visit != 1, ])
res$beat_later <- list(mixed = mixed_of(y ~ pre + arm * visit + x + x2 + (1 | id), d))
d <- set("fiq")
wide <- reshape(d[, c("id", "arm", "x", "visit", "y")], idvar = c("id", "arm", "x"), timevar = "visit",
                direction = "wide")
res$ancova <- lapply(2:3, function(v) {
  m <- lm(as.formula(paste0("y.", v, " ~ arm + y.1 + x")), wide)
  s <- summary(m)$coefficients["arm", ]
  ci <- confint(m)["arm", ]
  list(estimate = s[[1]], se = s[[2]], df = m$df.residual, t = s[[3]], p = s[[4]], low = ci[[1]],
       high = ci[[2]], sigma = summary(m)$sigma)
})
version <- function(p) as.character(packageVersion(p))
write_json(list(versions = c(R = as.character(getRversion()), sapply(
  c("lme4", "lmerTest", "pbkrtest", "emmeans", "nlme"), version)), sets = res),
  file.path(here, "smallsample.json"), digits = NA, auto_unbox = TRUE, null = "null", matrix = "rowmajor")
