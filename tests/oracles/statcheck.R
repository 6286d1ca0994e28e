# p values recomputed by statcheck (Debian: r-cran-statcheck), on the examples of its
# documentation (help page `statcheck`, DESCRIPTION) and on statements of the same form.
# Run from the root of the repository: Rscript tests/oracles/statcheck.R
suppressMessages(library(statcheck))
published <- read.csv("mair/data/published.csv", colClasses = "character")
z <- published[published$statistic == "z", ]
p <- merge(z, published[published$statistic == "p", ],
           by = c("analysis", "variable", "arm", "time", "method"))
relation <- ifelse(substr(p$printed.y, 1, 1) == "<", "<", "=")
texts <- c(
  "t(100)=1, p < 0.001",                     # help page
  "t(28) = 2.2, p < .05",                    # DESCRIPTION
  "t(28) = 2.35, p = .026", "t(28) = 2.35, p = .03", "t(28) = 2.35, p = .25",
  "t(32) = -3.49, p = .001", "t(32) = -3.49, p < .001",
  sprintf("The effect was clear, Z = %s, p %s %s", p$printed.x, relation, sub("^[<>]", "", p$printed.y)))
found <- do.call(rbind, lapply(texts, function(text) as.data.frame(statcheck(text, messages = FALSE))))
found <- found[, c("raw", "test_type", "df2", "test_value", "p_comp", "reported_p",
                   "computed_p", "error", "decision_error")]
found$test_value <- sub(".*= *(-?[0-9.]+), p.*", "\\1", texts)
found$reported_p <- sub(".*p *[<=] *", "", texts)
found$computed_p <- signif(found$computed_p, 12)
cat("# statcheck", as.character(packageVersion("statcheck")), R.version.string, "\n")
write.csv(found, "tests/oracles/statcheck.csv", row.names = FALSE, quote = 1)
