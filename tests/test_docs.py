"""The guide's own promises about the configuration."""

import re

from support.server import REPOSITORY

PAGE = REPOSITORY / "docs" / "configuration.md"


def example():
    """The file that the guide shows, moved to where a test may run it."""
    text = PAGE.read_text().split("```toml\n")[1].split("```")[0]
    # Which settings of `up`'s command line the test chooses itself, and an address that others may have.
    return re.sub(r'^data_dir = .*$', "", text, flags=re.M).replace(":9101", ":0")


def test_the_example_configuration_is_taken(own_server):
    server = own_server(example()).start()
    server.finish()


def test_every_setting_is_in_the_example():
    sources = REPOSITORY / "server" / "src"
    files = [sources / "config.rs", *(sources / "config").glob("*.rs")]
    source = "".join(file.read_text() for file in files)
    fields = set(re.findall(r"^    pub\(crate\) (\w+):", source, re.M))
    renamed = {"chosen": "use"}
    page = PAGE.read_text()
    missing = [f for f in fields if not re.search(rf"\b{renamed.get(f, f)}\b", page)]
    assert not missing
