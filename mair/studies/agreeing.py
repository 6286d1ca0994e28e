"""One outcome of a cohort, many altered copies at once: what the paper prints of it, and more.

`Paper` holds who was seen when, and computes for a batch of score tables the printed numbers
(each with the interval that prints as it does) and the statistics that `mair.studies.ranges`
pushes to their extremes. Scores are in whole steps of the instrument.
"""

from functools import cached_property

import numpy as np

from mair.published import numbers
from mair.sections import model as models
from mair.stats import covariance, effects, likelihood, smallsample, tests
from mair.trial import Trial

LOW, HIGH = 0.2, 0.8  # start of the variances, in those of the OLS residuals


class Paper:
    """What is fixed of one outcome: people, visits seen, covariates, printed numbers.

    Parameters
    ----------
    trial : Trial
    name : str
        Of an outcome with a reference visit, of steps of its instrument.
    """

    def __init__(self, trial: Trial, name: str):
        self.trial, self.name, self.variable = trial, name, trial.variable(name)
        wide = models.wide(trial, name)
        self.visits = list(self.variable.visits)
        self.step = self.variable.step or 1.0
        scores = wide[self.visits].to_numpy(float)
        self.seen, self.arm = np.isfinite(scores), wide["arm"].to_numpy(int)
        self.start = np.rint(np.where(self.seen, scores, 0.0) / self.step).astype(int)
        self.ends = np.rint(np.array(self.variable.range) / self.step).astype(int)
        self.covariates = wide[[c for c in wide if c.startswith("covariate ")]].to_numpy(float)
        self.labels = [c.removeprefix("covariate ") for c in wide if c.startswith("covariate ")]
        self.described = trial.described(name)[wide.index].to_numpy(bool)
        kinds = np.c_[self.arm, self.described, self.seen]
        self.groups = [np.flatnonzero((kinds == kind).all(1)) for kind in np.unique(kinds, axis=0)]
        self.number = {}
        for *key, text in numbers.read(trial.published)[[*numbers.COLUMNS[:7]]].itertuples(
                index=False, name=None):
            self.number.setdefault(tuple(key), numbers.Number(text))

    def frame(self, x):
        """The outcome's scores, as `Trial.scores` has them."""
        scores = self.trial.scores(self.name).astype(float).copy()
        values = np.where(self.seen, x * self.step, np.nan)
        scores.loc[models.wide(self.trial, self.name).index, self.visits] = values.round(10)
        return scores

    def features(self, x):
        """Sums that smooth statistics depend on, of score tables (B, n, k): (B, F).

        By arm and visits seen: scores, their products and products with covariates; last the
        sum of squared totals and the sums of covariate x total, whose squares count, too.
        """
        y, upper, out = x * self.step, np.triu_indices(len(self.visits)), []
        for who in self.groups:
            own, z = y[:, who], np.c_[np.ones(len(who)), self.covariates[who]]
            out += [(own.swapaxes(1, 2) @ z).reshape(len(y), -1),
                    (own.swapaxes(1, 2) @ own)[:, *upper]]
        total = y.sum(2)
        return np.concatenate([*out, (total**2).sum(1)[:, None], total @ self.covariates], 1)

    def of_arm(self, y, a, who=None):
        """Scores of an arm (0 control), of those of `who` only."""
        return y[:, (self.arm == a) if who is None else (self.arm == a) & who]

    def printed(self, x):
        """Every number that could be printed of score tables (B, n, k): values (B,) by key."""
        y, name, out, arms = x * self.step, self.name, {}, self.trial.arms
        whole, described = [], []
        for a, arm in enumerate(arms):
            described.append(moments(self.of_arm(y, a, self.described)))
            for t, visit in enumerate(self.visits):
                for s, value in zip(("mean", "sd"), described[a][1:], strict=True):
                    out["outcomes", name, arm, visit, "described", s] = value[:, t]
            whole.append(moments(self.of_arm(y, a, self.seen[:, 0])[:, :, :1]))
        whole.append(moments(y[:, self.seen[:, 0], :1]))
        for arm, (_, mean, sd) in zip((*arms, "overall"), whole, strict=True):
            out["baseline", name, arm, "", "", "mean"] = mean[:, 0]
            out["baseline", name, arm, "", "", "sd"] = sd[:, 0]
        out["baseline", name, "difference", "", "student", "p"] = tests.t_test_p(
            whole[1], whole[0], method="student")[:, 0]
        (n0, mean0, sd0), (n1, mean1, sd1) = described
        for t, visit in enumerate(self.visits[1:], 1):
            out["outcomes", name, "difference", visit, "d_ppc2", "d"] = effects.d_ppc2_of(
                (n1, mean1[:, 0], sd1[:, 0], mean1[:, t]),
                (n0, mean0[:, 0], sd0[:, 0], mean0[:, t])).estimate
        out |= self.responders(y)
        method = "random-intercept/z"
        for key, found in self.contrasts(x, method).items():
            out |= {("outcomes", *key[1:4], method, s): value for s, value in found.items()}
        return {key: value for key, value in out.items() if key in self.number}

    def responders(self, y):
        """How many of each arm meet the declared reductions."""
        declared, out = self.trial.reductions, {}
        if declared.get("outcome") != self.name:
            return out
        for share in declared["reductions"]:
            hits = self.gained(y) >= share - 1e-9
            for a, arm in enumerate(self.trial.arms):
                key = ("nnt", f"{self.name} >={100 * share:g}%", arm, declared["visit"],
                       "completers", "responders")
                out[key] = self.of_arm(hits, a).sum(1).astype(float)
        return out

    def gained(self, y):
        """Relative improvement at the responders' visit, -inf where it is not known."""
        visit = self.visits.index(self.trial.reductions["visit"])
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = (y[..., 0] - y[..., visit]) / y[..., 0]
        gain = gain if self.variable.better == "lower" else -gain
        return np.where(self.seen[:, 0] & self.seen[:, visit] & (y[..., 0] != 0), gain, -np.inf)

    @cached_property
    def designs(self):
        """The design, by whether the arms share their baseline."""
        return [models.build(self.trial, self.name, clda) for clda in (False, True)]

    def rows(self, x, clda=False):
        """`likelihood.Rows` of score tables (B, n, k)."""
        who, when = np.nonzero(self.seen)
        return likelihood.Rows.batch(x[:, who, when] * self.step, self.designs[clda].X, who, when,
                                     complete=True)

    @np.errstate(invalid="ignore", divide="ignore")
    def fits(self, x, structure, clda=False, reml=True):
        """A batch of fits; nan where there is none inside the parameters' space."""
        rows, k = self.rows(x, clda), len(self.visits)
        if structure == "unstructured":
            return covariance.unstructured(rows, reml=reml)[0]
        start = np.tile([LOW, HIGH], (len(x), 1))
        theta, _, _ = likelihood.newton(rows, start, likelihood.exchangeable(k), reml)
        if structure == "random-intercept":
            theta[theta[:, 0] < 0] = np.nan
        return covariance.fitted(rows, theta, structure, reml)

    def contrasts(self, x, method):
        """Of a method of the robustness grid: statistics by key without statistic.

        `method` as in ``results.csv``: ``[clda:]<covariance>/<inference>[/ml]``, or
        ``ancova/<inference>``.
        """
        plain, ml, _ = method.partition("/ml")
        structure, inference = plain.removeprefix("clda:").split("/")
        if structure == "ancova":
            return self.ancovas(x, inference)
        clda = plain.startswith("clda:")
        fit, design = self.fits(x, structure, clda, not ml), self.designs[clda]
        weights, labels = list(design.contrasts.values()), list(design.contrasts)
        ends = [("difference", visit, self.name) for visit in labels]
        if not clda:
            weights += [np.eye(len(design.names))[c] for c in design.covariates.values()]
            ends += [("overall", "", f"{self.name}: {label}") for label in design.covariates]
        found = smallsample.contrast(fit, np.array(weights), inference,
                                     confidence=self.trial.analysis.confidence)
        return {("", name, arm, visit): _statistics(found, i, inference)
                for i, (arm, visit, name) in enumerate(ends)}

    def ancovas(self, x, inference):
        """Least squares of each later visit on arm, baseline and covariates."""
        y, out = x * self.step, {}
        for t, visit in enumerate(self.visits[1:], 1):
            who = self.seen[:, 0] & self.seen[:, t]
            own = np.c_[np.ones(who.sum()), self.arm[who], self.covariates[who]]
            X = np.concatenate([np.broadcast_to(own, (len(y), *own.shape)), y[:, who, :1]], 2)
            inner = np.linalg.inv(X.swapaxes(1, 2) @ X)
            beta = inner @ (X.swapaxes(1, 2) @ y[:, who, t, None])
            rest, df = y[:, who, t] - (X @ beta)[..., 0], X.shape[1] - X.shape[2]
            se = np.sqrt((rest**2).sum(1) / df * inner[:, 1, 1])[:, None]
            df = np.full_like(se, np.inf if inference == "z" else df)
            found = smallsample.tested(beta[:, 1], se, df, self.trial.analysis.confidence)
            out["", self.name, "difference", visit] = _statistics(found, 0, inference)
        return out


def moments(y):
    """n, means and SDs of scores (B, n, k)."""
    return y.shape[1], y.mean(1), y.std(1, ddof=1)


def _statistics(found, i, inference):
    b, se, df, t, p, low, high = (np.asarray(x, float)[..., i] for x in found)
    out = {"b": b, "se": se, "p": p, "ci_low": low, "ci_high": high}
    return out | ({"z": t} if inference == "z" else {"t": t, "df": df})
