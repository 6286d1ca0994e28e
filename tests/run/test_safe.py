"""Nothing of a person leaves a real trial's run, and its names are text wherever they stand."""

import csv
import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
import yaml

from mair import results
from mair.report import frames, markup
from mair.run import plan as run
from mair.trial import load

HOSTILE = Path(__file__).parents[1] / "trials" / "hostile.yaml"
SPEC = yaml.safe_load(HOSTILE.read_text("utf-8"))
OUTCOME, = SPEC["outcomes"]
COVARIATE, = SPEC["covariates"]
LATER = SPEC["visits"][1]


def people() -> pd.DataFrame:
    """44 people, 22 an arm: no quartile of them is one of them."""
    rng = np.random.default_rng(20261127)
    n, treated = 44, np.arange(44) % 2
    level = rng.normal(52, 9, n)
    lost = np.isin(np.arange(n), (5, 8))
    found = {"id": [f"<i>NHS-{731 * i + 4_000_017}</i>" for i in range(n)],
             "arm": np.where(treated, SPEC["arm"]["treatment"], SPEC["arm"]["control"]),
             "pain 0": level + rng.normal(0, 4, n),
             "pain 1": np.where(lost, np.nan, level - 6 * treated + rng.normal(0, 4, n)),
             "crp 0": np.exp(rng.normal(1, 0.4, n)),
             "crp 1": np.where(lost, np.nan, np.exp(rng.normal(1, 0.4, n))),
             COVARIATE: rng.normal(10, 2, n),
             "@level": np.array(["=a+b", "<b>b</b>", "$c$ $d$"])[np.arange(n) % 3],
             "lost": np.where(lost, "=gone <b>away</b>", "")}
    frame = pd.DataFrame(found)
    frame.loc[3, COVARIATE] = np.nan
    return frame


def write(folder: Path, **changes) -> Path:
    """The trial file and its data in a folder; changed top-level keys."""
    people().to_csv(folder / "hostile.csv", index=False)
    file = folder / "hostile.yaml"
    file.write_text(yaml.safe_dump(SPEC | changes, allow_unicode=True, sort_keys=False), "utf-8")
    return file


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("Jane-Doe-s-folder")
    return run.run(write(folder), folder / "run", echo=[].append).parent


@pytest.fixture(scope="module")
def texts(out) -> dict[str, str]:
    """Every output as text, what a Word file packs unpacked."""
    found = {}
    for path in filter(Path.is_file, out.rglob("*")):
        if path.suffix == ".docx":
            with ZipFile(path) as file:
                found |= {f"{path.name}/{one}": file.read(one).decode("utf-8", "replace")
                          for one in file.namelist()}
        else:
            found[path.name] = path.read_bytes().decode("utf-8", "replace")
    return found


def test_no_id_no_value_of_a_person_and_no_place_is_in_any_output(texts):
    data = people()
    ids = [re.search(r"NHS-\d+", one)[0] for one in data["id"]]
    values = [repr(value)[:10] for name in ("pain 0", "pain 1", "crp 0", "crp 1", COVARIATE)
              for value in data[name].dropna()]
    assert len({*values}) > 200 and any(name.endswith(".xml") for name in texts)
    for name, text in texts.items():
        if not name.endswith(".png"):
            assert [one for one in (*ids, *values) if one in text] == [], name
            assert "Jane-Doe" not in text, name


def test_figures_draw_medians_of_five_or_more_unless_the_file_asks(tmp_path):
    asked = load(write(tmp_path, show_individuals="true"))
    shown = frames.people(asked)
    assert len(shown) == 86 and "low" not in shown and asked.individuals
    trial = load(write(tmp_path))
    drawn = frames.people(trial).set_index(["arm", "visit"])
    scores = trial.scores(OUTCOME)[LATER][trial.arm == trial.control].dropna()
    row = drawn.loc[(trial.control, LATER)]
    assert list(row[["low", "value", "high"]]) == pytest.approx(np.percentile(scores, [25, 50, 75]))
    assert row["people"] == len(scores) == 21


def test_too_few_are_not_drawn_even_as_a_median(tmp_path):
    trial = load(write(tmp_path))
    trial._scores[OUTCOME].loc[trial.arm == trial.control, LATER] = [1.5] * 4 + [np.nan] * 18
    drawn = frames.people(trial).set_index(["arm", "visit"]).loc[(trial.control, LATER)]
    assert drawn["people"] == 4 and drawn[["low", "value", "high"]].isna().all()


def test_residuals_are_means_of_five_and_a_responder_curve_has_a_grid():
    rng = np.random.default_rng(1)
    one = pd.DataFrame({"arm": ["a"] * 23 + ["b"] * 4, "fitted": rng.normal(size=27),
                        "residual": rng.normal(size=27), "quantile": rng.normal(size=27)})
    found = frames.averaged(one)
    assert found["arm"].eq("a").all() and len(found) == 2 * (23 // 5)
    first = one[one["arm"] == "a"].nsmallest(6, "fitted")
    assert found["residual"][0] == pytest.approx(first["residual"].mean())
    curve = pd.DataFrame({"threshold": [-13.2, 4.0, 20.0, 37.7], "arr": [1.0, 2.0, 3.0, 4.0]})
    grid = frames.on_grid(curve, [20.000000000000004])
    assert grid["threshold"].round(6).tolist() == [-10, 0, 10, 20, 30] or len(grid) == 6
    assert grid["arr"].tolist()[:3] == [2.0, 2.0, 3.0] and set(grid["arr"]) == {2.0, 3.0, 4.0}
    assert frames.on_grid(curve[:0], [20.0]).empty  # nobody's reduction is estimable


def test_no_text_cell_of_a_csv_is_a_formula_and_rows_are_read_as_they_were(out):
    for path in out.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            cells = {cell for row in csv.reader(file) for cell in row}
        formulas = [one for one in cells if re.match("[=+@-]", one)
                    and not re.fullmatch(r"[+-]?[\d.,]+(e[+-]\d+)?", one)]
        assert formulas == [], path.name
    rows = results.read(out / "results.csv")
    assert {OUTCOME} <= {*rows["variable"]} and {*SPEC["arm"]["labels"]} <= {*rows["arm"]}


def test_every_harmless_text_is_read_back(tmp_path):
    keys = ["=a", "'=a", "''=a", "-1", "'-1", "'a", "@", "+x", "-5 to -1"]
    rows = results.Rows("flow")
    for key in keys:
        rows.add(key, n=1)
    results.write(rows.frame(), tmp_path / "rows.csv")
    assert results.read(tmp_path / "rows.csv")["variable"].tolist() == keys


NAMES = (SPEC["trial"], OUTCOME, LATER, *SPEC["arm"]["labels"], COVARIATE, *SPEC["biomarkers"],
         SPEC["baseline"][0]["label"], SPEC["remarks"]["outcomes"], "$c$ $d$",
         SPEC["estimand"]["population"], "`stop`: [a](b)")


@pytest.mark.browser
def test_in_a_browser_every_name_is_text_and_no_script_runs(browser, out):
    tab, said = browser.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("dialog", lambda dialog: said.append(dialog.message))
    tab.goto((out / "index.html").as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    text = " ".join(tab.evaluate("document.body.innerText").split())
    assert [name for name in NAMES if " ".join(name.split()) not in text] == []
    assert tab.evaluate("window.owned") is None and said == []
    assert tab.title() == SPEC["trial"]
    assert tab.evaluate("document.querySelectorAll('main textarea, main svg, main b i, u').length"
                        ) == 0
    tab.close()


@pytest.mark.browser
def test_what_slips_through_is_stopped_by_the_policy(browser, out, tmp_path):
    html = (out / "index.html").read_text("utf-8")
    slipped = ("<script>window.owned = 5</script><img src='x:' onerror='window.owned = 6'>"
               "<p style='color: red' id=red>red</p><style>h1 {display: none}</style>")
    page = tmp_path / "index.html"
    page.write_text(html.replace("</main>", f"{slipped}</main>"), "utf-8")
    tab = browser.new_page()
    tab.goto(page.as_uri())
    assert tab.evaluate("window.owned") is None
    assert tab.evaluate("getComputedStyle(document.getElementById('red')).color"
                        ) != "rgb(255, 0, 0)"
    assert tab.evaluate("document.querySelector('h1').checkVisibility()")
    assert tab.evaluate("document.querySelector('nav a[aria-current]') !== null")  # ours does run
    tab.close()


def test_a_name_with_marks_is_shown_within_a_sentence_that_has_its_own():
    markup.names(load_stub("*T* `code`", "a * b"))
    assert markup.sentence("**A** of *T* `code`, a * b: `x`") == (
        "**A** of &#42;T&#42; &#96;code&#96;, a &#42; b: <code>x</code>")
    markup.names(load_stub("plain"))
    assert markup.sentence("- [x](y) http://z\n# 1") == (
        "&#45; &#91;x&#93;(y) http:&#47;/z &#35; 1")


def load_stub(*labels):
    from types import SimpleNamespace

    return SimpleNamespace(labels=dict(enumerate(labels)))
