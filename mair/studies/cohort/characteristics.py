"""The counted part of the cohort: who the invented people are."""

import itertools

import pandas as pd
from scipy.stats import mannwhitneyu

from mair.published.numbers import Lookup
from mair.studies.cohort import targets
from mair.studies.cohort.allocation import Allocation
from mair.studies.cohort.integers import sample, shuffled

TRIES = 1000


def count(look: Lookup, variable: str, arm: str, section: str = "baseline") -> int:
    """A printed count of an arm."""
    return int(look(section, variable, arm, statistic="n").value)


def classes(rng, look: Lookup, spec: dict, arm: str, totals) -> dict[str, list[str]]:
    """Yes/no by class with the printed counts, each person's sum as given.

    Classes are dealt, the commonest first, to those with most still to come: a yes/no table
    with given margins exists exactly when this deal succeeds (Gale, Ryser).
    """
    counts = {name: count(look, name, arm) for name in spec.get("classes", ())}
    table, left = {name: ["no"] * len(totals) for name in counts}, list(totals)
    for name in sorted(counts, key=lambda m: -counts[m]):
        order = rng.permutation(len(left)).tolist()
        for person in sorted(order, key=lambda k: -left[k])[: counts[name]]:
            if left[person] == 0:
                raise ValueError(f"classes of {arm}: no table has these margins")
            table[name][person] = "yes"
            left[person] -= 1
    return table


def shuffled_levels(rng, counts: dict[str, int]) -> list[str]:
    """Levels repeated as counted, in random order."""
    return shuffled(rng, [level for level, count in counts.items() for _ in range(count)])


def quartile_sample(rng, look: Lookup, variable: str, arm, low: int, high: int) -> list[int]:
    """Sorted integers of an arm whose weighted-average quartiles are the printed integers.

    The quartile at p lies at position p(n + 1): both neighbours of it are set to the
    quartile, the values between are drawn from the integers between.
    """
    anchors = {0: low, arm.n + 1: high}
    for share, statistic in enumerate(("q1", "median", "q3"), 1):
        value = look("flow", variable, arm.name, "", "weighted-average", statistic=statistic).value
        for position in (share * (arm.n + 1) // 4, -(-share * (arm.n + 1) // 4)):
            anchors[position] = int(value)
    x, places = dict(anchors), sorted(anchors)
    for left, right in itertools.pairwise(places):
        gap = range(left + 1, right)
        drawn = rng.integers(anchors[left], anchors[right] + 1, size=len(gap))
        x |= dict(zip(gap, sorted(drawn.tolist()), strict=True))
    return [x[place] for place in range(1, arm.n + 1)]


def sessions(rng, look: Lookup, spec: dict, people: Allocation) -> list[list[int]]:
    """Sessions attended by arm and person: printed quartiles, no difference, few by the lost."""
    for _ in range(TRIES):
        drawn = [quartile_sample(rng, look, "sessions", arm, *spec["sessions"]["range"])
                 for arm in people.arms]
        if mannwhitneyu(*drawn, method="asymptotic", use_continuity=False).pvalue > 0.0575:
            break
    else:
        raise ValueError("no sessions with the printed quartiles and p > 0.05 found")
    out = []
    for arm, x in zip(people.arms, drawn, strict=True):
        lost = arm.n - arm.seen
        # of the lost, those seen after treatment came most often
        out.append(shuffled(rng, x[lost:]) + x[:lost][::-1])
    return out


def age(rng, look: Lookup, spec: dict, arm: str, n: int) -> list[int]:
    """Whole years with the printed mean and SD."""
    own = targets.allowed(look, n, 1, "baseline", spec["age"]["column"], arm)
    for _ in range(TRIES):
        found = sample(rng, n, *own.drawn(rng), *spec["age"]["range"])
        if found is not None:
            return shuffled(rng, found)
    raise ValueError(f"no ages in {spec['age']['range']} have the printed mean and SD of {arm}")


def describe(rng, look: Lookup, spec: dict, people: Allocation) -> list[pd.DataFrame]:
    """Everything of Table 2 and of the flow that is not a score, by arm.

    Parameters
    ----------
    rng : numpy Generator
    look : Lookup
        The published numbers.
    spec : dict
        As ``cohort.yaml``; parts that it does not name are left out.
    people : Allocation
    """
    came = sessions(rng, look, spec, people) if "sessions" in spec else None
    frames = []
    for a, arm in enumerate(people.arms):
        frame = {"arm": [arm.name] * arm.n}
        frame |= {name: [value] * arm.n for name, value in spec.get("constant", {}).items()}
        if "age" in spec:
            frame[spec["age"]["column"]] = age(rng, look, spec, arm.name, arm.n)
        for name in spec.get("binary", ()):
            yes = count(look, name, arm.name)
            frame[name] = shuffled_levels(rng, {"yes": yes, "no": arm.n - yes})
        for name, levels in spec.get("categorical", {}).items():
            frame[name] = shuffled_levels(rng, {
                level: count(look, f"{name}: {level}", arm.name) for level in levels})
        frame |= classes(rng, look, spec, arm.name, people.m[a])
        frame[spec["covariate"]] = list(people.m[a])
        lost = arm.n - arm.seen
        frame["completed_post"] = ["yes"] * (arm.seen + arm.late) + ["no"] * (lost - arm.late)
        frame["lost"] = [""] * arm.seen + ["not in the text"] * lost
        if came is not None:
            frame[spec["sessions"]["column"]] = came[a]
        frames.append(pd.DataFrame(frame | _opinions(rng, look, spec, arm)))
    return frames


def _opinions(rng, look: Lookup, spec: dict, arm) -> dict[str, list]:
    """Preference and credibility; levels that are not printed are split as evenly as they go."""
    out = {}
    if own := spec.get("preference"):
        levels = {own["counted"]: count(look, f"{own['column']}: {own['counted']}", arm.name,
                                        "flow"), **dict.fromkeys(own["others"], 0)}
        for k in range(arm.n - levels[own["counted"]]):
            levels[own["others"][k % len(own["others"])]] += 1
        out[own["column"]] = shuffled_levels(rng, levels)
    if own := spec.get("credibility"):
        out[own["column"]] = shuffled(
            rng, quartile_sample(rng, look, own["column"], arm, *own["range"]))
    return out
