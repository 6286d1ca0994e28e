"""The CONSORT flow diagram, drawn from counts: boxes take the size of their text.

Lengths are inches and y runs upwards, so that text measured by the renderer and boxes share
one scale.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mair.report.style import INK, MUTED, RULE, SHADE, WIDTH, columns_of, styled

SIZE = 8.5  # points
PAD = 0.09  # inches between text and its box
GAP = 0.26  # inches between boxes, room for an arrow
EDGE = 0.08  # inches around the drawing
BULLET, HANG = "  · ", "     "  # of equal width, nearly


@dataclass
class Box:
    """A box: its text line by line (``(text, bold)``), and where it stands."""

    lines: list[tuple[str, bool]]
    x: float
    y: float
    width: float
    height: float
    shade: bool = False

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@styled
def consort(flow, *, arms=None, visits=None, outcome=None, width=WIDTH):
    """The flow of participants as a diagram.

    Parameters
    ----------
    flow : dict or DataFrame
        A dict as `flow_counts` returns it; all but ``arms`` may be missing::

            {"assessed": 83, "excluded": {"not eligible": 13, "declined": 6},
             "enrolled": 64, "other_arms": {"ABCT": 23}, "randomised": 41,
             "arms": {"RT": {"label": "Relaxation therapy", "allocated": 19,
                             "notes": {"attended no session": 1},
                             "visits": {"post": {"label": "After treatment", "retained": 16,
                                                 "lost": {"work": 2, "moved": 1}}},
                             "analysed": 19, "not_analysed": {"no covariate": 0}}, …}}

        ``lost`` may be a count. Counts are of participants. Or the rows of ``results.csv``
        (`flow_counts` turns them into the dict).
    arms, visits, outcome
        As for `flow_counts`; used only with rows.
    width : float
        Inches.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        No arm.
    """
    if not isinstance(flow, Mapping):
        flow = flow_counts(flow, arms=arms, visits=visits, outcome=outcome)
    if not flow.get("arms"):
        raise ValueError("a flow diagram needs at least one arm with its counts")
    measure = Measure()
    boxes, links = _layout(flow, width, measure)
    return _draw(boxes, links, width)


def flow_counts(rows, *, arms=None, visits=None, outcome=None) -> dict:
    """The counts of a flow diagram, from rows of ``results.csv``.

    Parameters
    ----------
    rows : DataFrame
        Columns ``variable, arm, time, statistic, value``; an ``analysis`` column, where there
        is one, selects ``flow``. Read: ``assessed``, ``excluded: <reason>``, ``enrolled``,
        ``randomised``, ``retained``, ``lost: <reason>`` (arm, visit), ``analysed: <outcome>``,
        ``left out: <reason>``, all with the statistic ``n``. An arm with ``randomised`` alone,
        or not among `arms`, is one of the other arms.
    arms : None, sequence, or dict of arm -> label
        In drawing order; default, order of appearance.
    visits : None, sequence, or dict of visit -> label
    outcome : str, optional
        Whose ``analysed`` counts; default, the first.

    Returns
    -------
    dict
        As `consort` takes it.
    """
    columns_of(rows, "variable", "arm", "time", "statistic", "value")
    rows = rows[(rows["statistic"] == "n") & rows["value"].notna()]
    if "analysis" in rows.columns:
        rows = rows[rows["analysis"] == "flow"]
    counts = {}
    for row in rows.itertuples():
        counts[row.variable, row.arm, row.time] = int(row.value)
    if arms is None:
        found = [(v, a) for v, a, _ in counts if a not in ("", "overall", "difference")]
        arms = dict.fromkeys(a for v, a in found if v != "randomised") or dict.fromkeys(
            a for _, a in found
        )
    if visits is None:
        visits = dict.fromkeys(time for _, _, time in counts if time)

    whole = {name: counts.get((name, "overall", "")) for name in ("assessed", "enrolled")}
    return {
        **whole,
        "excluded": _some(counts, "excluded: ", "overall"),
        "other_arms": {
            arm: n
            for (variable, arm, _), n in counts.items()
            if variable == "randomised" and arm not in (*arms, "overall")
        },
        "randomised": counts.get(("randomised", "overall", "")),
        "arms": {arm: _arm_counts(counts, arm, arms, visits, outcome) for arm in arms},
    }


def _some(counts, prefix, arm, time="") -> dict[str, int]:
    """Counts by what follows `prefix`, as reasons of exclusion."""
    return {
        variable.removeprefix(prefix): n
        for (variable, a, t), n in counts.items()
        if variable.startswith(prefix) and (a, t) == (arm, time)
    }


def _arm_counts(counts, arm, arms, visits, outcome) -> dict:
    """One arm of `flow_counts`; a visit without a row is left out."""
    analysed = _some(counts, "analysed: ", arm)
    return {
        "label": _label(arms, arm),
        "allocated": counts.get(("randomised", arm, "")),
        "visits": {
            visit: {
                "label": _label(visits, visit),
                "retained": counts["retained", arm, visit],
                "lost": _some(counts, "lost: ", arm, visit),
            }
            for visit in visits
            if ("retained", arm, visit) in counts
        },
        "analysed": analysed.get(outcome) if outcome else next(iter(analysed.values()), None),
        "not_analysed": _some(counts, "left out: ", arm),
    }


def _label(labels, key) -> str:
    return str((labels.get(key) if isinstance(labels, Mapping) else None) or key)


class Measure:
    """Widths of text in inches, as the renderer draws it; a line is the sum of its words."""

    renderer = None

    def __init__(self):
        if Measure.renderer is None:
            Measure.renderer = FigureCanvasAgg(Figure(dpi=200)).get_renderer()
        self.line = SIZE * 1.32 / 72

    def width(self, text, bold=False) -> float:
        return sum(_word(part, bold) for part in re.split("( )", text))

    def wrap(self, text, room, bold=False) -> list[tuple[str, bool]]:
        """Lines no wider than `room`; a word that alone is wider is cut."""
        lead, hang = (BULLET, HANG) if text.startswith(BULLET) else ("", "")
        text = text.removeprefix(BULLET).replace("(n = ", "(n\u00a0=\u00a0")  # kept together
        room -= max(self.width(lead, bold), self.width(hang, bold))
        lines = [""]
        for word in text.split(" "):
            for piece in self._cut(word, room, bold):
                trial = f"{lines[-1]} {piece}" if lines[-1] else piece
                if lines[-1] and self.width(trial, bold) > room:
                    lines.append(piece)
                else:
                    lines[-1] = trial
        return [((hang if i else lead) + line, bold) for i, line in enumerate(lines)]

    def _cut(self, word, room, bold) -> list[str]:
        """A word in pieces that fit, nearly always one."""
        out = []
        while self.width(word, bold) > room and len(word) > 1:
            cut, used = 0, 0.0
            for letter in word:
                used += _word(letter, bold)
                if used > room * 0.98:  # kerning is not in the sum
                    break
                cut += 1
            cut = max(1, min(cut, len(word) - 1))
            out.append(word[:cut])
            word = word[cut:]
        return [*out, word]

    def box(self, items, room) -> tuple[list[tuple[str, bool]], float, float]:
        """Wrapped lines of a box of at most `room` inches, its width and its height."""
        lines = [line for text, bold in items for line in self.wrap(text, room - 2 * PAD, bold)]
        widest = max(self.width(text, bold) for text, bold in lines)
        return lines, widest + 2 * PAD, len(lines) * self.line + 2 * PAD


@functools.lru_cache(maxsize=4096)
def _word(text, bold) -> float:
    font = FontProperties(family="DejaVu Sans", size=SIZE, weight="bold" if bold else "normal")
    return Measure.renderer.get_text_width_height_descent(text, font, False)[0] / 200


def _reasons(counts) -> list[tuple[str, bool]]:
    return [(f"{BULLET}{reason} (n = {n})", False) for reason, n in counts.items()]


def _total(counts) -> int:
    return sum(counts.values())


def _trunk(flow) -> list[tuple[str, list]]:
    """What stands above the arms, from the top: ``("main" | "side", items of a box)``."""
    out = []
    excluded, others = flow.get("excluded") or {}, flow.get("other_arms") or {}
    randomised, enrolled = flow.get("randomised"), flow.get("enrolled")
    if flow.get("assessed") is not None:
        out.append(("main", [(f"Assessed for eligibility (n = {flow['assessed']})", True)]))
    if excluded:
        head = (f"Excluded (n = {_total(excluded)})", True)
        out.append(("side", [head, *_reasons(excluded)]))
    if enrolled is not None and (others or enrolled != randomised):
        out.append(("main", [(f"Enrolled (n = {enrolled})", True)]))
    if others:
        head = (f"Allocated to arms not compared here (n = {_total(others)})", True)
        out.append(("side", [head, *_reasons(others)]))
    if randomised is not None:
        what = "Randomised to the arms compared here" if others else "Randomised"
        out.append(("main", [(f"{what} (n = {randomised})", True)]))
    return out


def _column(arm) -> dict[str, list]:
    """The boxes of one arm from the top, by the row they stand in."""
    head = [(str(arm["label"]), True)]
    if arm.get("allocated") is not None:
        head.append((f"Allocated (n = {arm['allocated']})", False))
    out = {"allocated": [*head, *_reasons(arm.get("notes") or {})]}
    for visit, seen in (arm.get("visits") or {}).items():
        items = [(str(seen.get("label") or visit), True)]
        if seen.get("retained") is not None:
            items.append((f"Retained (n = {seen['retained']})", False))
        lost = seen.get("lost")
        if lost is not None and lost != {}:
            reasons = lost if isinstance(lost, Mapping) else {}
            items.append((f"Lost (n = {_total(reasons) if reasons else lost})", False))
            items += _reasons({reason: n for reason, n in reasons.items() if n})
        out[f"visit {visit}"] = items
    if arm.get("analysed") is not None:
        items = [(f"Analysed (n = {arm['analysed']})", True)]
        left_out = {k: n for k, n in (arm.get("not_analysed") or {}).items() if n}
        if left_out:  # one participant may lack several covariates: the reasons need not add up
            total = arm["allocated"] - arm["analysed"] if arm.get("allocated") else 0
            items.append((f"Not analysed (n = {total or _total(left_out)})", False))
            items += _reasons(left_out)
        out["analysed"] = items
    return out


def _layout(flow, width, measure):
    """All boxes with their places (y of the lower edge, from 0 downwards), and the links."""
    boxes, links, y = [], [], -EDGE
    centre, last = width / 2, None
    trunk = _trunk(flow)
    side = centre + 0.3
    for place, items in trunk:
        room = (width - EDGE - side) if place == "side" else width * 0.62
        lines, wide, high = measure.box(items, room)
        x = side if place == "side" else centre - wide / 2
        box = Box(lines, x, y - high, wide, high)
        boxes.append(box)
        y -= high + GAP
        if place == "side":
            links.append(("branch", centre, box))
            if last is None:  # nothing above: the trunk begins at the branch
                last = Box([], centre, box.y + high / 2, 0.0, 0.0)
        else:
            if last is not None:
                links.append(("down", last, box))
            last = box
    _arms(flow["arms"], width, measure, y, last, boxes, links)
    return boxes, links


def _arms(arms, width, measure, y, last, boxes, links):
    """Add the columns of the arms below `last`; a row is as high as its highest box."""
    columns = [_column({"label": key, **arm}) for key, arm in arms.items()]
    rows = ["allocated"]
    rows += dict.fromkeys(k for column in columns for k in column if k.startswith("visit "))
    rows += ["analysed"]
    gutter = 0.3
    room = (width - 2 * EDGE - gutter * (len(columns) - 1)) / len(columns)
    room = min(room, 3.6)
    start = (width - room * len(columns) - gutter * (len(columns) - 1)) / 2
    above = [None] * len(columns)
    if last is not None:
        y -= GAP * 0.6  # the bar that joins the arms needs room
    for row in rows:
        cells = [measure.box(c[row], room) if row in c else None for c in columns]
        high = max((cell[2] for cell in cells if cell), default=0)
        if not high:
            continue
        for i, cell in enumerate(cells):
            if cell is None:
                continue
            x = start + i * (room + gutter)
            box = Box(cell[0], x, y - high, room, high, shade=row == "allocated")
            boxes.append(box)
            if above[i] is not None:
                links.append(("down", above[i], box))
            elif last is not None:
                links.append(("split", last, box))
            above[i] = box
        y -= high + GAP


def _draw(boxes, links, width):
    """The figure of a layout."""
    height = EDGE - min(box.y for box in boxes)
    fig = Figure(figsize=(width, height))
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(-height, 0)
    for kind, source, box in links:
        _link(ax, kind, source, box)
    for number, box in enumerate(boxes):
        ax.add_patch(
            FancyBboxPatch(
                (box.x, box.y), box.width, box.height, boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=SHADE if box.shade else "white", edgecolor=MUTED, linewidth=0.9,
                gid=f"box{number}", zorder=2,
            )
        )  # fmt: skip
        step = SIZE * 1.32 / 72
        top = box.y + box.height - PAD
        for i, (text, bold) in enumerate(box.lines):
            ax.text(
                box.x + PAD, top - (i + 0.5) * step, text, size=SIZE, va="center_baseline",
                weight="bold" if bold else "normal", color=INK, gid=f"text{number}", zorder=3,
            )  # fmt: skip
    return fig


def _link(ax, kind, source, box):
    """An arrow to `box`: straight down, off the trunk, or from the trunk to an arm."""
    top = box.y + box.height
    if kind == "branch":
        points = [(source, box.y + box.height / 2), (box.x, box.y + box.height / 2)]
    elif kind == "down":
        points = [(box.middle, source.y), (box.middle, top)]
    else:
        bar = top + GAP * 0.8
        ax.plot(
            [source.middle, source.middle, box.middle, box.middle], [source.y, bar, bar, top + 0.1],
            color=RULE, linewidth=1.0, solid_joinstyle="miter", zorder=1,
        )  # fmt: skip
        points = [(box.middle, top + 0.12), (box.middle, top)]
    ax.add_patch(
        FancyArrowPatch(
            *points, arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0, color=RULE,
            linewidth=1.0, zorder=1,
        )
    )  # fmt: skip
