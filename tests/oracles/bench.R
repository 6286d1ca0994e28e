# Seconds of one piece of work in R's packages, one a run: called by `make bench`.
#   Rscript bench.R data.csv runs
# data.csv: id, visit (0, 1, 2), arm, x, and responses y0, y1, ...
# Prints a line for each package that is there: its name, then the seconds.
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
runs <- as.integer(args[2])
d$visit <- factor(d$visit)
has <- function(p) requireNamespace(p, quietly = TRUE)
timed <- function(name, work, units = 1) {
  work()
  found <- replicate(runs, system.time(work())[["elapsed"]] / units)
  cat(name, sprintf("%.9f", found), "\n")
}
quiet <- function(x) suppressWarnings(suppressMessages(x))
formula <- y0 ~ arm * visit + x + (1 | id)
if (has("lme4")) {
  fit <- quiet(lme4::lmer(formula, d))
  responses <- d[grep("^y", names(d))]
  timed("lme4::refit", function() for (y in responses) quiet(lme4::refit(fit, y)),
        length(responses))
}
if (has("lmerTest")) {
  inferred <- function(ddf) quiet(summary(lmerTest::lmer(formula, d), ddf = ddf))
  timed("lmerTest", function() inferred("Satterthwaite"))
  if (has("pbkrtest")) timed("pbkrtest", function() inferred("Kenward-Roger"))
}
if (has("nlme"))
  timed("nlme::gls", function() nlme::gls(
    y0 ~ arm * visit + x, d, correlation = nlme::corSymm(form = ~ as.integer(visit) | id),
    weights = nlme::varIdent(form = ~ 1 | visit)))
