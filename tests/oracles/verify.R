# Fits every mixed model of a run with lme4: called by `make verify-r`, which compares.
#   Rscript verify.R data.csv out.csv
# data.csv: model, participant, arm (0/1), time (0 = reference, 1, ...), y, and covariates
# named c_<i> (empty where a model has none). The formula is built here, not in Python.
suppressMessages({library(lme4); library(lmerTest)})
args <- commandArgs(trailingOnly = TRUE)
data <- read.csv(args[1], colClasses = c(model = "character", participant = "character"))
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5),
                     check.conv.singular = "ignore")
rows <- list()
for (name in unique(data$model)) {
  d <- data[data$model == name, ]
  d$time <- factor(d$time)
  extra <- Filter(function(v) !all(is.na(d[[v]])), grep("^c_", names(d), value = TRUE))
  formula <- as.formula(paste(c("y ~ arm * time", extra, "(1 | participant)"), collapse = " + "))
  fit <- suppressWarnings(lmerTest::lmer(formula, d, REML = TRUE, control = tight))
  b <- fixef(fit)
  se <- sqrt(diag(as.matrix(vcov(fit))))
  v <- as.data.frame(VarCorr(fit))$vcov
  keep <- grepl("^arm:time", names(b))
  satterthwaite <- coef(summary(fit, ddf = "Satterthwaite"))
  kr <- coef(summary(fit, ddf = "Kenward-Roger"))
  small <- function(statistic, table, column)
    data.frame(model = name, time = sub("^arm:time", "", names(b)[keep]), statistic = statistic,
               value = table[names(b)[keep], column])
  rows[[name]] <- rbind(
    small("satterthwaite_df", satterthwaite, "df"), small("kenward_roger_se", kr, "Std. Error"),
    small("kenward_roger_df", kr, "df"),
    data.frame(model = name, time = sub("^arm:time", "", names(b)[keep]), statistic = "b",
               value = b[keep]),
    data.frame(model = name, time = sub("^arm:time", "", names(b)[keep]), statistic = "se",
               value = se[keep]),
    data.frame(model = name, time = "", statistic = c("var_participant", "var_residual",
               "reml_criterion"), value = c(v, REMLcrit(fit))))
}
out <- do.call(rbind, rows)
out$value <- format(out$value, digits = 17)
write.csv(out, args[2], row.names = FALSE, quote = FALSE)
cat(sprintf("R %s.%s, lme4 %s, lmerTest %s, pbkrtest %s\n", R.version$major, R.version$minor,
            packageVersion("lme4"), packageVersion("lmerTest"), packageVersion("pbkrtest")))
