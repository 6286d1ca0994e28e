"""Which of a cell's values belong together: completers paired across visits.

The values of every cell stay as they are, so all means and SDs do; swaps of two people at one
visit move the two sums that the mixed model sees, and the correlations. The loss is a ratio of
integers and of correctly rounded roots, and acceptance needs no logarithm: the same on every
machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mair.studies.cohort.integers import normal
from mair.studies.cohort.unpinned import MARGIN, Outcome, Plan

SWAPS = 40_000  # of one attempt
ATTEMPTS = 8
TOLERANCE = 0.10  # of a correlation around its target, free of charge
SHARE = 0.55  # of a person's level that all outcomes have in common


@dataclass(frozen=True)
class Responders:
    """Counts, by arm, of people who improve by at least each share from visit 0 to ``visit``.

    ``others`` are the counts among those not completers, already in the printed counts.
    """

    visit: int
    shares: tuple[tuple[int, int], ...]  # numerator, denominator
    counts: tuple[tuple[int, ...], ...]  # by share, by arm
    worse: int

    def improved(self, before: int, after: int) -> tuple[bool, ...]:
        """Whether a person meets each share, in exact arithmetic."""
        gain = self.worse * (before - after)
        return tuple(d * gain >= k * before for k, d in self.shares)


def started(rng, outcome: Outcome, values, m, level, targets) -> list[list[int]]:
    """A first pairing of one arm: ranks of latent scores with the wanted correlations.

    Returns
    -------
    list of list of int
        Scores by visit, by person.
    """
    n = len(m)
    mean = sum(m) / n
    sd = math.sqrt(max(1e-9, sum((v - mean) ** 2 for v in m) / (n - 1)))
    z = 1.15 if math.isinf(outcome.slope[1]) else 0.6
    own = [SHARE * level[i] + math.sqrt(1 - SHARE**2) * normal(rng) + z * 0.5 * (v - mean) / sd
           for i, v in enumerate(m)]
    rows = []
    for t, cell in enumerate(values):
        r = targets[t]
        latent = [outcome.worse * (math.sqrt(r) * own[i] + math.sqrt(1 - r) * normal(rng))
                  for i in range(n)]
        order = sorted(range(n), key=lambda i: (latent[i], i))
        row = [0] * n
        for i, value in zip(order, sorted(cell), strict=True):
            row[i] = value
        rows.append(row)
    return rows


class State:
    """The pairing of both arms, with every sum the loss needs, kept up to date."""

    def __init__(self, outcome: Outcome, plan: Plan, rows, responders, targets):
        self.outcome, self.plan, self.rows, self.responders = outcome, plan, rows, responders
        self.targets = targets
        k = outcome.visits
        self.pairs = [(t, u) for t in range(k) for u in range(t + 1, k)]
        self.totals = [[sum(row[i] for row in arm) for i in range(len(arm[0]))] for arm in rows]
        self.q = sum(v * v for arm in self.totals for v in arm)
        self.c = sum(v * x for arm, m in zip(self.totals, outcome.m, strict=True)
                     for v, x in zip(arm, m, strict=True))
        self.cross = [{p: sum(x * y for x, y in zip(arm[p[0]], arm[p[1]], strict=True))
                       for p in self.pairs} for arm in rows]
        self.scale = []
        for arm in rows:
            n = len(arm[0])
            ss = [math.sqrt(n * sum(v * v for v in row) - sum(row) ** 2) for row in arm]
            self.scale.append({p: (n, sum(arm[p[0]]) * sum(arm[p[1]]), ss[p[0]] * ss[p[1]])
                               for p in self.pairs})
        self.hits = [self._hits(a) for a in range(2)]
        self.size = max(1, round(math.sqrt(sum(s[2] / s[0] for s in self.scale[0].values()))))

    def _hits(self, arm):
        if self.responders is None:
            return ()
        found = [self.responders.improved(x, y) for x, y in zip(
            self.rows[arm][0], self.rows[arm][self.responders.visit], strict=True)]
        return tuple(sum(column) for column in zip(*found, strict=True))

    def loss(self, q, c, cross, arm, hits):
        """Distance of the two sums from the plan, correlations and responders from theirs."""
        dq, dc = abs(q - self.plan.totals2), abs(c - self.plan.mt)
        total = dq / (dq + 4.0 * self.size * self.size) + dc / (dc + 2.0 * self.size)
        for a in range(2):
            own = cross if a == arm else self.cross[a]
            for p in self.pairs:
                n, product, scale = self.scale[a][p]
                off = abs((n * own[p] - product) / scale - self.targets[a][p]) - TOLERANCE
                if off > 0:
                    total += 2.0 * off
            if self.responders is not None:
                got = hits if a == arm else self.hits[a]
                for share, count in zip(self.responders.counts, got, strict=True):
                    total += 0.3 * abs(count - share[a])
        return total

    def proposal(self, arm: int, t: int, i: int, j: int):
        """Sums after swapping two people at one visit; None when nothing changes."""
        rows = self.rows[arm]
        d = rows[t][j] - rows[t][i]
        if d == 0:
            return None
        totals, m = self.totals[arm], self.outcome.m[arm]
        q = self.q + 2 * d * (totals[i] - totals[j] + d)
        c = self.c + d * (m[i] - m[j])
        cross = dict(self.cross[arm])
        for p in self.pairs:
            if t in p:
                u = p[0] if p[1] == t else p[1]
                cross[p] += d * (rows[u][i] - rows[u][j])
        hits = self.hits[arm]
        if self.responders is not None and t in (0, self.responders.visit):
            rows[t][i], rows[t][j] = rows[t][j], rows[t][i]
            hits = self._hits(arm)
            rows[t][i], rows[t][j] = rows[t][j], rows[t][i]
        return q, c, cross, hits, d

    def accept(self, arm, t, i, j, proposal):
        """Make the swap."""
        self.q, self.c, self.cross[arm], self.hits[arm], d = proposal
        rows = self.rows[arm]
        rows[t][i], rows[t][j] = rows[t][j], rows[t][i]
        self.totals[arm][i] += d
        self.totals[arm][j] -= d


def search(rng, outcome: Outcome, plan: Plan, rows, responders, targets):
    """Swap until the printed rows are met; the scores by arm, visit and person, or None."""
    state, checked = State(outcome, plan, rows, responders, targets), {}
    now = state.loss(state.q, state.c, state.cross[0], 0, state.hits[0])
    sizes = [len(m) for m in outcome.m]
    for block in range(SWAPS // 1000):
        warmth = 0.12 * max(0.0, 1 - block / 30) * (0.3 + 0.7 * (block % 10 == 0))
        draws = zip(rng.integers(2, size=1000).tolist(),
                    rng.integers(outcome.visits, size=1000).tolist(),
                    rng.random((1000, 2)).tolist(), rng.random(1000).tolist(), strict=True)
        for arm, t, (x, y), chance in draws:
            i, j = int(x * sizes[arm]), int(y * sizes[arm])
            proposal = state.proposal(arm, t, i, j) if i != j else None
            if proposal is None:
                continue
            new = state.loss(*proposal[:3], arm, proposal[3])
            if new <= now + warmth * chance:
                state.accept(arm, t, i, j, proposal)
                now = new
                if _close(state) and _met(state, checked):
                    return state.rows
    return None


def _close(state: State) -> bool:
    plan = state.plan
    if abs(state.c - plan.mt) > 2 * plan.reach[1] + 2:
        return False
    if abs(state.q - plan.totals2) > 2 * plan.reach[0] + 4:
        return False
    rest = state.loss(plan.totals2, plan.mt, state.cross[0], 0, state.hits[0])
    return rest < 0.02


def _met(state: State, checked: dict) -> bool:
    key = (state.q, state.c)
    if key not in checked:
        checked[key] = state.plan.check(state.outcome, *key) <= MARGIN + 0.02
    return checked[key]


def correlations(outcome: Outcome, plan: Plan, special=None) -> list[dict]:
    """Target correlation of each pair of visits, by arm: equal, but for ``special``.

    The plan fixes their SD-weighted mean; ``special`` gives those of the first pair by arm.
    """
    k = outcome.visits
    pairs = [(t, u) for t in range(k) for u in range(t + 1, k)]
    left = float(plan.totals2 - sum(q for arm in plan.squares for q in arm))
    weight, targets = 0.0, []
    for a, m in enumerate(outcome.m):
        n, targets_a = len(m), {}
        sd = [math.sqrt(q - s * s / n) for s, q in zip(plan.sums[a], plan.squares[a], strict=True)]
        for p in pairs:
            left -= 2 * plan.sums[a][p[0]] * plan.sums[a][p[1]] / n
            product = 2 * sd[p[0]] * sd[p[1]]
            if special and p == pairs[0]:
                targets_a[p] = special[a]
                left -= special[a] * product
            else:
                targets_a[p] = None
                weight += product
        targets.append(targets_a)
    r = round(left / weight, 6)
    return [{p: r if v is None else v for p, v in arm.items()} for arm in targets]
