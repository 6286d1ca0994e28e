# Reference values for mair/stats/tests.py, from base R. Writes stats_tests.json beside it.
#   Rscript stats_tests.R     (R 4.2.2, jsonlite)
library(jsonlite)
set.seed(20201)

# Levene centred on the mean, by hand: the one-way anova of absolute deviations.
levene <- function(x, y) {
  d <- c(abs(x - mean(x)), abs(y - mean(y)))
  arm <- factor(rep(1:2, c(length(x), length(y))))
  a <- anova(lm(d ~ arm))
  list(f = a$`F value`[1], df2 = a$Df[2], p = a$`Pr(>F)`[1])
}
t_row <- function(test) list(t = unname(test$statistic), df = unname(test$parameter), p = test$p.value,
                             low = test$conf.int[1], high = test$conf.int[2], se = test$stderr)
samples <- lapply(1:40, function(i) {
  n1 <- sample(3:30, 1); n2 <- sample(3:30, 1)
  x <- round(rnorm(n1, 50, sample(c(2, 10, 30), 1)), sample(0:3, 1))
  y <- round(rnorm(n2, sample(c(50, 60), 1), 10), 1)
  if (i == 1) { x <- c(1, 2, 4); y <- c(5, 5, 5) }            # one arm constant
  if (i == 2) { x <- 1e6 + c(.1, .2, .4, .3); y <- 1e6 + c(.5, .1, .3) }
  list(x = x, y = y, student = t_row(t.test(x, y, var.equal = TRUE)), welch = t_row(t.test(x, y)),
       student99 = t_row(t.test(x, y, var.equal = TRUE, conf.level = .99)), levene = levene(x, y))
})

ranks <- lapply(1:30, function(i) {
  levels <- sample(c(3, 9, 1000), 1)
  x <- sample(levels, sample(2:25, 1), TRUE); y <- sample(levels, sample(2:25, 1), TRUE)
  if (length(unique(c(x, y))) == 1) y[1] <- y[1] + 1
  w <- suppressWarnings(wilcox.test(x, y, exact = FALSE, correct = FALSE))
  list(x = x, y = y, u = unname(w$statistic), p = w$p.value)
})

chi <- function(m, correct) {
  c2 <- suppressWarnings(chisq.test(m, correct = correct))
  list(chi2 = unname(c2$statistic), df = unname(c2$parameter), p = c2$p.value)
}
paper <- list(education = matrix(c(7, 8, 7, 4, 8, 7), ncol = 2),
              employment = matrix(c(3, 8, 11, 5, 8, 6), ncol = 2),
              stable_relationship = matrix(c(12, 10, 13, 6), ncol = 2),
              own_home = matrix(c(18, 4, 17, 2), ncol = 2),
              antidepressants = matrix(c(8, 14, 2, 17), ncol = 2),
              antipsychotics = matrix(c(1, 21, 0, 19), ncol = 2),
              retained_post = matrix(c(19, 3, 16, 3), ncol = 2),
              retained_followup = matrix(c(19, 3, 15, 4), ncol = 2))
# Freeman-Halton for levels x 2 by plain enumeration of every table, its tie rule as in
# fisher.test for 2 x 2. R's own r x c code (FEXACT) takes a wider rule on the log scale.
enumerate <- function(m) {
  r <- rowSums(m)
  a <- as.matrix(expand.grid(lapply(r, function(k) 0:k)))
  a <- a[rowSums(a) == sum(m[, 1]), , drop = FALSE]
  lw <- Reduce(`+`, lapply(seq_along(r), function(k) lchoose(r[k], a[, k])))
  lp <- lw - lchoose(sum(m), sum(m[, 1]))
  observed <- sum(lchoose(r, m[, 1])) - lchoose(sum(m), sum(m[, 1]))
  sum(exp(lp[lp <= observed + log1p(1e-7)]))
}
random_table <- function(rows, mean) repeat {
  m <- matrix(rpois(2 * rows, mean), ncol = 2)
  if (all(rowSums(m) > 0) && all(colSums(m) > 0)) return(m)
}
random <- c(lapply(1:60, function(i) random_table(2, sample(c(1, 4, 12, 80), 1))),
            lapply(1:60, function(i) random_table(3, sample(c(1, 4, 9, 20), 1))),
            lapply(1:40, function(i) random_table(4, sample(c(1, 3, 8), 1))),
            lapply(1:30, function(i) random_table(5, sample(c(1, 3), 1))),
            lapply(1:10, function(i) random_table(6, 1.5)))
count_row <- function(m) {
  row <- list(table = m, pearson = chi(m, FALSE), fisher = fisher.test(m, workspace = 2e7)$p.value)
  if (nrow(m) == 2) row$yates <- chi(m, TRUE)
  if (prod(rowSums(m) + 1) < 3e6) row$enumerated <- enumerate(m)
  row
}
big <- list(matrix(c(500, 460, 540, 500, 480, 520), ncol = 2), matrix(c(100000, 100300, 100000, 99700), 2),
            matrix(c(60, 41, 38, 25, 40, 55, 44, 31), ncol = 2))
quantiles <- lapply(1:25, function(i) {
  x <- round(rnorm(sample(1:24, 1), 8, 2), sample(0:2, 1))
  p <- c(0, .01, .1, .25, 1 / 3, .5, .75, .9, .99, 1)
  list(x = as.list(x), p = p, q = unname(quantile(x, p, type = 6)))
})
adjusted <- lapply(1:20, function(i) {
  p <- round(runif(sample(1:20, 1))^2, 4)
  p[runif(length(p)) < .2] <- NA
  list(p = as.list(p), q = as.list(p.adjust(p, "BH")))
})
proportions <- lapply(list(c(19, 22), c(16, 19), c(0, 16), c(16, 16), c(15, 19), c(35, 41), c(1, 1)), function(v) {
  ci <- suppressWarnings(prop.test(v[1], v[2], correct = FALSE))$conf.int
  list(x = v[1], n = v[2], low = ci[1], high = ci[2])
})
write_json(list(r = R.version.string, samples = samples, ranks = ranks,
                tables = c(lapply(paper, count_row), lapply(random, count_row), lapply(big, count_row)),
                quantiles = quantiles, adjusted = adjusted, proportions = proportions),
           "stats_tests.json", auto_unbox = TRUE, digits = I(17), na = "null")
