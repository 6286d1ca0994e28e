"""What the printed numbers imply beyond each other, and what the words promise of them.

But for `mean changes` none judges a number: each asks a question, with its computation.
"""

from dataclasses import replace

import numpy as np
from scipy import special

from mair.published import granularity as g
from mair.published.consistency import contrasts
from mair.published.consistency.claims import LEVEL, adjusted, claims_of, families, worded
from mair.published.consistency.contrasts import KEYS, D, contrast, courses, width, with_limits
from mair.published.consistency.counts import course
from mair.published.consistency.engine import Judgement, check, formula, unsure, yes_no
from mair.published.consistency.formulas import T_TESTS, Z
from mair.published.consistency.group_tests import P, count_ps, counts_table
from mair.published.consistency.moments import people
from mair.published.consistency.sheet import Printed, Sheet, at_print, need, perhaps
from mair.published.rounding import Interval, image, prints_so, rule_of, span
from mair.stats import tests

FAR = 4  # standard errors by which people lost at random do not differ from the others
PRINTS = {"SPSS": "t with Satterthwaite's degrees of freedom"}  # of a mixed model's coefficients
MOST = 20_000  # combinations of sums that are tried


def of_changes(method: str) -> bool:
    """Whether a method's B is a difference in changes from the first visit."""
    return not method.startswith((*T_TESTS, "ancova", "clda", "linear"))


def on_log(sheet: Sheet, p: Printed) -> bool:
    """Whether a variable is analysed on the log scale."""
    return sheet.declared(p.variable).get("transform") == "log"


CHANGES = {"statistic": "b", "method": of_changes, **KEYS}


@check("adjusted mean", contrast, Sheet.first_and_now, statistic="b",
       method=lambda m: m.startswith("ancova"), **KEYS)
def adjusted_mean(sheet: Sheet, b: Printed, c: dict, both: list):
    """ANCOVA's B: the difference afterwards less r x SD after / SD before of that before.

    Of one covariate and the same people; r is the correlation within arms, in [-1, 1].
    """
    (n0, m0, s0), (n1, m1, s1) = (zip(*arms, strict=True) for arms in both)
    gaps = [t.values - c.values for c, t in (m0, m1)]
    sds = [Interval(min(s.values.low for s in two), max(s.values.high for s in two))
           for two in (s0, s1)]
    found = image(lambda d0, d1, s0, s1, r: d1 - r * s1 / s0 * d0, *gaps, *sds, Interval(-1, 1))
    judged = yes_no(found.meets(b.values), "correlation", found)
    others = [q.value for q in n0] != [q.value for q in n1]
    if judged.verdict == "impossible" and (sheet.sections.get("covariates") or others):
        judged = unsure("other covariates or people", found)
    return (judged, f"{found.low:.3f} to {found.high:.3f} at correlations from -1 to 1",
            [q for arms in both for row in arms for q in row])


@check("mean changes", contrast, courses, **CHANGES)
def mean_changes(sheet: Sheet, b: Printed, c: dict, arms: list):
    """B against the difference in mean changes of those described.

    With every pair complete a time-constant covariate does not matter, and a random
    intercept's B is exactly that difference. It need not be where others were in the model.
    """
    need(not on_log(sheet, b))
    (c1, c2), (t1, t2) = ((m[1], m[3]) for m in arms)
    found = formula(lambda t1, t2, c1, c2: (t2 - t1) - (c2 - c1), t1, t2, c1, c2,
                    name="difference in mean changes")
    inputs, who = [*arms[0], *arms[1], *sheet.sizes], "people not described"
    text = f"({t2} - {t1}) - ({c2} - {c1}) = {found[2]:.2f}, B = {b}"
    described, left = [int(a[0].value) for a in arms], []
    if None not in sheet.sizes:
        left = [int(n.value) - k for n, k in zip(sheet.sizes, described, strict=True)]
        who = f"{left[0]} and {left[1]} not described"
    if found[1].meets(b.values) or (left and not any(left) and not contrasts.others(sheet, arms)):
        return [found], text, inputs
    after = perhaps(sheet.now, b)
    if not left or min(left) < 1 or len(contrasts.visits_of(sheet, b)) > 2 or not after or not (
            c["ci_low"] and c["ci_high"]):
        return unsure(who, found[1]), text, inputs
    se = contrasts.half_width(c)
    sd = np.sqrt(np.mean([m[2].value ** 2 for m in (*arms, *after)]))
    more, once = readings(abs(b.value - found[2]), se, sd, described, left)
    text += (f"; with the printed limits {at_means(sheet, c['p'], found[2] / se)}. B = {b} if the "
             f"{left[0]} and {left[1]} people not described were in the model: measured twice, "
             f"their mean changes were {more[0]:.1f} from the others' in each arm, in opposite "
             f"directions ({more[1]:.1f} standard errors); before treatment alone, their means "
             f"were {once[0]:.0f} from the others' ({once[1]:.1f})")
    judged = unsure(who, found[1]) if once[1] <= FAR else Judgement(
        "other convention", f"{who}, measured twice", found[1])
    return judged, text, inputs


def readings(gap: float, se: float, sd: float, seen: list, left: list) -> tuple:
    """What people not described must be like for B to part from the mean changes by ``gap``.

    Parameters
    ----------
    gap, se, sd : float
        In units of the score: ``se`` of B, ``sd`` of the scores.
    seen, left : list of int
        People described and not described, an arm each.

    Returns
    -------
    tuple
        How far they lie from the others in each arm, and that in standard errors of people
        lost at random: as mean change, where both visits are in the model; as mean before
        treatment, where only that visit is, which a random intercept weighs by 1 - r.
    """
    seen, left = np.array(seen), np.array(left)
    share = left / (seen + left)
    spread = np.sqrt((share**2 * (1 / left + 1 / seen)).sum())
    change = se / np.sqrt((1 / seen).sum())
    unlike = min(1.0, change**2 / (2 * sd**2))  # 1 - r
    return ((gap / share.sum(), gap / (spread * change)),
            (gap / share.sum() / unlike, gap / (spread * unlike * sd)))


def at_means(sheet: Sheet, p: Printed | None, z: float) -> str:
    """z, p and q of a contrast at the printed means."""
    own = contrasts.two_sided(z).low
    said = f"z = {z:.2f}, p = {own:.3f}"
    if p is None:
        return said
    family = [replace(q, printed=f"{own:.6f}") if q is p else q
              for q in families(sheet, p.analysis)["one table"][0]]
    return f"{said}, q = {adjusted(family)[p.at].low:.3f} among {len(family)}"


@check("correlation", with_limits, Sheet.first_and_now, **CHANGES)
def correlation(sheet: Sheet, b: Printed, c: dict, arms: list):
    """The correlation between two visits that the SE of a contrast of changes needs."""
    n, mean, sd = np.moveaxis(at_print(arms), -1, 0)  # visits x arms
    need(len(contrasts.visits_of(sheet, b)) == 2, n[0].min() >= 2, mean.min() > 0)
    log, weight = on_log(sheet, b), n[0] - 1
    sd = np.sqrt(np.log1p((sd / mean) ** 2)) if log else sd
    factor = (1 / n[0]).sum() / weight.sum()
    found = image(lambda low, high: ((weight * sd**2).sum() - (width(low, high) / 2 / Z) ** 2
                                     / factor) / (2 * (weight * sd.prod(axis=0)).sum()),
                  c["ci_low"].values, c["ci_high"].values)
    return found.low > 1 and (
        unsure("above 1", found), f"SE {contrasts.half_width(c):.4f} needs r = {found.low:.2f} to "
        f"{found.high:.2f} between the visits, at the printed SDs"
        + (" taken to the log scale" if log else ""),
        [c["ci_low"], c["ci_high"], *(q for arm in arms for row in arm for q in row)])


@check("variances", contrast, Sheet.now, **CHANGES)
def variances(sheet: Sheet, b: Printed, c: dict, both: list):
    """SDs of the arms at a visit where the model has one residual variance: F test."""
    (n1, _, s1), (n2, _, s2) = sorted(at_print(both).tolist(), key=lambda m: -m[2])
    need(s2 > 0, min(n1, n2) >= 2, not on_log(sheet, b))
    f, df = (s1 / s2) ** 2, (n1 - 1, n2 - 1)
    p = min(1.0, 2 * special.fdtrc(*df, f))
    return p < LEVEL / len(sheet.contrasts) and (
        unsure("SDs unlike"), f"SDs {both[0][2]} and {both[1][2]}: F = {f:.1f} on {df[0]:g} and "
        f"{df[1]:g} degrees of freedom, p {p:.5f}", [*both[0], *both[1]])


@check("planned limit", with_limits, statistic=("ci_low", "ci_high"), **KEYS)
def planned_limit(sheet: Sheet, p: Printed, c: dict):
    """An interval that excludes 0 and begins short of the difference called relevant."""
    planned = sheet.get("sample_size", p.variable, "overall", "", "difference")
    low, high = c["ci_low"].value, c["ci_high"].value
    nearer = c["ci_low"] if low > 0 else c["ci_high"]
    return planned and p is nearer and low * high > 0 and abs(p.value) < planned.value and (
        unsure("short of the planned difference"),
        f"{c['b']} ({c['ci_low']} to {c['ci_high']}) with {planned} planned", (planned, c["b"]))


@check("planned people", analysis="sample_size", statistic="n", first=True)
def planned_people(sheet: Sheet, p: Printed):
    """People of each arm, visit by visit, against those planned."""
    found, inputs = [], []
    for arm in sheet.arms:
        counts, used = course(sheet, arm, sheet.visits[1:])
        if None not in counts and min(counts) < p.value:
            found.append(f"{arm} {', '.join(map(str, counts))} where {p} were planned")
            inputs += used
    return found and (unsure("fewer than planned"), "; ".join(found), inputs)


@check("fisher", counts_table, **P)
def fisher(sheet: Sheet, p: Printed, counted: tuple):
    """Pearson's p where expected counts below 5 call for Fisher's test, which is named."""
    need(claims_of(sheet, "fisher"), not p.relation)
    kept, ps = tests.counts(counted[0]), count_ps(counted[0])
    least = np.outer(kept.sum(axis=1), kept.sum(axis=0)).min() / kept.sum()
    asked = ps and least < 5 and rule_of(ps["pearson"], p.printed) and "fisher" in ps
    return asked and not prints_so(ps["fisher"], p.printed) and (
        unsure("pearson", ps["pearson"]), f"smallest expected count {least:.1f}; Pearson "
        f"{ps['pearson']:.3f}, Fisher {min(ps['fisher'], 1):.2f}", counted[1])


@check("software")
def software(sheet: Sheet):
    """A statistic that the procedure named does not print."""
    zs = sheet.where("z", arm="difference")
    for claim in claims_of(sheet, "software"):
        if claim["word"] in PRINTS and zs:
            yield (worded(zs[0], claim), unsure("z printed"),
                   f"{claim['word']} prints {PRINTS[claim['word']]} for the coefficients of a "
                   f"mixed model; the tables print {len(zs)} z", zs)


@check("within arm")
def within(sheet: Sheet):
    """A change within an arm called significant, and no test of it."""
    for claim in claims_of(sheet, "within"):
        keys = (claim["analysis"], claim["variable"], claim["word"], claim["time"])
        if (mean := sheet.get(*keys, "mean")) and not sheet.get(*keys, "p"):
            yield (worded(mean, claim, mean.printed), unsure("no test printed"),
                   f"“{claim['quote']}” ({claim['source']})", (mean,))


@check("timing")
def timing(sheet: Sheet):
    """Two sentences that place one measurement at different times."""
    said = {}
    for claim in claims_of(sheet, "timing"):
        first = said.setdefault(claim["variable"], claim)
        about = sheet.where(variable=claim["variable"])
        if first["word"] != claim["word"] and about:
            yield (worded(about[0], claim), unsure("two times"), " but ".join(
                f"“{c['quote']}” ({c['source']})" for c in (first, claim)), ())


@check("whole scores", courses, Sheet.step, **D)
def whole_scores(sheet: Sheet, p: Printed, arms: list, step: float):
    """d from the sums that whole scores can have, where only the printed means give it."""
    need(*(people(sheet, mean) and g.grim_can_fail(mean.printed, int(n.value), step=step)
           for n, *two in arms for mean in two[::2]))
    sides, found = [], {}
    for n, m0, s0, m1 in arms:
        k = int(n.value)
        starts = [(t, step * np.sqrt(max(0.0, (q - t**2 / k) / (k - 1))))
                  for t in g.sums(m0.values, k, step) for q in g.squares(s0.values, t, k, step)]
        sides.append(np.array([(t * step / k, sd, after * step / k) for t, sd in starts
                               for after in g.sums(m1.values, k, step)]).T)
    c, t = sides
    need(0 < c.size * t.size <= 9 * MOST)
    at = {name: point for name, _, point in contrasts.conventions(sheet, p)[0]}
    for name, both in contrasts.standardised(sheet, p, arms).items():
        if [own[2] for own in both] == [own[2] for own in arms]:
            n1, n2 = (own[0].value for own in both)
            whole = contrasts.d_of(n1, *c[:, None], n2, *t[..., None])
            found["uncorrected" + name] = whole.change / whole.sd, at["d_ppc2-uncorrected" + name]
            found["corrected" + name] = whole.estimate, at["d_ppc2" + name]
    need(not any(prints_so(v, p.printed) for own, _ in found.values() for v in np.unique(own)))
    fits = [name for name, (_, at) in found.items() if prints_so(at, p.printed)]
    ways = {fit.partition(",")[0] for fit in fits}
    ends = {name: span(own) for name, (own, _) in found.items() if name.partition(",")[0] in ways}
    said = " or ".join(f"{own.low:.4f}" + (f" to {own.high:.4f}" if own.high - own.low > 5e-5
                                           else "") + f" ({name})" for name, own in ends.items())
    return fits and (
        unsure("from printed means", ends[fits[0]]), f"whole scores give {said}; the printed "
        f"means and SDs {found[fits[0]][1]:.4f} ({fits[0]})", [q for a in arms for q in a])
