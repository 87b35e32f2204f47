"""Python: ours and awslambdaric do the same, post by post."""

import json
import re

import pytest

from harness import REQUEST_ID, assert_same, run, without_times

# Headers that say something of the invoke, not of the HTTP client.
HEADERS = ("content-type", "lambda-runtime-function-error-type", "lambda-runtime-function-xray-error-cause")
CONTEXT = json.dumps({"client": {"app_title": "t"}, "custom": {"a": 1}, "env": {"b": "2"}, "w3c": {"traceparent": "p", "x": 1}})
IDENTITY = json.dumps({"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"})

ECHOED = [
    b'{"a": [1, 2.5, true, null, "\\u00e9\\ud83d\\ude00"]}', b"  [1] \n", b'"text"', b"5", b"null", b"1e400", b"-0",
    "{\"ü\": \"\U0001f600\"}".encode(), b"", b"nope", b"{", b"[1,]", b'{"a":}', b'{"a" 1}', b"{a:1}", b'"open', b"[1] 2",
    b"\xff", b"NaN", b"[Infinity]", b'"\\x"', b'"\t"', "\ufeff[1]".encode(), b"1" * 5000,
    b"123456789012345678901234567890", b'{"a":1,"a":2}', b'"' + b"x" * 300000 + b'"',
]
RESULTS = [
    "none", "unicode", "bytes", "decimal", "nan", "infinity", "named", "tuple", "dict", "enum", "keys", "set", "object",
    "big", "float", "key", "bad bytes", "self", "surrogate", "date",
]
# The code that the last frame of either runtime shows.
RUNTIME_CODE = re.compile(r"^\xa0+(result, content_type = result_of|response = request_handler)")
JSON_LOGS = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}
# handler, events, environment, headers of the events
CASES = (
    [("app.echo", ECHOED, {}, {})]
    + [("app.results", [json.dumps(name).encode() for name in RESULTS], {"AWS_EXECUTION_ENV": "AWS_Lambda_python" + v}, {}) for v in ("3.11", "3.12")]
    + [("app." + name, [b"{}", b"{}"], {}, {}) for name in (
        "state", "binary", "fail", "fail_deep", "fail_odd", "fail_recursion", "prints", "one_argument", "not_callable",
        "find_spec", "environment", "missing",
    )]
    + [
        ("app.describe_context", [b"{}"], {}, {}),
        ("app.describe_context", [b"{}"], {}, {"Lambda-Runtime-Client-Context": CONTEXT, "Lambda-Runtime-Cognito-Identity": IDENTITY, "Lambda-Runtime-Aws-Tenant-Id": "tenant"}),
        ("app.describe_context", [b"{}"], {}, {"Lambda-Runtime-Client-Context": "{"}),
        ("app.describe_context", [b"{}"], {}, {"Lambda-Runtime-Cognito-Identity": "nope"}),
        ("app.environment", [b"{}"], {}, {"Lambda-Runtime-Trace-Id": None}),
        ("bare.handler", [b"{}"], {}, {}),
        ("bare.handler", [b"{}"], {}, {"Lambda-Runtime-Trace-Id": None}),
        ("app.echo", [b"text\xff"], {}, {"Content-Type": "text/plain"}),
        ("app.leave", [b"0"], {}, {}), ("app.leave", [b"4"], {}, {}), ("app.leave", [b'"why"'], {}, {}), ("app.leave", [b"null"], {}, {}),
        ("app.leave_hard", [b"0"], {}, {}), ("app.interrupt", [b"0"], {}, {}),
        ("pkg/sub/mod.handler", [b"1"], {}, {}), ("pkg.sub.mod.handler", [b"1"], {}, {}),
        ("sys.exit", [b"1"], {}, {}), ("noname", [b"1"], {}, {}), ("nothing.here", [b"1"], {}, {}), ("app.", [b"1"], {}, {}),
        (".handler", [b"1"], {}, {}), ("syntax.handler", [b"1"], {}, {}), ("imports_missing.handler", [b"1"], {}, {}),
        ("imports_name.handler", [b"1"], {}, {}), ("raises.handler", [b"1"], {}, {}), ("raises_below.handler", [b"1"], {}, {}),
        ("leaves.handler", [b"1"], {}, {}),
        ("logs.plain", [b"1", b"2"], {}, {}), ("logs.basic_config", [b"1"], {}, {}), ("late_logging.handler", [b"1"], {}, {}),
        ("logs.plain", [b"1"], JSON_LOGS, {}), ("logs.plain", [b"1"], JSON_LOGS, {"Lambda-Runtime-Aws-Tenant-Id": "t"}),
        ("logs.late", [b"1"], JSON_LOGS, {}), ("nothing.here", [b"1"], JSON_LOGS, {}),
        ("logs.plain", [b"1"], {"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}, {}), ("logs.plain", [b"1"], {"AWS_LAMBDA_LOG_LEVEL": "TRACE"}, {}),
        ("logs.plain", [b"1"], {**JSON_LOGS, "AWS_LAMBDA_LOG_LEVEL": "ERROR"}, {}),
        ("logs.plain", [b"1"], {"AWS_LAMBDA_LOG_LEVEL": "nonsense"}, {}),
        ("app.sets_response", [b"7000000"], {}, {}),
    ]
)


def seen(outcome, runtime):
    """What the platform sees, without what is the runtime's own business."""
    posts = []
    for post in outcome.posts:
        headers = {name: post.headers.get(name) for name in HEADERS}
        if post.path.endswith("init/error"):
            headers.pop("content-type")  # AWS's client gives none here.
        body = post.body
        if post.path.endswith("error"):
            body = error_body(json.loads(body), runtime)
        if headers.get(HEADERS[2]):
            headers[HEADERS[2]] = error_cause(json.loads(headers[HEADERS[2]]), runtime)
        posts.append((post.method, post.path, headers, body))
    return posts, plain(outcome, runtime), outcome.status, outcome.kinds


def error_body(body, runtime):
    """Without frames of the runtime itself, and without the words of the JSON parser: the platform lets no event
    through that is not JSON."""
    frames = [frame for frame in body["stackTrace"] if str(runtime.folder) not in frame]
    body["stackTrace"] = [without_counts(frame) for frame in without_repeats(frames)]
    body["errorMessage"] = without_parser(body["errorMessage"])
    return body


def error_cause(cause, runtime):
    for exception in cause["exceptions"]:
        frames = [frame for frame in exception["stack"] if str(runtime.folder) not in frame["path"]]
        exception["stack"] = without_repeats(frames)
        exception["message"] = without_parser(exception["message"])
    cause["paths"] = sorted(path for path in cause["paths"] if str(runtime.folder) not in path)
    return cause


def without_repeats(frames):
    """How often a recursion repeats before its end depends on how deep it began."""
    return [frame for number, frame in enumerate(frames) if number == 0 or frame != frames[number - 1]]


def without_counts(text):
    return re.sub(r"repeated \d+ more", "repeated more", text)


def without_parser(message):
    return re.sub("(Unable to unmarshal input|Unable to parse [A-Za-z ]+ JSON): .*", r"\1", message)


def plain(outcome, runtime):
    """The output without times, without the advice that AWS's client gives before an init error, and without traces
    of the runtime."""
    lines = []
    for line in without_counts(without_parser(without_times(outcome.output))).split("\n"):
        parts = [part for part in line.split("\r") if str(runtime.folder) not in part and not RUNTIME_CODE.search(part)]
        line = "\r".join(without_repeats(parts))
        ended = outcome.status is not None and line.startswith("  ")  # The interpreter's last words.
        if parts and "LAMBDA_WARNING" not in line and not ended:
            lines.append(re.sub(r"\[\d+\] LAMBDA_RUNTIME", "LAMBDA_RUNTIME", line))
    return "\n".join(lines)


@pytest.mark.parametrize(("handler", "events", "env", "headers"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_the_same_as_awslambdaric(python, python_task, handler, events, env, headers):
    ours, theirs = (seen(run(runtime, python_task, handler, events, env, headers), runtime) for runtime in python)
    assert_same(ours, theirs)


def test_output_is_out_before_the_response(python, python_task):
    outcome = run(python[0], python_task, "app.prints", [b"{}"])
    assert outcome.output == "line\nno endto stderr\nwritten\na\nb\nby context\nünï\nchild\n"


def test_an_error_has_all_four_parts(python, python_task):
    outcome = run(python[0], python_task, "app.fail", [b"{}"])
    body = json.loads(outcome.posts[0].body)
    assert body["errorMessage"] == "first line\nsecond line é"
    assert body["errorType"] == "ValueError"
    assert body["requestId"] == REQUEST_ID[:-1] + "0"
    assert [line.split(",")[2] for line in body["stackTrace"]] == [' in fail\n    raise ValueError("first line\\nsecond line é")\n']


def test_nothing_of_an_invoke_is_held_until_the_next(python, python_task):
    assert run(python[0], python_task, "app.lets_go", [b"{}"]).output == "let go\n"
