# Oracle for models with a variance in each arm (mair/stats/covariance.py, smallsample.py, ancova.py).
#   Rscript tests/oracles/by_arm.R     (from the root of the repository)
# Without shared columns the arms are fitted apart and joined: estimates subtract, variances add,
# degrees of freedom combine as Welch's. With a covariate: lme with a random intercept and a
# residual variance by arm. `stem_cell` is openintro's (18 sheep; Menard C et al., Lancet
# 2005;366:1005-12); the trial `drawn` is simulated here.
suppressMessages({library(nlme); library(lme4); library(lmerTest); library(pbkrtest); library(jsonlite)})
here <- "tests/oracles"
stem_cell <- data.frame(arm = rep(0:1, each = 9),
  before = c(35.25, 36.5, 39.75, 39.75, 41.75, 45, 47, 52, 52,
             29, 29.5, 34, 35, 35.25, 42.5, 44, 49.25, 53.75),
  after = c(29.5, 29.5, 36.25, 38, 37.5, 42.75, 39, 45.25, 52.25,
            31, 43.75, 36, 41.5, 39.5, 40, 45.75, 55.25, 51))
set.seed(41)
n <- c(14, 22)
drawn <- expand.grid(visit = 1:3, id = seq_len(sum(n)))
drawn$arm <- as.integer(drawn$id > n[1])
drawn$x <- round(rnorm(sum(n)), 2)[drawn$id]
sd <- c(4, 1.5)[drawn$arm + 1]
drawn$y <- round(30 + drawn$x + rnorm(sum(n))[drawn$id] * sd + rnorm(nrow(drawn)) * sd +
                 drawn$visit * drawn$arm, 3)
drawn <- drawn[runif(nrow(drawn)) > 0.2 * (drawn$visit > 1), ]
drawn$visit <- factor(drawn$visit)

joined <- function(b, se, df = c(Inf, Inf), plain = se) {
  v <- plain^2  # Kenward-Roger's df are of the unadjusted variances
  list(b = b[2] - b[1], se = sqrt(sum(se^2)), df = if (all(is.finite(df))) sum(v)^2 / sum(v^2 / df) else NULL)
}
control <- lmerControl(optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-14))
apart <- lapply(0:1, function(a) lmer(y ~ visit + (1 | id), drawn[drawn$arm == a, ], control = control))
at <- function(m, l) unlist(contest1D(m, l)[c("Estimate", "Std. Error", "df")])
mixed <- lapply(2:3, function(v) {
  l <- diag(3)[v, ]
  s <- sapply(apart, at, l)
  kr <- sapply(apart, function(m) {
    adjusted <- vcovAdj(m)
    c(sqrt(l %*% as.matrix(adjusted) %*% l), Lb_ddf(l, as.matrix(vcov(m)), adjusted))
  })
  list(z = joined(s[1, ], s[2, ]), satterthwaite = joined(s[1, ], s[2, ], s[3, ]),
       `kenward-roger` = joined(s[1, ], kr[1, ], kr[2, ], s[2, ]))
})
exact <- glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 2000, opt = "nlminb")
gls_by_arm <- function(structure, weights) lapply(0:1, function(a) {
  d <- drawn[drawn$arm == a, ]
  d$index <- as.integer(d$visit)
  gls(y ~ visit, d[order(d$visit, d$id), ], correlation = structure(form = ~ index | id),
      weights = weights, control = exact)
})
both <- function(fits) lapply(2:3, function(v) c(
  joined(sapply(fits, function(m) coef(m)[v]), sapply(fits, function(m) sqrt(diag(m$varBeta))[v])),
  loglik = sum(sapply(fits, logLik))))
adjusted <- lme(y ~ factor(arm) * visit + x, drawn, random = list(id = pdDiag(~ 0 + factor(arm))),
  weights = varIdent(form = ~ 1 | arm), control = lmeControl(tolerance = 1e-12, msTol = 1e-14,
  maxIter = 500, msMaxIter = 2000, opt = "nlminb"))
change <- with(stem_cell, t.test((after - before)[arm == 1], (after - before)[arm == 0]))
ancova <- gls(after ~ arm + before, stem_cell, weights = varIdent(form = ~ 1 | arm), control = exact)
write_json(list(drawn = drawn, mixed = mixed,
  `compound-symmetry` = both(gls_by_arm(corCompSymm, NULL)),
  unstructured = both(gls_by_arm(corSymm, varIdent(form = ~ 1 | visit))),
  adjusted = list(b = unname(fixef(adjusted)), se = unname(sqrt(diag(adjusted$varFix))),
                  loglik = as.numeric(logLik(adjusted))),
  stem_cell = stem_cell,
  welch = list(b = change$estimate[[1]] - change$estimate[[2]], se = change$stderr, df = unname(change$parameter)),
  ancova = list(b = unname(coef(ancova)["arm"]), se = sqrt(ancova$varBeta["arm", "arm"]),
                sd = unname(ancova$sigma * c(1, coef(ancova$modelStruct$varStruct, unconstrained = FALSE))))),
  file.path(here, "by_arm.json"), digits = NA, auto_unbox = TRUE, dataframe = "columns")
