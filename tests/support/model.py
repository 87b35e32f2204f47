"""The public model as the real service has it: the pinned client's, with what is known to be newer."""

import pathlib
import tomllib

TABLE = pathlib.Path(__file__).resolve().parents[1] / "aws_facts" / "model.toml"


def amend(shapes):
    """Puts into the shapes of Lambda's model what tests/aws_facts/model.toml says; gives them."""
    table = tomllib.loads(TABLE.read_text())
    regions = table["regions"]
    for shape in shapes.values():
        if "pattern" in shape:
            shape["pattern"] = _regions(shape["pattern"], regions)
    for name, members in table["shapes"].items():
        shapes[name].update(members)
    # Of lists the service tells the set of the whole, and here not the model's.
    runtimes = tomllib.loads((TABLE.parent / "runtimes.toml").read_text())
    shapes["CompatibleRuntimes"]["enum"] = runtimes["creatable"]
    return shapes


def _regions(pattern, regions):
    if regions["to"] in pattern:
        return pattern
    for old in regions["from"]:
        pattern = pattern.replace(old, regions["to"])
    return pattern
