# Second oracle of the score intervals: P. J. Laud's own package ratesci (GPL-3; not in Debian, not
# a dependency, none of its code is here), on the tables of risk.csv.
# Run with ratesci 1.1.0.9000, github.com/petelaud/ratesci, commit dbe2ab7:
#
#   Rscript tests/oracles/risk_ratesci.R tests/oracles/risk.csv tests/oracles/risk_ratesci.csv [R/]
#
# where R/ is the source directory of the package, needed only when it is not installed.
args <- commandArgs(trailingOnly = TRUE)
if (length(args) > 2) {
  for (f in list.files(args[3], "[.]R$", full.names = TRUE)) source(f)
} else {
  library(ratesci)
}
tables <- unique(read.csv(args[1])[, c("x1", "n1", "x2", "n2", "confidence")])
rows <- list()
for (i in seq_len(nrow(tables))) {
  t <- tables[i, ]
  for (skew in c(FALSE, TRUE)) {
    f <- function(contrast) scoreci(t$x1, t$n1, t$x2, t$n2, contrast = contrast, skew = skew,
                                    level = t$confidence, precis = 10)$estimates[, c(1, 3)]
    rows[[length(rows) + 1]] <- c(t$x1, t$n1, t$x2, t$n2, t$confidence,
      if (skew) "skewness-corrected" else "miettinen-nurminen",
      sprintf("%.10g", f("RD")), sprintf("%.10g", f("RR")))
  }
}
table <- as.data.frame(do.call(rbind, rows))
names(table) <- c("x1", "n1", "x2", "n2", "confidence", "interval", "rd_low", "rd_high", "rr_low",
                  "rr_high")
write.csv(table, args[2], row.names = FALSE, quote = FALSE)
