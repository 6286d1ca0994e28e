"""Which of a visit's values belong together: completers paired across visits.

The values of every arm and visit stay as they are, so all means and SDs do; swaps of two people
at one visit move the two sums that the mixed model sees, and the correlations.
"""

from __future__ import annotations

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

    ``q`` and ``c`` are the completers' sums of squared totals and of covariate x total;
    ``cross`` the products of scores by arm and pair of visits; ``hits`` the responders by arm.
    """

    def __init__(self, outcome: Outcome, plan: Plan, rows, responders, targets):
        self.outcome, self.plan, self.rows, self.responders = outcome, plan, rows, responders
        self.pairs, self.targets = list(combinations(range(outcome.visits), 2)), targets
        self.reach = plan.reach
        self.wanted = list(zip(*responders.counts, strict=True)) if responders else [(), ()]
        arms = [np.array(arm) for arm in rows]
        self.totals = [arm.sum(0).tolist() for arm in arms]
        self.q = sum(v * v for arm in self.totals for v in arm)
        self.c = sum(int(np.dot(arm, m)) for arm, m in zip(self.totals, outcome.m, strict=True))
        self.cross = [{(t, u): int(arm[t] @ arm[u]) for t, u in self.pairs} for arm in arms]
        self.scale = []  # n, product of the sums and of the root sums of squares
        for arm in arms:
            n, s = arm.shape[1], arm.sum(1)
            ss = np.sqrt(n * (arm * arm).sum(1) - s * s).tolist()
            self.scale.append({(t, u): (n, int(s[t] * s[u]), ss[t] * ss[u])
                               for t, u in self.pairs})
        self.hits = [[0] * len(responders.shares if responders else ()) for _ in arms]
        for a, m in enumerate(outcome.m):
            self._count(a, range(len(m)), 1)
        self.size = max(1, round(math.sqrt(sum(s[2] / s[0] for s in self.scale[0].values()))))

    def _count(self, arm, people, sign):
        """Add or take away these people among the responders."""
        if self.responders is None:
            return
        before, after = (self.rows[arm][t] for t in (0, self.responders.visit))
        for i in people:
            for k, met in enumerate(self.responders.improved(before[i], after[i])):
                self.hits[arm][k] += sign * met

    def off(self) -> tuple[int, int]:
        """Distances of the two sums from the plan's."""
        return abs(self.q - self.plan.totals2), abs(self.c - self.plan.mt)

    def loss(self, dq: int, dc: int) -> float:
        """These distances, and those of correlations and responders from their targets."""
        total = dq / (dq + 4.0 * self.size * self.size) + dc / (dc + 2.0 * self.size)
        for a, (cross, hits) in enumerate(zip(self.cross, self.hits, strict=True)):
            for p in self.pairs:
                n, product, scale = self.scale[a][p]
                off = abs((n * cross[p] - product) / scale - self.targets[a][p]) - TOLERANCE
                total += 2.0 * off if off > 0 else 0.0
            for count, wanted in zip(hits, self.wanted[a], strict=True):
                total += 0.3 * abs(count - wanted)
        return total

    def swap(self, arm: int, t: int, i: int, j: int) -> None:
        """Swap two people at one visit; the same again undoes it, exactly."""
        rows, totals, m = self.rows[arm], self.totals[arm], self.outcome.m[arm]
        d = rows[t][j] - rows[t][i]
        self.q += 2 * d * (totals[i] - totals[j] + d)
        self.c += d * (m[i] - m[j])
        for p in self.pairs:
            if t in p:
                other = rows[p[0] if p[1] == t else p[1]]
                self.cross[arm][p] += d * (other[i] - other[j])
        self._count(arm, (i, j), -1)
        for own in (rows[t], totals):
            own[i] += d
            own[j] -= d
        self._count(arm, (i, j), 1)

    def close(self) -> bool:
        """Whether both sums are within twice their reach, and all else is as it should be."""
        (dq, dc), reach = self.off(), self.reach
        return dc <= 2 * reach[1] + 2 and dq <= 2 * reach[0] + 4 and self.loss(0, 0) < 0.02


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
    now, sizes = state.loss(*state.off()), [len(m) for m in outcome.m]
    for block in range(SWAPS // 1000):
        warmth = 0.12 * max(0.0, 1 - block / 30) * (0.3 + 0.7 * (block % 10 == 0))
        draws = zip(rng.integers(2, size=1000).tolist(),
                    rng.integers(outcome.visits, size=1000).tolist(),
                    rng.random((1000, 2)).tolist(), rng.random(1000).tolist(), strict=True)
        for arm, t, (x, y), chance in draws:
            i, j = int(x * sizes[arm]), int(y * sizes[arm])
            if rows[arm][t][i] == rows[arm][t][j]:
                continue
            state.swap(arm, t, i, j)
            if (new := state.loss(*state.off())) > now + warmth * chance:
                state.swap(arm, t, i, j)
                continue
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
