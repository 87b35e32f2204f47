"""One log call is one event, with its line breaks, for every reader: CloudWatch Logs, the caller, extensions."""

import base64

import pytest

from support import written

PYTHON = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("printed\\nbare")
    logging.info("first\\nsecond")
    print("between")
    try:
        raise KeyError("inner")
    except KeyError:
        logging.exception("caught")
    raise ValueError("outer\\nlines")
"""
NODEJS = """
export const handler = async () => {
  process.stdout.write('printed\\nbare\\n');
  console.log('first\\nsecond');
  console.error(new Error('outer'));
};
"""


@pytest.fixture
def events(server, deploy, invoke):
    """What the log of a function has after one invoke of its source, without the platform's lines."""

    def read(source, **settings):
        name = deploy(source, prefix="records", **settings)
        answer = invoke(name, {}, LogType="Tail")
        tail = base64.b64decode(answer.raw["LogResult"]).decode()
        return written.by_function(server, name), tail

    return read


def test_python(events):
    found, tail = events(PYTHON)
    assert [message.split("\t")[-1] for message in found[:4]] == ["printed\n", "bare\n", "first\nsecond\n", "between\n"]
    logged, error = found[4:]
    assert "caught\nTraceback (most recent call last):\n" in logged and logged.endswith("KeyError: 'inner'")
    assert error.startswith("[ERROR] ValueError: outer\nlines\nTraceback (most recent call last):\n")
    assert "first\nsecond\nbetween\n" in tail.replace("\t", "\n") and "_LAMBDA" not in tail


def test_nodejs(events):
    found, _ = events(NODEJS, runtime="nodejs20.x")
    assert found[:2] == ["printed\n", "bare\n"]
    assert found[2].endswith("\tINFO\tfirst\nsecond\n")
    assert "\tERROR\tError: outer\n    at " in found[3] and len(found) == 4


def test_an_event_is_cut_between_characters(events):
    text = "ü€" * 60_000
    found, _ = events(f"import logging\ndef handler(event, context): logging.error('x' + 'ü€' * {len(text) // 2})\n")
    assert len(found) == 2 and "".join(found).endswith("x" + text + "\n")
    assert all(len(message.encode()) <= 256 * 1024 - 26 for message in found)
