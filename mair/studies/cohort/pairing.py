"""Which of a visit's values belong together: completers paired across visits.

The values of every arm and visit stay as they are, so all means and SDs do; swaps of two people
at one visit move the two sums that the mixed model sees, and the correlations.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mair.studies.cohort.integers import normals, ranked
from mair.studies.cohort.undescribed import MARGIN, Outcome, Plan

SWAPS = 12_000  # of one attempt
TOLERANCE = 0.10  # of a correlation around its target, free of charge
SHARE = 0.55  # of a person's level that all outcomes have in common


@dataclass(frozen=True)
class Responders:
    """Counts, by share and arm, of people who improve so much from visit 0 to ``visit``.

    ``shares`` are percentages of the first score; ``worse`` is 1 where higher is worse, else -1.
    """

    visit: int
    shares: tuple[int, ...]
    worse: int
    counts: tuple[tuple[int, ...], ...] = ()

    def improved(self, before: int, after: int) -> tuple[bool, ...]:
        """Whether a person meets each share, in exact arithmetic."""
        return tuple(100 * self.worse * (before - after) >= k * before for k in self.shares)


def started(rng, outcome: Outcome, values, m, level, r: float) -> list[list[int]]:
    """A first pairing of one arm: ranks of latent scores with the wanted correlation.

    Parameters
    ----------
    rng : numpy Generator
    outcome : Outcome
    values : list of list of int
        The arm's scores by visit, in any order.
    m, level : sequence
        Each person's covariate, and a severity that all outcomes share.
    r : float
        Correlation between visits.

    Returns
    -------
    list of list of int
        Scores by visit, by person.
    """
    n, m = len(m), np.array(m)
    mean, sd = m.mean(), math.sqrt(max(1e-9, m.var(ddof=1)))
    z = 1.15 if math.isinf(outcome.slope[1]) else 0.6
    own = SHARE * level + math.sqrt(1 - SHARE**2) * normals(rng, n) + z * 0.5 * (m - mean) / sd
    return [ranked(outcome.worse * (math.sqrt(r) * own + math.sqrt(1 - r) * normals(rng, n)),
                   scores).tolist() for scores in values]


class State:
    """The pairing of both arms, with every sum the loss needs, kept up to date.

    ``q`` and ``c`` are the completers' sums of squared totals and of covariate x total; ``cross``
    the products of scores by arm and pair of visits, and what their correlations add to the loss;
    ``met`` and ``hits`` the shares each person meets, and how many meet them, by arm; ``rest``
    what correlations and responders add to the loss.
    """

    def __init__(self, outcome: Outcome, plan: Plan, rows, responders, targets):
        self.outcome, self.plan, self.rows, self.responders = outcome, plan, rows, responders
        pairs, self.targets = list(combinations(range(outcome.visits), 2)), targets
        self.beside = [[(p, p[p[0] == t]) for p in pairs if t in p] for t in range(outcome.visits)]
        arms = [np.array(arm) for arm in rows]
        self.totals = [arm.sum(0).tolist() for arm in arms]
        self.q = sum(v * v for arm in self.totals for v in arm)
        self.c = sum(int(np.dot(arm, m)) for arm, m in zip(self.totals, outcome.m, strict=True))
        self.scale = []  # n, product of the sums and of the root sums of squares
        for arm in arms:
            n, s = arm.shape[1], arm.sum(1)
            ss = np.sqrt(n * (arm * arm).sum(1) - s * s).tolist()
            self.scale.append({(t, u): (n, int(s[t] * s[u]), ss[t] * ss[u]) for t, u in pairs})
        self.cross = [{(t, u): self._off(a, (t, u), int(arm[t] @ arm[u])) for t, u in pairs}
                      for a, arm in enumerate(arms)]
        self.wanted = list(zip(*responders.counts, strict=True)) if responders else [(), ()]
        self.met = [[self._met(a, i) for i in range(len(m))] for a, m in enumerate(outcome.m)]
        self.hits = [[sum(share) for share in zip(*own, strict=True)] for own in self.met]
        self.size = max(1, round(math.sqrt(sum(s[2] / s[0] for s in self.scale[0].values()))))
        self.rest = sum(off for own in self.cross for _, off in own.values()) + sum(
            map(self._missed, (0, 1), self.hits))

    def _off(self, arm, pair, product):
        """A product of scores, and how far off its correlation is."""
        n, sums, scale = self.scale[arm][pair]
        off = abs((n * product - sums) / scale - self.targets[arm][pair]) - TOLERANCE
        return product, 2.0 * off if off > 0 else 0.0

    def _met(self, arm, person):
        rule, own = self.responders, self.rows[arm]
        return rule.improved(own[0][person], own[rule.visit][person]) if rule else ()

    def _missed(self, arm, hits):
        return 0.3 * sum(abs(n - wanted) for n, wanted in zip(hits, self.wanted[arm], strict=True))

    def loss(self, q: int, c: int, rest: float) -> float:
        """Distances of two sums from the plan's, of correlations and responders from theirs."""
        dq, dc = abs(q - self.plan.totals2), abs(c - self.plan.mt)
        return dq / (dq + 4.0 * self.size * self.size) + dc / (dc + 2.0 * self.size) + rest

    def swapped(self, arm: int, t: int, i: int, j: int):
        """The loss with two people swapped at one visit, and what `keep` needs to swap them."""
        rows, totals, m = self.rows[arm], self.totals[arm], self.outcome.m[arm]
        own, rest, cross, met, hits = rows[t], self.rest, {}, (), self.hits[arm]
        d = own[j] - own[i]
        q = self.q + 2 * d * (totals[i] - totals[j] + d)
        c = self.c + d * (m[i] - m[j])
        for p, u in self.beside[t]:
            product, off = self.cross[arm][p]
            cross[p] = self._off(arm, p, product + d * (rows[u][i] - rows[u][j]))
            rest += cross[p][1] - off
        if self.responders and t in (0, self.responders.visit):
            own[i], own[j] = own[j], own[i]
            met = self._met(arm, i), self._met(arm, j)
            own[i], own[j] = own[j], own[i]
            before = self.met[arm][i], self.met[arm][j]
            hits = [n + a + b - x - y for n, a, b, x, y in zip(hits, *met, *before, strict=True)]
            rest += self._missed(arm, hits) - self._missed(arm, self.hits[arm])
        return self.loss(q, c, rest), (arm, t, i, j, q, c, rest, cross, hits, met)

    def keep(self, arm, t, i, j, q, c, rest, cross, hits, met) -> None:
        """Swap them."""
        own, totals = self.rows[arm][t], self.totals[arm]
        d = own[j] - own[i]
        for values in own, totals:
            values[i] += d
            values[j] -= d
        self.q, self.c, self.rest, self.hits[arm] = q, c, rest, hits
        self.cross[arm] |= cross
        self.met[arm][i], self.met[arm][j] = met or (self.met[arm][i], self.met[arm][j])

    def close(self) -> bool:
        """Whether both sums are within twice their reach, and all else is as it should be."""
        far = self.plan.reach
        return (abs(self.c - self.plan.mt) <= 2 * far[1] + 2 and self.rest < 0.02
                and abs(self.q - self.plan.totals2) <= 2 * far[0] + 4)


def search(rng, outcome: Outcome, plan: Plan, rows, responders, targets):
    """Swap until the printed rows are met.

    Parameters
    ----------
    rng : numpy Generator
    outcome : Outcome
    plan : Plan
    rows : list of list of list of int
        Scores by arm, visit and person, as `started` gives them; changed in place.
    responders : Responders or None
    targets : list of dict
        As `correlations` gives them.

    Returns
    -------
    list of list of list of int, or None
    """
    state, checked = State(outcome, plan, rows, responders, targets), {}
    now, sizes = state.loss(state.q, state.c, state.rest), [len(m) for m in outcome.m]
    for block in range(SWAPS // 1000):
        warmth = 0.12 * max(0.0, 1 - block / 30) * (0.3 + 0.7 * (block % 10 == 0))
        draws = zip(rng.integers(2, size=1000).tolist(),
                    rng.integers(outcome.visits, size=1000).tolist(),
                    *rng.random((1000, 2)).T.tolist(), rng.random(1000).tolist(), strict=True)
        for arm, t, x, y, chance in draws:
            i, j = int(x * sizes[arm]), int(y * sizes[arm])
            if rows[arm][t][i] == rows[arm][t][j]:
                continue
            new, swap = state.swapped(arm, t, i, j)
            if new > now + warmth * chance:
                continue
            state.keep(*swap)
            now, sums = new, (state.q, state.c)
            if state.close():
                if sums not in checked:
                    checked[sums] = plan.check(*sums) <= MARGIN + 0.02
                if checked[sums]:
                    return rows
    return None


def correlations(outcome: Outcome, plan: Plan, special=None) -> list[dict]:
    """Target correlation of each pair of visits, by arm: equal, but for ``special``.

    The plan fixes their SD-weighted mean; ``special`` gives those of the first pair by arm.
    """
    pairs = list(combinations(range(outcome.visits), 2))
    left, weight, targets = float(plan.totals2 - sum(map(sum, plan.squares))), 0.0, []
    for a, m in enumerate(outcome.m):
        s, n = plan.sums[a], len(m)
        sd = [math.sqrt(q - x * x / n) for x, q in zip(s, plan.squares[a], strict=True)]
        targets.append(dict.fromkeys(pairs))
        if special:
            targets[a][pairs[0]] = special[a]
        for (t, u), r in targets[a].items():
            product = 2 * sd[t] * sd[u]
            left -= 2 * s[t] * s[u] / n + (r or 0.0) * product
            weight += product if r is None else 0.0
    equal = round(left / weight, 6)
    return [{p: equal if r is None else r for p, r in arm.items()} for arm in targets]
