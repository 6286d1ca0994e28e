"""Figures: nothing clipped, nothing overlapping, equal bytes, always with words."""

import functools
import io
import itertools
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from mair.report import figures, style

ARMS = {"RT": "Relaxation therapy", "MAIR": "Mindfulness plus amygdala and insula retraining"}
LONG = {
    "TAU": "Treatment as usual, by the general practitioner with referral where indicated",
    "BtB": "Beat the Blues, computerised cognitive behavioural therapy added to usual care",
}
MONTHS = {"0": "before randomisation", "2": "2 months", "3": "3 months, after treatment",
          "5": "5 months", "8": "8 months, follow-up"}  # fmt: skip


def people(arms=ARMS, visits=("baseline", "post", "followup"), n=(19, 22)):
    rng = np.random.default_rng(4)
    rows = [
        {"participant": f"{arm}{i}", "arm": arm, "visit": visit, "value": value}
        for arm, count in zip(arms, n, strict=True)
        for visit in visits
        for i, value in enumerate(np.exp(rng.normal(2.0, 0.6, count)))
    ]
    frame = pd.DataFrame(rows)
    frame.loc[frame.index[::11], "value"] = np.nan
    return frame


def means(frame):
    out = frame.groupby(["arm", "visit"], sort=False)["value"].mean().reset_index(name="mean")
    return out.assign(low=out["mean"] - 1, high=out["mean"] + 1)


def contrasts(outcomes=9, visits=("post", "followup")):
    rows = [(f"Outcome {k}", visit, -0.1 * k) for k in range(outcomes) for visit in visits]
    frame = pd.DataFrame(rows, columns=["label", "visit", "estimate"])
    return frame.assign(low=frame["estimate"] - 0.7, high=frame["estimate"] + 0.7)


def flow(arms=ARMS, visits=("post", "followup"), reason="work schedule"):
    def arm(label, n):
        return {
            "label": label, "allocated": n, "notes": {"attended no session": 1},
            "visits": {v: {"label": v, "retained": n - 3, "lost": {reason: 2, "moved": 1}}
                       for v in visits},
            "analysed": n - 1, "not_analysed": {"no covariate": 1},
        }  # fmt: skip

    return {
        "assessed": 83, "excluded": {reason: 13, "declined": 6}, "enrolled": 64,
        "other_arms": {"ABCT": 23}, "randomised": 41,
        "arms": {key: arm(label, 19 + i) for i, (key, label) in enumerate(arms.items())},
    }  # fmt: skip


LONG_REASON = (
    "did not meet the criteria at the screening interview, mostly because the score was too "
    "low; Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
)


def responders():
    grid = np.arange(-20.0, 101.0)
    curve = pd.concat(
        pd.DataFrame({"arm": arm, "threshold": grid, "percent": 50 - 0.4 * grid + 5 * i})
        for i, arm in enumerate(ARMS)
    )
    band = pd.DataFrame({"threshold": grid, "arr": 5.0, "low": -10.0, "high": 20.0})
    return figures.responder_curve(curve, difference=band, thresholds=(20, 50), arms=ARMS)


def residuals():
    x = np.linspace(-2, 2, 41)
    frame = pd.DataFrame({"fitted": 50 + 5 * x, "residual": 8 * x, "quantile": x})
    frame["arm"] = ["RT"] * 19 + ["MAIR"] * 22
    return figures.residual_plots(frame, unit="points", arms=LONG | ARMS, line=(0, 8))


def differences():
    labels = ["Age, years", "Sex, female", "Marital status, stable relationship"]
    frame = pd.DataFrame({"label": labels, "smd": [0.2, np.nan, -0.4]})
    return figures.smd_plot(frame.assign(low=frame["smd"] - 0.6, high=frame["smd"] + 0.6),
                            chance=0.61)  # fmt: skip


def grid(arms=ARMS, visits=("baseline", "post", "followup"), n=(19, 22), outcomes=9):
    frame = people(arms, visits, n)
    keys = [f"Outcome {k}" for k in range(outcomes)]
    labels = dict.fromkeys(keys, "Fibromyalgia Impact Questionnaire (0 to 100)")
    p = pd.concat(frame.assign(outcome=key) for key in keys)
    m = pd.concat(means(frame).assign(outcome=key) for key in keys)
    return figures.trajectory_grid(p, m, labels, arms=arms, visits=visits)


def biomarkers():
    frame = people(visits=("baseline", "post"))
    units = {"BDNF": "BDNF (ng/mL)", "hs-CRP": "hs-CRP (mg/L)", "IL-6": "Interleukin 6 (pg/mL)"}
    p = pd.concat(frame.assign(biomarker=key) for key in units)
    summary = pd.concat(
        means(frame).rename(columns={"mean": "value"}).assign(biomarker=key) for key in units
    )
    return figures.before_after_grid(p, units, summary=summary, arms=ARMS, log={"hs-CRP", "IL-6"})


def single(**kwargs):
    frame = people(LONG, tuple(MONTHS), (48, 52))
    return figures.trajectories(
        frame, means(frame), ylabel="Beck Depression Inventory (0 to 63)", arms=LONG, **kwargs
    )


def one_biomarker():
    frame = people(LONG, ("0", "2"), (48, 52))
    summary = means(frame).rename(columns={"mean": "value"})
    return figures.before_after(frame, ylabel="IL-6 (pg/mL)", summary=summary, arms=LONG,
                                log=True, title="IL-6")  # fmt: skip


def long_forest():
    rows = contrasts(2, tuple(MONTHS.values()))
    rows.loc[1, ["estimate", "low", "high"]] = np.nan
    words = tuple(f"favours {label}" for label in LONG.values())
    return figures.forest(rows.assign(q="0.123"), favours=words, xlim=(-0.5, 0.5),
                          text={"visit": "Visit", "q": "q"}, primary={"Outcome 0"})  # fmt: skip


MAKERS = {
    "consort": lambda: figures.consort(flow()),
    "consort-long": lambda: figures.consort(flow(LONG, tuple(MONTHS.values()), LONG_REASON)),
    "consort-arms-only": lambda: figures.consort({"arms": {"A": {"allocated": 5}, "B": {}}}),
    "trajectories": lambda: single(visits=MONTHS),
    "trajectories-in-time": lambda: single(
        positions={v: int(v) for v in MONTHS}, xlabel="Months after randomisation"
    ),
    "grid": grid,
    "grid-long": lambda: grid(LONG, MONTHS, (48, 52), 2),
    "forest": lambda: figures.forest(contrasts(), favours=("favours MAIR", "favours RT")),
    "forest-long": long_forest,
    "before-after": one_biomarker,
    "biomarkers": biomarkers,
    "responders": responders,
    "smd": differences,
    "residuals": residuals,
}


@functools.cache
def drawn(name):
    """A figure as shown, the window extent of every text in it, and its SVG."""
    figure = MAKERS[name]()
    figure = getattr(figure, "figure", figure)
    svg = figures.render(figure, "test", "words", synthetic=True, formats=["svg"])["svg"]
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    texts = {
        text: text.get_window_extent(renderer)
        for text in figure.findobj(mpl.text.Text)
        if text.get_text().strip() and text.get_visible()
    }
    return figure, {t: box for t, box in texts.items() if seen(t)}, svg.decode()


def seen(text):
    """Not a tick label outside its axis, which is never drawn."""
    axis = next((a for ax in text.figure.axes for a in (ax.xaxis, ax.yaxis)
                 if text in {t for tick in a.get_major_ticks() for t in (tick.label1, tick.label2)}
                 ), None)  # fmt: skip
    if axis is None:
        return True
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if text in (tick.label1, tick.label2)]
    return all(low <= tick.get_loc() <= high for tick in ticks)


@pytest.mark.parametrize("name", MAKERS)
def test_no_text_is_clipped_and_none_overlaps(name):
    figure, texts, _ = drawn(name)
    width, height = figure.bbox.size
    for text, box in texts.items():
        inside = box.x0 >= -0.5 and box.y0 >= -0.5 and box.x1 <= width + 0.5
        assert inside and box.y1 <= height + 0.5, f"{text.get_text()!r} is clipped: {box}"
    straight = [(t, b) for t, b in texts.items() if t.get_rotation() in (0, 90)]
    for (a, box), (b, other) in itertools.combinations(straight, 2):
        wide = min(box.x1, other.x1) - max(box.x0, other.x0)
        high = min(box.y1, other.y1) - max(box.y0, other.y0)
        assert not (wide > 1 and high > 2.5), f"{a.get_text()!r} lies on {b.get_text()!r}"


@pytest.mark.parametrize("name", ["consort", "grid-long", "forest", "biomarkers", "responders"])
def test_equal_bytes_whoever_draws(name):
    first = figures.render(MAKERS[name](), "f", "words")
    with mpl.rc_context({"font.size": 17, "axes.grid": True, "svg.hashsalt": None}):
        figure = MAKERS[name]()
        assert figures.render(figure, "f", "words") == first
        assert figures.render(figure, "f", "words") == first
    assert set(first) == {"svg", "png"}


def test_png_has_300_dpi_and_the_words():
    files = figures.render(MAKERS["smd"](), "smd", "Points beside a line.", synthetic=True)
    image = Image.open(io.BytesIO(files["png"]))
    assert round(image.info["dpi"][0]) == 300
    assert image.info["Description"] == "Points beside a line."
    assert image.width == pytest.approx(style.WIDTH * 300, abs=1)
    assert "Date" not in image.info and "Creation Time" not in image.info
    svg = files["svg"].decode()
    assert "Points beside a line." in svg
    assert not re.search(r"<dc:date>", svg)


@pytest.mark.parametrize("name", MAKERS)
def test_synthetic_is_said_in_every_figure_once(name):
    _, texts, svg = drawn(name)
    assert svg.count("<!-- SYNTHETIC") == 1
    assert sum("SYNTHETIC" in text.get_text() for text in texts) == 1


@pytest.mark.parametrize("name", ["consort", "smd"])
def test_the_mark_takes_its_own_room(name):
    figure = MAKERS[name]()
    plain = figures.render(figure, "f", "words", formats=["svg"])["svg"]
    assert b"SYNTHETIC" not in plain
    figure = getattr(figure, "figure", figure)
    before = figure.get_figheight()
    for _ in range(2):  # the second time there is nothing to add
        figures.render(figure, "f", "words", synthetic=True, formats=["svg"])
        assert figure.get_figheight() == before + figures.STRIP


def test_show_writes_both_files_and_displays_the_alternative(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    figures.show(differences(), "smd", 'Three "points" & a line', tmp_path, synthetic=True)
    written = {p.name: p.read_bytes() for p in (tmp_path / "figures").iterdir()}
    assert set(written) == {"smd.svg", "smd.png"}
    assert 'alt="Three &quot;points&quot; &amp; a line"' in shown[0]["text/html"]
    assert "data:image/svg+xml;base64," in shown[0]["text/html"]
    assert shown[0]["text/plain"] == 'Three "points" & a line'
    figures.show(differences(), "smd", "words")
    assert len(shown) == 2


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_a_figure_without_words_is_refused(alt, tmp_path):
    with pytest.raises(ValueError, match="alt is empty"):
        figures.show(differences(), "smd", alt, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_leaves_the_folder_is_refused():
    with pytest.raises(ValueError, match="a name is letters"):
        figures.render(differences(), "../smd", "words")


def boxes(name):
    """Boxes of a flow diagram and the texts in each, in window coordinates."""
    figure, texts, _ = drawn(name)
    patches = {p.get_gid(): p.get_window_extent() for p in figure.findobj(mpl.patches.Patch)
               if (p.get_gid() or "").startswith("box")}  # fmt: skip
    inside = [(patches[t.get_gid().replace("text", "box")], t, b) for t, b in texts.items()
              if (t.get_gid() or "").startswith("text")]  # fmt: skip
    return patches, inside


@pytest.mark.parametrize("name", ["consort", "consort-long", "consort-arms-only"])
def test_flow_boxes_hold_their_text_and_stand_apart(name):
    patches, inside = boxes(name)
    assert inside
    for box, text, extent in inside:
        fits = (box.x0 < extent.x0 and extent.x1 < box.x1
                and box.y0 < extent.y0 and extent.y1 < box.y1)  # fmt: skip
        assert fits, f"{text.get_text()!r} leaves its box"
    for a, b in itertools.combinations(patches.values(), 2):
        assert not a.overlaps(b)


def words(figure):
    return [t.get_text().replace("\u00a0", " ") for t in figure.findobj(mpl.text.Text)]


def test_flow_says_the_counts():
    text = " ".join(words(figures.consort(flow())))
    for part in ("Assessed for eligibility (n = 83)", "Excluded (n = 19)", "Enrolled (n = 64)",
                 "ABCT (n = 23)", "Randomised to the arms compared here (n = 41)",
                 "Allocated (n = 20)", "Lost (n = 3)", "work schedule (n = 2)",
                 "Analysed (n = 18)", "Not analysed (n = 1)", "no covariate (n = 1)"):  # fmt: skip
        assert part in text, part


def test_flow_from_rows_of_results():
    rows = pd.DataFrame(
        [
            ("flow", "assessed", "overall", "", "n", 83),
            ("flow", "excluded: declined", "overall", "", "n", 6),
            ("flow", "excluded: declined", "overall", "", "percent", 7.2),
            ("flow", "enrolled", "overall", "", "n", 64),
            ("flow", "randomised", "ABCT", "", "n", 23),
            ("flow", "randomised", "overall", "", "n", 41),
            ("flow", "randomised", "RT", "", "n", 19),
            ("flow", "randomised", "MAIR", "", "n", 22),
            ("flow", "retained", "RT", "post", "n", 16),
            ("flow", "lost: work", "RT", "post", "n", 3),
            ("flow", "lost: work", "MAIR", "post", "n", 0),
            ("flow", "retained", "MAIR", "post", "n", 19),
            ("flow", "analysed: FIQ", "RT", "", "n", 19),
            ("flow", "analysed: PCS", "RT", "", "n", 18),
            ("flow", "left out: no covariate", "MAIR", "", "n", 1),
            ("baseline", "randomised", "other", "", "n", 5),
        ],
        columns=["analysis", "variable", "arm", "time", "statistic", "value"],
    )
    counts = figures.flow_counts(rows, arms=ARMS, visits={"post": "After treatment"})
    assert counts == {
        "assessed": 83, "excluded": {"declined": 6}, "enrolled": 64,
        "other_arms": {"ABCT": 23}, "randomised": 41,
        "arms": {
            "RT": {"label": ARMS["RT"], "allocated": 19, "analysed": 19, "not_analysed": {},
                   "visits": {"post": {"label": "After treatment", "retained": 16,
                                       "lost": {"work": 3}}}},
            "MAIR": {"label": ARMS["MAIR"], "allocated": 22, "analysed": None,
                     "not_analysed": {"no covariate": 1},
                     "visits": {"post": {"label": "After treatment", "retained": 19,
                                         "lost": {"work": 0}}}},
        },
    }  # fmt: skip
    assert figures.flow_counts(rows, outcome="PCS")["arms"]["RT"]["analysed"] == 18
    assert list(figures.flow_counts(rows)["arms"]) == ["RT", "MAIR"]
    assert figures.flow_counts(rows)["other_arms"] == {"ABCT": 23}
    diagram = words(figures.consort(rows, arms=ARMS, visits={"post": "After treatment"}))
    assert "After treatment" in diagram
    assert "Lost (n = 0)" in diagram and not any("work (n = 0)" in text for text in diagram)


def test_a_flow_without_arms_is_refused():
    with pytest.raises(ValueError, match="at least one arm"):
        figures.consort({"assessed": 3})


def test_arms_keep_their_look_and_differ_in_more_than_colour():
    looks = list(figures.arm_styles(ARMS).values())
    assert figures.arm_styles(["MAIR"])["MAIR"] == looks[0]
    assert looks[0].color != looks[1].color
    assert looks[0].marker != looks[1].marker and looks[0].line != looks[1].line


def test_a_frame_of_other_columns_or_arms_is_refused():
    frame = people()
    with pytest.raises(ValueError, match="no column mean"):
        figures.trajectories(frame, means(frame).drop(columns="mean"), ylabel="y")
    with pytest.raises(ValueError, match="'RT' is in the data"):
        figures.trajectories(frame, means(frame), ylabel="y", arms=["MAIR"])
    with pytest.raises(ValueError, match="no column estimate"):
        figures.forest(contrasts().drop(columns="estimate"))


def test_plots_draw_what_they_are_given():
    frame = people()
    ax = figures.trajectories(frame, means(frame), ylabel="FIQ (0 to 100)", arms=ARMS)
    assert ax.get_ylabel() == "FIQ (0 to 100)"
    thin = [line for line in ax.lines if line.get_linewidth() == 0.6]
    assert len(thin) == frame.dropna()["participant"].nunique()
    thick = [line for line in ax.lines if line.get_marker() in ("o", "s")]
    drawn_means = np.concatenate([line.get_ydata() for line in thick])
    assert drawn_means == pytest.approx(means(frame)["mean"].to_numpy())
    rows = contrasts(2)
    lines = figures.forest(rows).lines
    points = [line.get_xdata()[0] for line in lines if line.get_marker() == "s"]
    assert points == pytest.approx(rows["estimate"].tolist())


def test_an_interval_beyond_the_axis_ends_in_an_arrow_head():
    rows = contrasts(1, ("post",)).assign(estimate=0.0, low=-3.0, high=0.5)
    markers = [line.get_marker() for line in figures.forest(rows, xlim=(-1, 1)).lines]
    assert "<" in markers and ">" not in markers


def test_nothing_is_left_open_in_pyplot():
    import matplotlib.pyplot as plt

    figures.show(differences(), "smd", "words")
    assert plt.get_fignums() == []
