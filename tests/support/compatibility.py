"""What docs/compatibility.md says of each operation."""

import pathlib
import re

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/compatibility.md"


def states():
    """The state of each operation of the Lambda API: works, partly, not yet."""
    section = PAGE.read_text().split("## Operations of the Lambda API")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| ([\w ]+) \|", section, re.MULTILINE)
    return {name: state for name, state in rows if name != "operation"}
