# Beat the Blues in the contract's form: Group x categorical Time with drug and length, REML.
# Writes models.json beside this script: coefficients, marginal means (emmeans, asymptotic),
# and the Wald chi-square of Group x Time as a whole. Rscript tests/oracles/models.R
suppressMessages({library(lme4); library(emmeans); library(jsonlite)})
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
wide <- read.csv(file.path(here, "../../mair/data/beat_the_blues.csv"), stringsAsFactors = TRUE)
visits <- c("bdi_pre", "bdi_2m", "bdi_3m", "bdi_5m", "bdi_8m")
d <- do.call(rbind, lapply(seq_along(visits), function(k) data.frame(
  id = wide$id, drug = wide$drug, length = wide$length, treatment = wide$treatment,
  visit = k - 1, bdi = wide[[visits[k]]])))
d <- d[!is.na(d$bdi), ]
d$visit <- factor(d$visit)
d$treatment <- relevel(factor(d$treatment), "TAU")
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5))
fit <- lmer(bdi ~ treatment * visit + drug + length + (1 | id), d, control = tight)
V <- as.matrix(vcov(fit))
b <- fixef(fit)
inter <- grep("treatmentBtheB:visit", names(b))
chi2 <- drop(t(b[inter]) %*% solve(V[inter, inter]) %*% b[inter])
emm <- emmeans(fit, ~ treatment | visit, lmer.df = "asymptotic")
difference <- as.data.frame(pairs(emm, reverse = TRUE), infer = TRUE)
emm <- as.data.frame(emm)
out <- list(
  versions = list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")),
                  emmeans = as.character(packageVersion("emmeans"))),
  n_rows = nrow(d), n = length(unique(d$id)),
  coefficients = data.frame(name = names(b), b = unname(b), se = unname(sqrt(diag(V)))),
  chi2 = chi2, df = length(inter),
  emm = data.frame(arm = emm$treatment, visit = emm$visit, mean = emm$emmean, se = emm$SE,
                   low = emm$asymp.LCL, high = emm$asymp.UCL),
  difference = data.frame(visit = difference$visit, mean = difference$estimate,
                          se = difference$SE, p = difference$p.value))
write_json(out, file.path(here, "models.json"), digits = NA, auto_unbox = TRUE, pretty = TRUE)
