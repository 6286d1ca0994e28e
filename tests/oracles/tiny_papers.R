# Tiny papers for the checks of printed numbers, each sound and with one number broken: R's own
# t.test, fisher.test, chisq.test and formulas give the sound numbers. Writes tiny_papers.csv.
# `broken` replaces `printed` in the broken paper; `check`, `sound` and `verdict` say which check
# judges the row and how, in the sound and in the broken paper ("none": it has no row there).
rows <- NULL
add <- function(case, key, statistic, printed, broken = "", check = "", sound = "", verdict = "") {
  key <- strsplit(key, ",", fixed = TRUE)[[1]]
  rows <<- rbind(rows, data.frame(case, analysis = key[1], variable = key[2], arm = key[3],
    time = if (length(key) > 3) key[4] else "", method = if (length(key) > 4) key[5] else "", statistic, printed, broken,
    check, sound, verdict))
}
f <- function(x, digits) formatC(x, format = "f", digits = digits)
of <- function(arm, time, n, mean, sd, case, ...) {
  key <- paste0("outcomes,y,", arm, ",", time, ",described")
  add(case, key, "n", n); add(case, key, "mean", mean); add(case, key, "sd", sd, ...)
}
exactly <- function(n, m, s) { z <- as.numeric(scale(qnorm(ppoints(n)))); m + s * z }
a <- exactly(30, 20.1, 5); b <- exactly(28, 23.4, 5.5)

case <- "standard error"; of("A", "post", 30, "20.1", "5.00", case); k <- "outcomes,y,A,post,described"
add(case, k, "se", f(5 / sqrt(30), 2), "5.00", case, "exact", "other convention")
add(case, k, "ci_low", f(t.test(a)$conf.int[1], 2))
add(case, k, "ci_high", f(t.test(a)$conf.int[2], 2))
case <- "limits of a mean"; of("A", "post", 30, "20.10", "5.00", case)
add(case, k, "ci_low", f(t.test(a)$conf.int[1], 2), "18.00", case, "exact", "impossible")
add(case, k, "ci_high", f(t.test(a)$conf.int[2], 2))

for (broken in c(FALSE, TRUE)) {  # an SE printed as SD, and an SD printed as SE
  case <- if (broken) "SD as SE" else "SE as SD"; s <- if (broken) "se" else "sd"
  given <- c(5, 5.5); se <- given / sqrt(c(30, 28)); shown <- if (broken) se else given
  wrong <- if (broken) given else se
  for (i in 1:2) {
    k <- paste0("outcomes,y,", c("A", "B")[i], ",post,described")
    add(case, k, "n", c(30, 28)[i]); add(case, k, "mean", c("20.10", "23.40")[i])
    add(case, k, s, f(shown[i], 3), f(wrong[i], 3))
  }
  add(case, "outcomes,y,difference,post,welch", "p", f(t.test(b, a)$p.value, 3), "", "t test",
      "exact", "other convention")
}
for (p in c(">0.05", "<0.05")) {  # NS, and an inequality
  case <- paste("p", p); m <- if (p == ">0.05") "21.0" else "23.4"
  wrong <- if (p == ">0.05") "23.4" else "21.0"
  of("A", "post", 30, "20.1", "5.0", case)
  k <- "outcomes,y,B,post,described"; add(case, k, "n", 28); add(case, k, "mean", m, wrong)
  add(case, k, "sd", "5.5")
  add(case, "outcomes,y,difference,post,student", "p", p, "", "t test", "exact", "impossible")
}
tt <- t.test(b, a); k <- "outcomes,y,difference,post,welch"; case <- "difference of means"
of("A", "post", 30, "20.10", "5.00", case); of("B", "post", 28, "23.40", "5.50", case)
add(case, k, "b", "3.30")
add(case, k, "ci_low", f(tt$conf.int[1], 2), "0.20", case, "exact", "impossible")
add(case, k, "ci_high", f(tt$conf.int[2], 2))
case <- "p value"; add(case, k, "b", "3.30"); add(case, k, "ci_low", f(tt$conf.int[1], 2))
of("A", "post", 30, "20.10", "5.00", case); of("B", "post", 28, "23.40", "5.50", case)
add(case, k, "ci_high", f(tt$conf.int[2], 2))
add(case, k, "p", f(tt$p.value, 3), "0.045", case, "within rounding", "impossible")

case <- "sd of change"; of("A", "pre", 30, "40.0", "10.0", case)
of("A", "post", 30, "35.0", "12.0", case); k <- "outcomes,y,A,post,described"
add(case, k, "change", "-5.0")
add(case, k, "change_sd", f(sqrt(100 + 144 - 2 * 0.75 * 120), 1), "23.0", case, "exact", "impossible")
case <- "paired test"; k <- "outcomes,y,A,post,paired"
add(case, k, "n", 30); add(case, k, "change", "-5.0"); add(case, k, "change_sd", "8.0")
add(case, k, "p", f(t.test(exactly(30, -5, 8))$p.value, 3), "0.011", case, "exact", "impossible")
case <- "change of arms"; add(case, "outcomes,y,A,post,described", "change", "-2.1")
add(case, "outcomes,y,B,post,described", "change", "-6.4")
add(case, "outcomes,y,difference,post,change/student", "b", "-4.3", "-4.8", case, "exact", "impossible")
case <- "adjusted mean"; of("A", "pre", 30, "20.0", "5.0", case); of("B", "pre", 30, "21.0", "5.0", case)
of("A", "post", 30, "18.0", "5.0", case); of("B", "post", 30, "15.0", "5.0", case)
add(case, "outcomes,y,difference,post,ancova/t", "b", "-3.6", "-4.9", case, "exact", "impossible")

cells <- matrix(c(18, 12, 9, 19), 2); k <- "nnt,better,difference,post,completers/"
responders <- function(case, ...) {
  for (i in 2:1) {
    key <- paste0("nnt,better,", c("B", "A")[i], ",post,completers")
    add(case, key, "n", sum(cells[, i])); add(case, key, "responders", cells[1, i])
  }
}
p <- c(pearson = chisq.test(cells, correct = FALSE)$p.value, fisher = fisher.test(cells)$p.value,
       yates = chisq.test(cells)$p.value)
for (test in names(p)) {
  case <- paste("responders by", test); responders(case)
  add(case, paste0(k, test), "p", f(p[[test]], 4), "0.0911", "count test", "exact", "impossible")
}
rr <- (18 / 30) / (9 / 28); se <- sqrt(1 / 18 - 1 / 30 + 1 / 9 - 1 / 28)
or <- (18 * 19) / (12 * 9); se_or <- sqrt(1 / 18 + 1 / 12 + 1 / 9 + 1 / 19); z <- qnorm(0.975)
for (what in c("rr", "or")) {
  est <- get(what); s <- if (what == "rr") se else se_or; m <- if (what == "rr") "wald" else "woolf"
  name <- if (what == "rr") "risk ratio" else "odds ratio"
  case <- name; responders(case); key <- paste0(k, m)
  add(case, key, what, f(est, 2), f(1.1 * est, 2), name, "exact", "impossible")
  case <- paste("limit of", what); responders(case)
  add(case, key, paste0(what, "_low"), f(est * exp(-z * s), 2), "1.42", name, "exact", "impossible")
  add(case, key, paste0(what, "_high"), f(est * exp(z * s), 2))
  case <- paste("centre of", what); add(case, key, what, f(est, 2), f(1.1 * est, 2), "centre",
    if (what == "rr") "within rounding" else "exact", "impossible")
  add(case, key, paste0(what, "_low"), f(est * exp(-z * s), 2))
  add(case, key, paste0(what, "_high"), f(est * exp(z * s), 2))
  add(case, key, "p", f(2 * pnorm(-log(est) / s), 3))
  case <- paste("p of", what); add(case, key, what, f(est, 2))
  add(case, key, paste0(what, "_low"), f(est * exp(-z * s), 2))
  add(case, key, paste0(what, "_high"), f(est * exp(z * s), 2))
  add(case, key, "p", f(2 * pnorm(-log(est) / s), 3), "0.081", "p value",
    if (what == "rr") "within rounding" else "exact", "impossible")
}
exact <- fisher.test(cells); case <- "exact odds ratio"; responders(case); key <- paste0(k, "exact")
add(case, key, "or", f(exact$estimate, 3), "3.170", "odds ratio", "exact", "impossible")
add(case, key, "or_low", f(exact$conf.int[1], 3)); add(case, key, "or_high", f(exact$conf.int[2], 2))
case <- "limit of an exact odds ratio"; responders(case)
add(case, key, "or_low", f(exact$conf.int[1], 3), "1.300", "odds ratio", "exact", "impossible")

case <- "subgroup counts"
for (part in c("", " (sex: female)", " (sex: male)")) {
  i <- match(part, c("", " (sex: female)", " (sex: male)"))
  add(case, paste0("nnt,better", part, ",A,post,completers"), "responders", c(18, 11, 7)[i],
      if (i == 1) "17" else "", if (i == 1) "overall" else "", "exact", "impossible")
}
men <- exactly(12, 18.4, 4.1); women <- exactly(19, 22.7, 6.3)
for (s in c("mean", "sd")) {
  case <- paste("subgroup", s)
  add(case, "baseline,y,A,", "n_known", 31); add(case, "baseline,y (sex: male),A,", "n_known", 12)
  add(case, "baseline,y (sex: female),A,", "n_known", 19)
  add(case, "baseline,y (sex: male),A,", "mean", "18.4"); add(case, "baseline,y (sex: male),A,", "sd", "4.1")
  add(case, "baseline,y (sex: female),A,", "mean", "22.7"); add(case, "baseline,y (sex: female),A,", "sd", "6.3")
  value <- if (s == "mean") mean(c(men, women)) else sd(c(men, women))
  add(case, "baseline,y,A,", s, f(value, 1), f(value + 1, 1), "overall", "exact", "impossible")
}
case <- "allocation"
add(case, ",allocation,overall,,", "block_size", 4); add(case, ",allocation,overall,,", "strata", 2)
add(case, "flow,randomised,A,", "n", 30)
add(case, "flow,randomised,B,", "n", 33, 35, case, "exact", "impossible")
case <- "allocation, ratio"
add(case, ",allocation,overall,,", "block_size", 6); add(case, ",allocation,overall,,", "allocation_ratio", 2)
add(case, "flow,randomised,A,", "n", 30)
add(case, "flow,randomised,B,", "n", 62, 65, "allocation", "exact", "impossible")
case <- "alike"; of("A", "post", 30, "20.13", "4.56", case)
k <- "outcomes,y,B,post,described"; add(case, k, "n", 30)
add(case, k, "mean", "20.31", "20.13", case, "none", "not checkable"); add(case, k, "sd", "4.56")
case <- "spread"; of("A", "pre", 30, "20.1", "10.2", case); of("A", "post", 30, "18.1", "9.8", case)
k <- "outcomes,y,B,post,described"; add(case, k, "n", 30); add(case, k, "mean", "19.5")
add(case, k, "sd", "10.5", "1.9", case, "none", "not checkable")
case <- "quartiles"; k <- "flow,sessions,A,"
x <- quantile(c(1, 2, 2, 5, 7, 8, 8, 8, 9))
for (i in 1:5) add(case, k, c("min", "q1", "median", "q3", "max")[i], f(x[i], 0),
  if (i == 2) "8" else "", if (i == 2) case else "", "exact", "impossible")
case <- "mean in its range"; add(case, k, "min", "1"); add(case, k, "max", "9")
add(case, k, "mean", "5.6", "10.2", "quartiles", "exact", "impossible")

# INSPECT-SR's own examples of what can and cannot be: Hunter KE, et al. INSPECT-SR, 2025.
case <- "INSPECT-SR t test"; of("A", "post", 30, "20", "4", case); of("B", "post", 30, "21", "2", case)
add(case, "outcomes,y,difference,post,student", "p", "0.02", "0.002", "t test", "within rounding", "impossible")
case <- "INSPECT-SR total"; add(case, "flow,randomised,A,", "n", 30); add(case, "flow,randomised,B,", "n", 11)
add(case, "baseline,y,A,", "mean", "6.2"); add(case, "baseline,y,A,", "sd", "1.0")
add(case, "baseline,y,B,", "mean", "7.4"); add(case, "baseline,y,B,", "sd", "1.0")
add(case, "baseline,y,overall,", "mean", f((30 * 6.2 + 11 * 7.4) / 41, 1), "7.3", "overall", "exact", "impossible")
case <- "INSPECT-SR Apgar"; k <- "outcomes,Apgar,A,post,described"; add(case, k, "n", 30)
add(case, k, "mean", f(299 / 30, 2), "9.96", "grim", "exact", "impossible"); add(case, k, "sd", "0.18")
write.csv(rows, "tiny_papers.csv", row.names = FALSE, quote = TRUE)
