"""Tools that reach into AWS's Python client find it, and what they put there is what runs."""

import json

import pytest

from conftest import BUILT
from harness import run
from test_python_start import modules

PATCHES = """
import sys
import awslambdaric.bootstrap as bootstrap
from awslambdaric.lambda_context import LambdaContext
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

seen = []
def wrap(owner, name):
    original = getattr(owner, name)
    def wrapped(*arguments, **more):
        seen.append(name)
        return original(*arguments, **more)
    setattr(owner, name, wrapped)
for name in ("wait_next_invocation", "post_invocation_result", "post_invocation_error", "post_init_error"):
    wrap(LambdaRuntimeClient, name)
for name in ("handle_event_request", "create_lambda_context", "log_error", "to_json"):
    wrap(bootstrap, name)

def handler(event, context):
    assert type(context) is LambdaContext and bootstrap.LambdaRuntimeClient is LambdaRuntimeClient
    if event == "fail":
        raise ValueError("asked for")
    return [seen, context.function_name, context.aws_request_id]
"""
SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.aws_lambda import AwsLambdaIntegration
from sentry_sdk.transport import Transport

class Printed(Transport):
    def capture_envelope(self, envelope):
        for item in envelope.items:
            event = item.payload.json
            for error in event["exception"]["values"]:
                function = event.get("extra", {}).get("lambda", {}).get("function_name")
                print("sent", error["type"], error["value"], function)

sentry_sdk.init("http://key@127.0.0.1/1", transport=Printed, integrations=[AwsLambdaIntegration()])
%s
def handler(event, context):
    if event:
        return event
    raise ValueError("in the handler")
"""


def test_each_step_is_the_one_that_was_put_there(python, tmp_path):
    (tmp_path / "app.py").write_text(PATCHES)
    outcome = run(python[0], tmp_path, "app.handler", [b'"fail"', b"{}"])
    failed, answered = outcome.posts
    assert json.loads(failed.body)["errorType"] == "ValueError"
    event = ["wait_next_invocation", "handle_event_request", "create_lambda_context"]
    seen, name, request_id = json.loads(answered.body)
    assert "to_json" in seen
    assert [step for step in seen if step != "to_json"] == event + ["log_error", "post_invocation_error"] + event
    assert (name, request_id[-1]) == ("f", "1")
    assert outcome.output.startswith("[ERROR] ValueError: asked for\rTraceback")


def test_what_is_imported_during_an_invoke_counts_from_the_next_event_on(python, tmp_path):
    (tmp_path / "app.py").write_text(
        "def handler(event, context):\n"
        "    import awslambdaric.bootstrap as bootstrap\n"
        "    bootstrap.LambdaRuntimeClient.marshaller.marshal_response = lambda value: (b'mine', 'text/plain')\n"
        "    return 'loop'\n"
    )
    posts = run(python[0], tmp_path, "app.handler", [b"1", b"2"]).posts
    assert [(post.body, post.headers["content-type"]) for post in posts] == [
        (b'"loop"', "application/json"), (b"mine", "text/plain"),
    ]


def test_an_init_error_goes_through_the_patched_client(python, tmp_path):
    (tmp_path / "app.py").write_text(
        "from awslambdaric.bootstrap import LambdaRuntimeClient\n"
        "original = LambdaRuntimeClient.post_init_error\n"
        "def told(self, result, *more):\n    print('told of', result['errorType'])\n    original(self, result, *more)\n"
        "LambdaRuntimeClient.post_init_error = told\nraise KeyError('import')\n"
    )
    outcome = run(python[0], tmp_path, "app.handler", [b"1"])
    assert "told of KeyError\n" in outcome.output and outcome.status == 1
    assert outcome.posts[0].path.endswith("init/error")


@pytest.mark.parametrize("own", ["", "import awslambdaric.lambda_context"])
def test_sentry_reports_an_error(python, tmp_path, own):
    (tmp_path / "app.py").write_text(SENTRY % own)
    outcome = run(python[0], tmp_path, "app.handler", [b"5", b"0"], {"PYTHONPATH": str(BUILT / "sentry")})
    assert "sent ValueError in the handler f\n" in outcome.output
    assert outcome.posts[0].body == b"5"
    assert json.loads(outcome.posts[1].body)["errorMessage"] == "in the handler"


def test_sentry_reports_an_error_before_the_first_event(python, tmp_path):
    (tmp_path / "app.py").write_text(SENTRY % "raise KeyError('at import')")
    outcome = run(python[0], tmp_path, "app.handler", [b"0"], {"PYTHONPATH": str(BUILT / "sentry")})
    assert "sent KeyError 'at import'" in outcome.output


def test_nothing_of_it_is_read_when_nobody_asks(python, tmp_path):
    assert modules(python, tmp_path, ["awslambdaric", "lambent_runtime.sink"]) == []
