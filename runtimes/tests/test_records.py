"""A log call is one record: what our loops write to the descriptor for frames, and what without one."""

import json

from harness import run

PYTHON = """
import logging, sys
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("printed\\nin two lines")
    logging.info("logged\\nin two lines")
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("divided")
    context.log("by context")
    import os, subprocess
    subprocess.run(["env"])
    raise ValueError("first\\nsecond")
"""
NODEJS = """
exports.handler = async () => {
  console.log('logged\\nin two lines', { a: ['x'.repeat(80), 'y'.repeat(80)] });
  process.stdout.write('bare\\n');
  console.error(new Error('first\\nsecond'));
  return process.env._LAMBDA_TELEMETRY_LOG_FD === undefined;
};
"""


def test_python_logs_and_tells_errors_in_frames_and_prints_without(python, tmp_path):
    (tmp_path / "app.py").write_text(PYTHON)
    outcome = run(python[0], tmp_path, "app.handler", [b"{}"])
    lines = outcome.output.splitlines(keepends=True)
    assert outcome.kinds == [(3, True), (3, False), (3, False), (0x17, False)]
    assert "_LAMBDA_TELEMETRY_LOG_FD" not in outcome.output, "the function's children find it"
    assert lines[:2] == ["printed\n", "in two lines\n"]
    # `unframed` writes line breaks of a record as CR.
    assert "logged\rin two lines" in outcome.output.split("\n")[2]
    assert "divided\rTraceback (most recent call last):\r  File" in outcome.output
    assert "[ERROR] ValueError: first\rsecond\rTraceback" in outcome.output.split("\n")[-2]


def test_nodejs_logs_in_frames(nodejs, tmp_path):
    (tmp_path / "index.js").write_text(NODEJS)
    outcome = run(nodejs[0], tmp_path, "index.handler", [b"{}"])
    assert outcome.posts[0].body == b"true"
    first, bare, error = outcome.output.splitlines()[0:1] + outcome.output.split("\n")[1:3]
    assert "logged\rin two lines {\r  a: [\r" in outcome.output and bare == "bare"
    assert "Error: first\rsecond\r    at " in error
    assert outcome.kinds == [(0x0F, True), (0x17, True)]


def test_frames_in_json_carry_the_level(python, nodejs, tmp_path):
    (tmp_path / "app.py").write_text("import logging\ndef handler(event, context): logging.error('a\\nb')\n")
    (tmp_path / "index.js").write_text("exports.handler = async () => console.warn('a\\nb');")
    for runtime, handler, kinds in (python[0], "app.handler", [(0x16, True)]), (nodejs[0], "index.handler", [(0x12, False)]):
        outcome = run(runtime, tmp_path, handler, [b"{}"], {"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        assert json.loads(outcome.output)["message"] == "a\nb"
        assert outcome.kinds == kinds


def test_without_a_descriptor_a_record_is_a_line(python, nodejs, tmp_path):
    (tmp_path / "app.py").write_text("def handler(event, context): raise ValueError('a')\n")
    (tmp_path / "index.js").write_text("exports.handler = async () => console.log('a\\nb');")
    for runtime, handler in (python[0], "app.handler"), (nodejs[0], "index.handler"):
        for wrong in ("", "nonsense", "-1"):
            outcome = run(runtime, tmp_path, handler, [b"{}"], {"_LAMBDA_TELEMETRY_LOG_FD": wrong})
            assert outcome.kinds == [] and outcome.output.count("\n") == 1 and "\r" in outcome.output, wrong
