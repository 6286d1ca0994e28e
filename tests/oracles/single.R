# One result a person: Fisher, odds ratios, Wilcoxon's shift, least squares. R 4.2, package stats.
# Writes single.json; read by tests/stats/test_single.py.
library(jsonlite)

tables <- list(malaria = c(6, 0, 5, 9), cpr = c(14, 26, 11, 39), indomethacin = c(27, 268, 52, 255),
               none_in_control = c(4, 3, 0, 8), none_in_treatment = c(0, 7, 5, 4),
               all_respond = c(5, 0, 2, 6))
fisher <- lapply(tables, function(x) {
  m <- matrix(x, 2, byrow = TRUE)
  f <- fisher.test(m)
  list(table = x, p = f$p.value, estimate = unname(f$estimate), low = f$conf.int[1],
       high = f$conf.int[2], pearson = suppressWarnings(chisq.test(m, correct = FALSE))$p.value)
})

set.seed(5)
samples <- list(
  small = list(c(1.1, 2.3, 3.9, 0.4, 5.6), c(2.2, 7.1, 6.6, 8.3)),
  untied = list(round(rnorm(23), 5), round(rnorm(31, 0.7, 2), 5)),
  large = list(round(rnorm(55), 5), round(rexp(60), 5)),
  tied = list(c(3, 5, 5, 2, 7, 8, 4, 4, 6, 3, 5), c(1, 2, 2, 4, 3, 3, 1, 5, 2, 4)))
wilcoxon <- lapply(samples, function(s) {
  exact <- !any(duplicated(unlist(s))) && max(lengths(s)) < 50
  w <- suppressWarnings(wilcox.test(s[[1]], s[[2]], conf.int = TRUE, exact = exact,
                                    correct = FALSE))
  list(treatment = s[[1]], control = s[[2]], exact = exact, estimate = unname(w$estimate),
       low = w$conf.int[1], high = w$conf.int[2],
       median = median(outer(s[[1]], s[[2]], "-")))
})

x <- rep(0:1, c(9, 11)); age <- c(53, 60, 21, 60, 43, 45, 51, 34, 68, 22, 33, 39, 41, 28, 57, 36,
                                  48, 62, 30, 44)
sex <- rep(c(0, 1, 1, 0, 1), 4); y <- round(40 + 0.2 * age - 6 * x + rnorm(20, 0, 5), 2)
fit <- lm(y ~ x + age + sex)
linear <- list(y = y, arm = x, covariates = cbind(age, sex), df = fit$df.residual,
               row = unname(coef(summary(fit))["x", ]), ci = unname(confint(fit)["x", ]))
write_json(list(fisher = fisher, wilcoxon = wilcoxon, linear = linear), "single.json",
           digits = NA, auto_unbox = TRUE, pretty = FALSE)
