"""Figures: nothing clipped, nothing overlapping, equal bytes, always with words."""

import functools
import io
import itertools
import re
from types import SimpleNamespace
from urllib.parse import unquote

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from PIL import Image

from mair.report import consort, curves, figure, forest, frames_appendix, people, robust, style
from mair.report.show import Show
from mair.results import Rows

ARMS = {"RT": "Relaxation therapy", "MAIR": "Mindfulness plus amygdala and insula retraining"}
LONG = {"TAU": "Treatment as usual, by the general practitioner with referral where indicated",
        "BtB": "Beat the Blues, computerised cognitive behavioural therapy added to usual care"}
MONTHS = {"0": "before randomisation", "2": "2 months", "3": "3 months, after treatment",
          "5": "5 months", "8": "8 months, follow-up"}
VISITS = ("baseline", "post", "followup")


def scores(arms=ARMS, visits=VISITS, n=(19, 22)):
    rng = np.random.default_rng(4)
    rows = [{"participant": f"{arm}{i}", "arm": arm, "visit": visit, "value": value}
            for arm, count in zip(arms, n, strict=True)
            for visit in visits
            for i, value in enumerate(np.exp(rng.normal(2.0, 0.6, count)))]
    frame = pd.DataFrame(rows)
    frame.loc[frame.index[::11], "value"] = np.nan
    return frame


def means(frame):
    out = frame.groupby(["arm", "visit"], sort=False)["value"].mean().reset_index(name="mean")
    return out.assign(low=out["mean"] - 1, high=out["mean"] + 1)


def contrasts(outcomes=9, visits=("post", "followup")):
    rows = [(f"Outcome {k}", visit, -0.1 * k) for k in range(outcomes) for visit in visits]
    frame = pd.DataFrame(rows, columns=["label", "visit", "estimate"])
    return frame.assign(low=frame["estimate"] - 0.7, high=frame["estimate"] + 0.7, p="0.123",
                        primary=frame["label"] == "Outcome 1")


def flow(arms=ARMS, visits=("post", "followup"), reason="work schedule", enrolment=True):
    rows = Rows("flow")
    if enrolment:
        rows.add("assessed", "overall", n=83)
        rows.add(f"excluded: {reason}", "overall", n=13, percent=15.7)
        rows.add("excluded: declined", "overall", n=6)
        rows.add("enrolled", "overall", n=64)
        rows.add("randomised", "ABCT", n=23)
    rows.add("randomised", "overall", n=41)
    for arm, n in zip(arms, (19, 22), strict=True):
        rows.add("randomised", arm, n=n)
        for visit in visits:
            rows.add("retained", arm, visit, n=n - 3)
            rows.add(f"lost: {reason}", arm, visit, n=2 if visit == "post" else 0)
        rows.add("analysed: FIQ", arm, n=n - 1)
        rows.add("analysed: PCS", arm, n=n - 2)
        rows.add("left out: no covariate", arm, n=1 if arm == "MAIR" else 0)
    other = Rows("baseline")
    other.add("randomised", "other", n=5)
    return pd.concat([rows.frame(), other.frame()])


LONG_REASON = (
    "did not meet the criteria at the screening interview, mostly because the score was too "
    "low; Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft")


def labelled(visits):
    return visits if isinstance(visits, dict) else dict(zip(visits, visits, strict=True))


def diagram(arms=ARMS, visits=("post", "followup"), **kwargs):
    return consort.consort(flow(arms, visits, **kwargs), arms=arms, visits=labelled(visits),
                           outcome="FIQ")


def responders():
    grid = np.arange(-20.0, 101.0)
    curve = pd.concat(
        pd.DataFrame({"arm": arm, "threshold": grid, "percent": 50 - 0.4 * grid + 5 * i})
        for i, arm in enumerate(ARMS))
    band = pd.DataFrame({"threshold": grid, "arr": 5.0, "low": -10.0, "high": 20.0})
    return curves.responder_curve(curve, difference=band, thresholds=(20, 50), arms=ARMS)


def residuals():
    x = np.linspace(-2, 2, 41)
    frame = pd.DataFrame({"fitted": 50 + 5 * x, "residual": 8 * x, "quantile": x})
    frame["arm"] = ["RT"] * 19 + ["MAIR"] * 22
    return curves.residual_plots(frame, arms=LONG | ARMS, line=(0, 8))


def differences():
    labels = ["Age, years", "Sex, female", "Marital status, stable relationship"]
    frame = pd.DataFrame({"label": labels, "visit": "", "primary": False,
                          "estimate": [0.2, 0.0, -0.4], "chance": [0.61, 0.61, 0.77]})
    return forest.forest(frame.assign(low=frame["estimate"] - 0.6, high=frame["estimate"] + 0.6),
                         xlabel="SMD", text={})


def courses(labels=9, arms=ARMS, visits=VISITS, n=(19, 22), **kwargs):
    frame = scores(arms, visits, n)
    if isinstance(labels, int):
        labels = {f"Outcome {k}": "Fibromyalgia Impact Questionnaire (0 to 100)"
                  for k in range(labels)}
    p, m = (pd.concat(part.assign(outcome=key) for key in labels) for part in (frame, means(frame)))
    return people.trajectories(p, m, labels, arms=arms, visits=labelled(visits), **kwargs)


def biomarkers(arms=ARMS, visits=("baseline", "post")):
    units = {"BDNF": "BDNF (ng/mL)", "hs-CRP": "hs-CRP (mg/L)", "IL-6": "Interleukin 6 (pg/mL)"}
    return courses(units, arms, visits, log={"hs-CRP", "IL-6"}, apart=True)


def effects(rows=None, **kwargs):
    rows = contrasts() if rows is None else rows
    return forest.forest(rows, xlabel="B / baseline SD", text={"p": "p"}, **kwargs)


def long_forest():
    rows = contrasts(2, tuple(MONTHS.values()))
    rows.loc[1, ["estimate", "low", "high"]] = np.nan
    return effects(rows, favours=tuple(f"favours {label}" for label in LONG.values()))


def pairs():
    rows = Rows("reconstruction")
    for name, r in (("FIQ", 0.6), ("IL-10", 1.17)):
        rows.add(name, method="implied", r=r, band_low=r - 0.2, band_high=r + 0.2)
        for arm in ARMS:
            rows.add(name, arm, "baseline, post", "pearson", r=r / 2 if arm == "RT" else 0.9)
    return forest.correlations(rows.frame(), arms=ARMS)


def lines():
    frame = pd.DataFrame({"line": ["a"] * 3 + ["b"] * 3, "x": [3, 2, 1] * 2, "y": range(6)})
    return curves.curves(frame.assign(se=0.1), xlabel="n an arm", ylabel="Power (%)", markers=True,
                         vertical=(2, "planned, 2"), horizontal=(3, "80%"))


def errors():
    frame = pd.DataFrame([(f"mechanism {j}", f"scenario {i}", method, i + 0.3) for i in range(4)
                          for j in range(3) for method in ("z", "t", "permutation")],
                         columns=["panel", "scenario", "method", "rate"])
    return curves.rates(frame, xlabel="Type I error (%)", band=(4.7, 5.3), value=5)


def normal(outcomes):
    frame = pd.DataFrame([(f"Outcome {k}", arm, x, x * (1 + i / 5)) for k in range(outcomes)
                          for i, arm in enumerate(ARMS) for x in np.linspace(-1.6, 1.6, 19)],
                         columns=["outcome", "arm", "quantile", "residual"])
    return curves.normal_plots(frame, arms=ARMS)


def specifications(visits=("after treatment", "at 3 months")):
    frame = contrasts(16, ("",)).assign(
        made=[[group[i % len(group)] for group in frames_appendix.GROUPS] for i in range(16)])
    frame.loc[3, ["estimate", "low", "high"]] = np.nan
    return robust.specification(dict.fromkeys(visits, frame), frames_appendix.GROUPS,
                                ylabel="Difference in change of FIQ,\nMAIR minus RT",
                                planned=(-1.42, "planned 14.2"))


def tips(shift=0.0, visits=("after treatment", "at 3 months"), arms=("MAIR", "RT")):
    own, other = np.meshgrid(np.arange(0, 61, 5.0), np.arange(-40, 41, 5.0))
    grid = pd.DataFrame({"treatment": own.ravel(), "control": other.ravel()})
    b = -24 + 0.14 * grid["treatment"] - 0.2 * grid["control"] + shift
    return robust.tipping(
        dict.fromkeys(visits, grid.assign(b=b, ci_low=b - 17, ci_high=b + 17)),
        xlabel=f"Unseen of {arms[0]}: points worse than imputed",
        ylabel=f"Unseen of {arms[1]}: points worse (above 0) or better (below 0) than imputed")


MAKERS = {"consort": diagram,
          "consort-long": lambda: diagram(LONG, MONTHS, reason=LONG_REASON),
          "consort-arms-only": lambda: diagram(visits=(), enrolment=False),
          "trajectories": courses,
          "trajectories-long": lambda: courses(2, LONG, MONTHS, (48, 52)),
          "trajectories-one-visit": lambda: courses(1, visits=("baseline",)),
          "forest": lambda: effects(favours=("favours MAIR", "favours RT")),
          "forest-long": long_forest,
          "forest-names": lambda: effects(
              contrasts(3, ("",)).assign(label=[*LONG.values(), "short"])),
          "biomarkers": biomarkers,
          "biomarkers-long": lambda: biomarkers(LONG, tuple(MONTHS.values())[:3]),
          "responders": responders,
          "smd": differences,
          "residuals": residuals,
          "curves": lines,
          "correlations": pairs,
          "rates": errors,
          "normal": lambda: normal(9),
          "normal-one": lambda: normal(1),
          "specification": specifications,
          "specification-one": lambda: specifications(("after treatment",)),
          "tipping": tips,
          "tipping-never": lambda: tips(-40, ("after treatment",)),
          "tipping-long": lambda: tips(40, tuple(MONTHS.values())[:3], tuple(LONG))}


@functools.cache
def drawn(name):
    """A figure as shown, and the window extent of every text in it."""
    fig = MAKERS[name]()
    fig = getattr(fig, "figure", fig)
    style.styled(figure.settle)(fig, synthetic=True)
    FigureCanvasAgg(fig).draw()
    renderer = fig.canvas.get_renderer()
    texts = {text: text.get_window_extent(renderer)
             for text in fig.findobj(mpl.text.Text)
             if text.get_text().strip() and text.get_visible()}
    return fig, {t: box for t, box in texts.items() if seen(t)}


def seen(text):
    """Not a tick label outside its axis, which is never drawn."""
    axis = next((a for ax in text.figure.axes for a in (ax.xaxis, ax.yaxis)
                 if text in {t for tick in a.get_major_ticks() for t in (tick.label1, tick.label2)}
                 ), None)
    if axis is None:
        return True
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if text in (tick.label1, tick.label2)]
    return all(low <= tick.get_loc() <= high for tick in ticks)


@pytest.mark.parametrize("name", MAKERS)
def test_no_text_is_clipped_none_overlaps_and_synthetic_is_said_once(name):
    fig, texts = drawn(name)
    width, height = fig.bbox.size
    for text, box in texts.items():
        inside = box.x0 >= -0.5 and box.y0 >= -0.5 and box.x1 <= width + 0.5
        assert inside and box.y1 <= height + 0.5, f"{text.get_text()!r} is clipped: {box}"
    straight = [(t, b) for t, b in texts.items() if t.get_rotation() in (0, 90)]
    for (a, box), (b, other) in itertools.combinations(straight, 2):
        wide = min(box.x1, other.x1) - max(box.x0, other.x0)
        high = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert not (wide > 1 and high > 2.5), f"{a.get_text()!r} lies on {b.get_text()!r}"
    assert sum("SYNTHETIC" in text.get_text() for text in texts) == 1


@pytest.mark.parametrize("name", ["consort", "trajectories-long", "forest", "biomarkers"])
def test_equal_bytes_whoever_draws(name):
    first = figure.render(MAKERS[name](), "f", "words", synthetic=True)
    with mpl.rc_context({"font.size": 17, "axes.grid": True, "svg.hashsalt": None}):
        fig = MAKERS[name]()
        assert figure.render(fig, "f", "words", synthetic=True) == first
        assert figure.render(fig, "f", "words", synthetic=True) == first
    assert set(first) == {"svg", "png"}
    assert b"SYNTHETIC" not in figure.render(MAKERS[name](), "f", "words")["svg"]


def test_files_have_the_words_the_mark_and_no_date():
    files = figure.render(MAKERS["smd"](), "smd", "Points beside a line.", synthetic=True)
    image = Image.open(io.BytesIO(files["png"]))
    assert round(image.info["dpi"][0]) == 300
    assert image.info["Description"] == "Points beside a line."
    assert image.width == pytest.approx(style.WIDTH * 300, abs=1)
    assert "Date" not in image.info and "Creation Time" not in image.info
    svg = files["svg"].decode()
    assert "Points beside a line." in svg and 'id="synthetic"' in svg
    assert svg.count("<!-- SYNTHETIC") == 1
    assert not re.search(r"<dc:date>", svg)


def test_show_writes_both_files_and_displays_the_alternative(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    Show(SimpleNamespace(synthetic=True), tmp_path)(
        differences(), "smd", alt='Three "points" & a line')
    written = {p.name: p.read_bytes() for p in (tmp_path / "figures").iterdir()}
    assert set(written) == {"smd.svg", "smd.png"} and b"SYNTHETIC" in written["smd.svg"]
    assert 'alt="Three &quot;points&quot; &amp; a line"' in shown[0]["text/html"]
    address = re.search(r"src='data:image/svg\+xml,([^']*)'", shown[0]["text/html"])[1]
    whole, shown_svg = written["smd.svg"].decode(), unquote(address)
    for element in ("<path", "<use", "<g"):
        assert shown_svg.count(element) == whole.count(element) > 0
    assert shown[0]["text/plain"] == 'Three "points" & a line'
    Show(SimpleNamespace(synthetic=False))(plt.figure(), "empty", alt="words")
    assert len(shown) == 2 and plt.get_fignums() == []


@pytest.mark.parametrize(("name", "alt", "message"), [
    ("smd", "", "alt is empty"), ("smd", "  \n", "alt is empty"), ("smd", None, "alt is empty"),
    ("../smd", "words", "a name is letters"),
])
def test_a_figure_without_words_or_file_stem_is_refused(name, alt, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Show(SimpleNamespace(synthetic=False), tmp_path)(differences(), name, alt=alt)
    assert list(tmp_path.iterdir()) == []


def test_the_tipping_line_is_where_a_limit_is_zero():
    """Upper limit -7 + 0.14 a - 0.2 c: at a = 0 zero from RT 35 better on, at c = 0 from 50."""
    line, = (part for part in tips().axes[0].collections if part.get_linewidth()[0] == 2)
    a, c = line.get_paths()[0].vertices.T
    assert a == pytest.approx(50 + c / 0.7) and c.min() == pytest.approx(-35)


def test_a_specification_marks_what_was_chosen():
    above, below = specifications(("after treatment",)).axes
    names = [tick.get_text() for tick in below.get_yticklabels()]
    assert names == [label for group in frames_appendix.GROUPS for label in group]
    marked, = (line for line in below.lines if line.get_marker() == "D")
    assert {names[int(y)] for y in marked.get_ydata()} == {
        group[1] for group in frames_appendix.GROUPS} and set(marked.get_xdata()) == {1}
    assert [line.get_ydata()[0] for line in above.lines[:2]] == [0, -1.42]


@pytest.mark.parametrize("name", ["consort", "consort-long", "consort-arms-only"])
def test_flow_boxes_hold_their_text_and_stand_apart(name):
    fig, texts = drawn(name)
    patches = {p.get_gid()[4:]: p.get_window_extent() for p in fig.findobj(mpl.patches.Patch)
               if (p.get_gid() or "").startswith("box")}
    inside = [(patches[t.get_gid()[5:]], t, b) for t, b in texts.items()
              if (t.get_gid() or "").startswith("text")]
    assert inside
    for box, text, extent in inside:
        fits = (box.x0 < extent.x0 and extent.x1 < box.x1
                and box.y0 < extent.y0 and extent.y1 < box.y1)
        assert fits, f"{text.get_text()!r} leaves its box"
    for a, b in itertools.combinations(patches.values(), 2):
        assert not a.overlaps(b)


def words(fig):
    return [t.get_text().replace("\u00a0", " ") for t in fig.findobj(mpl.text.Text)]


def test_flow_says_the_counts_box_by_box():
    text = " ".join(" ".join(words(diagram())).replace("·", "").split())
    for part in (
        "Assessed for eligibility (n = 83) Excluded (n = 19) work schedule (n = 13) declined "
        "(n = 6) Randomised (n = 64) Allocated to another arm (n = 23) ABCT (n = 23) "
        "Allocated to the arms compared here (n = 41)",
        "Relaxation therapy Allocated (n = 19) Mindfulness plus amygdala and insula retraining "
        "Allocated (n = 22)",
        "Post Retained (n = 16) Lost (n = 2) work schedule (n = 2) Post Retained (n = 19)",
        "Followup Retained (n = 16) Lost (n = 0) Followup Retained (n = 19) Lost (n = 0)",
        "Analysed (n = 18) Analysed (n = 21) Not analysed (n = 1) no covariate (n = 1)"):
        assert part in text, part
    few = words(diagram(visits=(), enrolment=False))
    assert "Randomised (n = 41)" in few and not any("Assessed" in text for text in few)
    named = consort.consort(flow(), arms=ARMS, visits={"post": "after treatment"}, outcome="PCS")
    assert {"After treatment", "Analysed (n = 17)"} <= set(words(named))


def test_arms_keep_their_look_and_differ_in_more_than_colour():
    looks = list(style.arm_styles(ARMS).values())
    assert style.arm_styles(["MAIR"])["MAIR"] == looks[0]
    assert looks[0].color != looks[1].color
    assert looks[0].marker != looks[1].marker and looks[0].line != looks[1].line


def test_lines_fit_the_room_and_long_words_are_cut():
    for bold, room in itertools.product((False, True), (0.7, 2.0)):
        parts = style.fit(LONG_REASON, room, bold)
        assert "".join(parts).replace(" ", "") == LONG_REASON.replace(" ", "")
        assert max(style.inches(part, bold) for part in parts) <= room
    assert style.fit("", 1.0) == [""] and style.inches("a\nwide line") == style.inches("wide line")


def test_people_and_means_stand_where_they_are_measured():
    frame = scores()
    ax = courses(1).axes[0]
    assert ax.get_ylabel().replace("\n", " ") == "Fibromyalgia Impact Questionnaire (0 to 100)"
    thin = [path.vertices for c in ax.collections if type(c) is LineCollection
            and c.get_alpha() for path in c.get_paths()]
    assert len(thin) == frame.dropna()["participant"].nunique()
    assert np.sort(np.concatenate(thin)[:, 1]) == pytest.approx(np.sort(frame["value"].dropna()))
    thick = [line for line in ax.lines if line.get_marker() in ("o", "s")]
    assert np.concatenate([line.get_ydata() for line in thick]) == pytest.approx(
        means(frame)["mean"].to_numpy())
    assert [line.get_color() for line in thick] == [style.BLUE, style.VERMILION]
    side = biomarkers().axes
    assert [ax.get_yscale() for ax in side] == ["linear", "log", "log"]
    dots = [line for line in side[0].lines if line.get_linestyle() == "None"]
    assert max(dots[0].get_xdata()) < min(dots[1].get_xdata())


def test_contrasts_stand_at_their_estimates_and_the_primary_one_is_filled():
    rows = contrasts(2)
    ax = effects(rows)
    (other, *_), (primary, *_) = ax.containers
    assert other.get_xdata() == pytest.approx(rows["estimate"][:2])
    assert primary.get_xdata() == pytest.approx(rows["estimate"][2:])
    assert (other.get_marker(), primary.get_marker()) == ("s", "D")
    assert list(other.get_ydata()) == [1, 2] and list(primary.get_ydata()) == [4, 5]
    spans = [path.vertices[:, 0] for path in ax.containers[0][2][0].get_paths()]
    assert spans[0] == pytest.approx(rows.loc[0, ["low", "high"]].astype(float))


def test_correlations_stand_in_the_line_of_their_variable():
    marks = [line for line in pairs().lines if line.get_linestyle() == "None"]
    assert [m.get_color() for m in marks] == [style.BLUE, style.VERMILION]
    assert [list(m.get_xdata()) for m in marks] == [[0.3, 0.585], [0.9, 0.9]]
    assert [[round(y) for y in m.get_ydata()] for m in marks] == [[0, 1], [0, 1]]


def test_rows_of_one_outcome_stand_together_each_with_its_own_number():
    rows = contrasts(2).iloc[[0, 2, 1, 3]].assign(p=["first", "third", "second", "fourth"])
    ax = effects(rows)
    at = {text.get_text().strip(): text.xy[1] for text in ax.texts}
    assert [at[k] for k in ("Outcome 0", "first", "second", "Outcome 1", "third", "fourth")] == [
        0, 1, 2, 3, 4, 5]
    (other, *_), (primary, *_) = ax.containers
    assert dict(zip(other.get_ydata(), other.get_xdata(), strict=True)) == {1: 0.0, 2: 0.0}
    assert set(primary.get_ydata()) == {4, 5}
