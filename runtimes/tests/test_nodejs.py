"""Node.js: ours and aws-lambda-ric do the same, post by post."""

import base64
import json
import re

import pytest

from harness import assert_same, run, without_times

# Headers that say something of the invoke, not of the HTTP client.
HEADERS = (
    "content-type",
    "lambda-runtime-function-error-type",
    "lambda-runtime-function-xray-error-cause",
    "lambda-runtime-function-response-mode",
    "trailer",
)
ERROR_BODY = "lambda-runtime-function-error-body"
CLIENT = json.dumps({"client": {"app_title": "t"}, "custom": {"ä": 1}})
IDENTITY = json.dumps({"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"})
MOBILE = {"Lambda-Runtime-Client-Context": CLIENT, "Lambda-Runtime-Cognito-Identity": IDENTITY}
ECHOED = [
    b'{"a": [1, 2.5, true, null, "\\u00e9\\ud83d\\ude00"]}', b"  [1] \n", b'"text"', b"5", b"null", b"1e400",
    "{\"ü\": \"\U0001f600\"}".encode(), b"12345678901234567890", b'{"a":1,"a":2}', b'"' + b"x" * 300000 + b'"',
]
RESULTS = ["undefined", "nothing", "unicode", "date", "nan", "big", "buffer", "map", "json", "nested", "self"]
JSON_LOGS = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
# Handlers of index.js that are called twice with nothing special.
PLAIN = (
    "state callback callbackError callbackText callbackTwice callbackWaits callbackDoesNotWait succeed fail failNothing "
    "done doneError nothing returnsValue never thenable throws rejects rejectsText rejectsObject rejectsNothing "
    "likeError unhandled uncaught leave nested.deep.handler logs logsError notAFunction nested.missing missing"
).split()
STREAMS = "pieces http httpOnlyEnd nothing returns early middle sync tooLate piped large".split()
# handler, events, environment, headers of the events
CASES = (
    [("index.echo", ECHOED, {}, {}), ("index.results", [json.dumps(name).encode() for name in RESULTS], {}, {})]
    + [("index." + name, [b"{}", b"{}"], {}, {}) for name in PLAIN]
    + [("stream." + name, [b"{}", b"{}"], {}, {}) for name in STREAMS]
    + [
        ("index.describeContext", [b"{}"], {}, {}),
        ("index.describeContext", [b"{}"], {}, MOBILE | {"Lambda-Runtime-Aws-Tenant-Id": "tenant"}),
        ("index.echo", [b"nope"], {}, {}),
        ("module.handler", [b"1"], {}, {}), ("top.handler", [b"1"], {}, {}), ("esm/index.handler", [b"1"], {}, {}),
        ("common.handler", [b"1"], {}, {}), ("./index.echo", [b"1"], {}, {}), ("../x.handler", [b"1"], {}, {}),
        ("noname", [b"1"], {}, {}), ("syntax.handler", [b"1"], {}, {}), ("missing.handler", [b"1"], {}, {}),
        ("throws.handler", [b"1"], {}, {}), ("nothing.handler", [b"1"], {}, {}), ("raises.handler", [b"1"], {}, {}),
        ("absent.handler", [b"1"], {}, {}),
        ("index.logs", [b"1"], JSON_LOGS, {}), ("index.logs", [b"1"], JSON_LOGS, {"Lambda-Runtime-Aws-Tenant-Id": "t"}),
        ("index.logsError", [b"1"], JSON_LOGS, {}), ("index.throws", [b"1"], JSON_LOGS, {}), ("nothing.handler", [b"1"], JSON_LOGS, {}),
        ("index.logs", [b"1"], {"AWS_LAMBDA_LOG_LEVEL": "WARN"}, {}), ("index.logs", [b"1"], {"AWS_LAMBDA_LOG_LEVEL": "fatal"}, {}),
        ("index.logs", [b"1"], {"AWS_LAMBDA_LOG_LEVEL": "nonsense"}, {}),
        ("index.size", [b"7000000", b"10"], {}, {}),
    ]
)


def seen(outcome, runtime):
    """What the platform sees, without what is the runtime's own business."""
    posts = []
    for post in outcome.posts:
        headers = {name: post.headers.get(name) for name in HEADERS}
        body = post.body
        if post.path.endswith("error"):
            body = error_body(json.loads(body), runtime)
        if headers[HEADERS[2]]:
            headers[HEADERS[2]] = error_cause(json.loads(headers[HEADERS[2]]))
        trailers = dict(post.trailers)
        if ERROR_BODY in trailers:
            trailers[ERROR_BODY] = error_body(json.loads(base64.b64decode(trailers[ERROR_BODY])), runtime)
        posts.append((post.method, post.path, headers, body, trailers))
    return posts, plain(outcome.output, runtime), outcome.status, outcome.kinds


def own(line, runtime):
    """Whether a line of a stack trace is of the runtime or of Node.js, or one of the runtime's list of files."""
    return str(runtime.folder) in line or "node:" in line


def error_body(body, runtime):
    body["errorMessage"] = message(body["errorMessage"], runtime)
    if "trace" in body:
        lines = [line.replace(" [as handler]", "").replace("Runtime.handler (", "").replace("StreamingInvokeProcessor.handler (", "").rstrip(")") for line in body["trace"]]
        body["trace"] = [line for line in lines if not own(line, runtime)]
    return body


def error_cause(cause):
    """Stacks are checked by `error_body`; their frames here are cut up from the same text."""
    for exception in cause["exceptions"]:
        exception["stack"] = []
        exception["message"] = re.sub(r"(?s)\nRequire stack:.*", "", exception.get("message", ""))
    return cause["working_directory"], cause["exceptions"]


def message(text, runtime):
    """The list of files that required a missing one ends with the runtime's."""
    return "\n".join(line for line in text.split("\n") if not own(line, runtime))


def plain(output, runtime):
    # From version 4 on AWS's client ends by an error that Node.js shows.
    output = output.split("    triggerUncaughtException(")[0]
    lines = []
    for line in re.sub(r"\[\d+\] LAMBDA", "LAMBDA", without_times(output)).split("\n"):
        # Log lines of errors carry the stack as JSON; it is the same as in the body of the post.
        line = re.sub(r'"(stack|stackTrace)":\[.*?\](?=[,}])', r'"\1":[]', line)
        line = re.sub(r"\\n- [^\\\"]*", "", line).replace(" [as handler]", "")
        if not own(line, runtime) and not line.startswith("    at "):
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize(("handler", "events", "env", "headers"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_the_same_as_aws_lambda_ric(nodejs, nodejs_task, handler, events, env, headers):
    ours, theirs = (seen(run(runtime, nodejs_task, handler, events, env, headers), runtime) for runtime in nodejs)
    assert_same(ours, theirs)


CASES_24 = (
    [("index.echo", ECHOED, {}, {}), ("index.results", [json.dumps(name).encode() for name in RESULTS], {}, {})]
    + [("index." + name, [b"{}", b"{}"], {}, {}) for name in PLAIN if name not in ("never", "uncaught", "unhandled")]
    + [("stream." + name, [b"{}", b"{}"], {}, {}) for name in STREAMS]
    + [
        ("index.describeContext", [b"{}"], {}, {}),
        ("module.handler", [b"1"], {}, {}), ("top.handler", [b"1"], {}, {}), ("esm/index.handler", [b"1"], {}, {}),
        ("common.handler", [b"1"], {}, {}), ("default.handler", [b"1"], {}, {}),
        ("syntax.handler", [b"1"], {}, {}), ("missing.handler", [b"1"], {}, {}), ("nothing.handler", [b"1"], {}, {}),
        ("index.logs", [b"1"], JSON_LOGS, {}), ("index.throws", [b"1"], JSON_LOGS, {}),
    ]
)


@pytest.mark.parametrize(("handler", "events", "env", "headers"), CASES_24, ids=lambda value: value if isinstance(value, str) else None)
def test_the_same_as_aws_lambda_ric_from_24_on(nodejs24, nodejs_task, handler, events, env, headers):
    env = {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x", **env}
    ours, theirs = (seen(run(runtime, nodejs_task, handler, events, env, headers), runtime) for runtime in nodejs24)
    assert_same(ours, theirs)


def test_without_the_binding_net_serves(nodejs, nodejs_task):
    """The option would make the binding print a warning."""
    outcome = run(nodejs[0], nodejs_task, "index.callbackWaits", [b"{}", b"{}"], {"NODE_OPTIONS": "--pending-deprecation"})
    assert [post.body for post in outcome.posts] == [b'"result"', b'"result"']
    assert "Deprecat" not in outcome.output


def test_an_uncaught_error_in_the_middle_of_a_stream_goes_into_the_trailers(nodejs, nodejs_task):
    outcome = run(nodejs[0], nodejs_task, "stream.uncaught", [b"{}"])
    assert outcome.status == 129
    assert outcome.posts[0].body == b"x"
    assert outcome.posts[0].trailers["lambda-runtime-function-error-type"] == "Error"
