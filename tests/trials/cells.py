"""Tables as they should read: blocks of a text file, each a name, then headers and cells."""

from pathlib import Path


def blocks(test: str) -> dict[str, str]:
    """The blocks of the text file beside a test file, by name."""
    path = Path(test).with_name(Path(test).stem.removeprefix("test_") + ".txt")
    parts = (block.partition("\n") for block in path.read_text("utf-8").split("\n\n"))
    return {name.removeprefix("# "): lines for name, _, lines in parts}


def agrees(table, expected: str) -> None:
    """Headers and cells, a line each, between bars."""
    lines = [[cell.strip() for cell in line.split("|")] for line in expected.strip().splitlines()]
    found = [[cell.strip() for cell in line] for line in [table.headers, *table.cells()]]
    assert found == lines, "\n".join(" | ".join(line) for line in found)
