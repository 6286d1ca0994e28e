"""Wrong keys of the small trial: what to change, and the lines (file name left out)."""

KEYS = {
    "unknown key": ({"analysis": {"covarance": "unstructured"}},
        ["analysis.covarance: unknown key; did you mean covariance?"]),
    "unknown key at the top": ({"outcome": {}}, ["outcome: unknown key; did you mean outcomes?"]),
    "unknown nested key": ({"outcomes": {"FIQ": {"colums": 1}}},
        ["outcomes.FIQ.colums: unknown key; did you mean columns?"]),
    "unknown key of a baseline entry": (
        {"baseline": [{"name": "sex", "levl": "female", "kind": "binary"}]},
        ["baseline.sex.levl: unknown key; did you mean level?"]),
    "known key in the wrong place": ({"seed": 1},
        ["seed: unknown key here; did you mean analysis.seed?"]),
    "required key missing": ({"arm": None}, ["arm: required key missing"]),
    "required nested key missing": ({"arm": {"control": None}},
        ["arm.control: required key missing"]),
    "no data": ({"data": None},
        ["data: required key missing (it may be left out only with published)"]),
    "no participant": ({"participant": None},
        ["participant: required key missing: the column of participants' ids"]),
    "no outcome": (
        {"outcomes": None, "biomarkers": None, "describe": None, "responders": None}
        | {"baseline": None},
        ["outcomes: required key missing (or biomarkers): at least one outcome"]),
    "wrong types": ({"synthetic": "yes", "visits": "post", "flow": {"assessed": "ten"}, "about": 3},
        ["about: 3, expected keys with values",
         "synthetic: 'yes', expected true or false",
         "visits: 'post', expected a list",
         "flow.assessed: 'ten', expected a whole number"]),
    "outside the choices": (
        {"analysis": {"inference": "t"}, "outcomes": {"FIQ": {"better": "more"}}},
        ["outcomes.FIQ.better: 'more', expected lower or higher",
         "analysis.inference: 't', expected z, satterthwaite or kenward-roger"]),
    "numbers out of bounds": (
        {
            "analysis": {"confidence": 95, "seed": -1, "draws": 0},
            "sample_size": {"dropout": 1, "power": 1.0},
            "outcomes": {"FIQ": {"range": [100, 0], "step": 0}},
        },
        ["outcomes.FIQ.range: [100, 0], expected two numbers, the lowest and the highest score",
         "outcomes.FIQ.step: 0, expected a number above 0",
         "sample_size.power: 1, expected a number below 1",
         "sample_size.dropout: 1, expected a number below 1",
         "analysis.confidence: 95, expected a number below 1",
         "analysis.seed: -1, expected a number, 0 or more",
         "analysis.draws: 0, expected a number, 1 or more"]),
    "infinite numbers": (
        {"sample_size": {"sd": float("inf")}, "outcomes": {"FIQ": {"range": [0, float("nan")]}}},
        ["outcomes.FIQ.range, entry 2: '.nan', expected a number",
         "sample_size.sd: '.inf', expected a number"]),
    "control is treatment": ({"arm": {"treatment": "RT"}},
        ["arm.treatment: 'RT' is the control too, expected two different arms"]),
    "an arm named like a row of the results": ({"arm": {"treatment": "overall"}},
        ["arm.treatment: 'overall' is a word of results.csv, expected another name"]),
    "label of an unknown visit": ({"visit_labels": {"followup": "at 3 months", "later": "never"}},
        ["visit_labels.later: unknown visit, expected baseline, post or followup"]),
    "remarks on an unknown section": ({"remarks": {"flow": "x", "Outcomes": "y"}},
        ["remarks.Outcomes: 'Outcomes', expected flow, baseline, outcomes, biomarkers, nnt, "
         "robustness, power, audit or reconstruction"]),
    "a path that is no file name": ({"data": "a\0b.csv", "published": "x" * 300},
        ["data: 'a\\x00b.csv', expected a file name",
         f"published: '{'x' * 58}…, expected a file name"]),
    "label of an unknown arm": ({"arm": {"labels": {"TR": "x"}}},
        ["arm.labels.TR: unknown arm, expected RT or MAIR"]),
    "visits not unique": ({"visits": ["baseline", "post", "post"]},
        ["visits: 'post' stands 2 times, expected each visit once"]),
    "one visit": ({"visits": ["baseline"], "responders": None},
        ["visits: ['baseline'], expected two visits or more",
         "outcomes.FIQ.columns: ['fiq_0', 'fiq_1', 'fiq_2'], expected 1, one a visit "
         "(baseline): null where it was not measured, but a column at baseline and a later one",
         "biomarkers.CRP.columns: ['crp_0', 'crp_1', null], expected 1, one a visit "
         "(baseline): null where it was not measured, but a column at baseline and a later one"]),
    "columns of the wrong length": ({"outcomes": {"FIQ": {"columns": ["fiq_0", "fiq_1"]}}},
        ["outcomes.FIQ.columns: ['fiq_0', 'fiq_1'], expected 3, one a visit (baseline, post, "
         "followup): null where it was not measured, but a column at baseline and a later one"]),
    "no reference visit": ({"biomarkers": {"CRP": {"columns": [None, "crp_0", "crp_1"]}}},
        ["biomarkers.CRP.columns: [null, 'crp_0', 'crp_1'], expected 3, one a visit (baseline, "
         "post, followup): null where it was not measured, but a column at baseline and a "
         "later one"]),
    "no later visit": ({"biomarkers": {"CRP": {"columns": ["crp_0", None, None]}}},
        ["biomarkers.CRP.columns: ['crp_0', null, null], expected 3, one a visit (baseline, "
         "post, followup): null where it was not measured, but a column at baseline and a "
         "later one"]),
    "column in a wide file": ({"outcomes": {"FIQ": {"columns": None, "column": "fiq_0"}}},
        ["outcomes.FIQ.column: 'fiq_0', expected columns: in a wide file (a long file has "
         "visit: <column>)"]),
    "neither column nor columns": ({"outcomes": {"FIQ": {"columns": None}}},
        ["outcomes.FIQ.columns: required key missing in a wide file"]),
    "two primaries": ({"biomarkers": {"CRP": {"primary": True}}},
        ["biomarkers.CRP.primary: true, but FIQ is primary already, expected one primary "
         "outcome"]),
    "one name twice": ({"biomarkers": {"FIQ": {"columns": ["crp_0", "crp_1", None]}, "CRP": None}},
        ["biomarkers.FIQ: is the name of an outcome too, expected another name"]),
    "one column twice": ({"biomarkers": {"CRP": {"columns": ["crp_0", "fiq_1", None]}}},
        ["biomarkers.CRP.columns: 'fiq_1' is used by outcomes.FIQ.columns too, expected "
         "another column"]),
    "responders of an unknown outcome": ({"responders": {"outcome": "FIG"}},
        ["responders.outcome: 'FIG', expected an outcome; did you mean FIQ?"]),
    "responders at an unknown visit": ({"responders": {"visit": "month 3"}},
        ["responders.visit: 'month 3', expected a later visit of FIQ: post or followup"]),
    "responders at the reference visit": ({"responders": {"visit": "baseline"}},
        ["responders.visit: 'baseline', expected a later visit of FIQ: post or followup"]),
    "reductions outside (0, 1)": ({"responders": {"reductions": [0.2, 50]}},
        ["responders.reductions, entry 2: 50, expected a number below 1"]),
    "no reductions": ({"responders": {"reductions": []}},
        ["responders.reductions: [], expected one fraction or more, each once"]),
    "both kinds of responders": ({"responders": {"column": "relapse"}},
        ["responders: outcome or reductions beside column, expected outcome with visit and "
         "reductions, or column with better"]),
    "strata without blocks": ({"allocation": {"strata": "home"}},
        ["allocation.strata: 'home', expected only with scheme: blocks"]),
    "sample size incomplete": ({"sample_size": {"difference": None}},
        ["sample_size.difference: required key missing (or mean with relative_difference)"]),
    "sample size without SD": ({"sample_size": {"sd": None}},
        ["sample_size.sd: required key missing"]),
    "a mean alone": ({"sample_size": {"mean": 70}},
        ["sample_size.relative_difference: required key missing: mean and relative_difference"]),
    "level of a categorical": (
        {"baseline": [{"name": "sex", "kind": "categorical", "level": "male"}]},
        ["baseline.sex.level: 'male', expected only with kind: binary"]),
    "an outcome as categorical": ({"baseline": [{"name": "FIQ", "kind": "categorical"}]},
        ["baseline.FIQ.kind: categorical, expected continuous for an outcome"]),
    "baseline and covariates twice": ({"baseline": ["age", "age"], "covariates": ["age", "age"]},
        ["baseline: 'age' stands 2 times, expected each name once",
         "covariates: 'age' stands 2 times, expected each covariate once"]),
    "choices that do not go together": (
        {
            "analysis": {"missing": "mi-j2r", "estimator": "clda", "responder_missing": "mi-mar"},
            "responders": None,
        },
        ["analysis.missing: mi-j2r with estimator clda, expected estimator difference",
         "analysis.responder_missing: mi-mar, expected responders by an outcome's reductions: "
         "a yes/no column has no scores to impute"]),
    "flow that does not add up": ({"flow": {"assessed": 83}},
        ["flow.assessed: 83 assessed - 3 excluded = 80, expected 6 randomised + 1 in other "
         "arms = 7"]),
    "level not among the values": (
        {"baseline": [{"name": "sex", "kind": "binary", "level": "femal"}]},
        ["baseline.sex.level: 'femal' is not among the values of column sex, expected female "
         "or male; did you mean female?"]),
    "binary needs a level": ({"baseline": ["sex"]},
        ["baseline.sex: column sex holds female and male, expected level: with one of them (or "
         "kind: categorical or continuous)"]),
}
