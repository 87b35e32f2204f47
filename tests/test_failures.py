"""Functions that fail, each in its own way, and the errors that their callers get."""

import base64
import json
import re

import pytest

from support.functions import unique, create, delete

PYTHON = """
    import os, sys, signal, time
    def handler(event, context):
        return globals()[event['how']](event)
    def fine(event):
        return os.getpid()
    def raised(event):
        raise ValueError('no good')
    def unserialisable(event):
        return {1, 2}
    def sys_exit(event):
        sys.exit(3)
    def os_exit(event):
        os._exit(event.get('status', 1))
    def crash(event):
        os.kill(os.getpid(), getattr(signal, event['signal']))
        time.sleep(5)
    def sleeps(event):
        print('going to sleep')
        time.sleep(30)
    def eats(event):
        kept = []
        while True:
            kept.append(b'x' * 10_000_000)
    def large(event):
        return 'x' * event['bytes']
    def writes(event):
        with open('/tmp/kept', 'a') as file:
            file.write('x')
        return os.path.getsize('/tmp/kept')
"""


@pytest.fixture
def failing(deploy_once, invoke):
    """Calls one of the functions above."""

    def call(how, **arguments):
        name = deploy_once(PYTHON, Timeout=arguments.pop("timeout", 3), MemorySize=128)
        return invoke(name, {"how": how, **arguments.pop("event", {})}, **arguments)

    return call


def log_of(answer):
    return base64.b64decode(answer.raw["LogResult"]).decode()


def test_what_is_raised_is_told(failing):
    answer = failing("raised", LogType="Tail")
    assert (answer.status, answer.error) == (200, "Unhandled")
    told = answer.json
    assert told["errorMessage"] == "no good"
    assert told["errorType"] == "ValueError"
    assert told["requestId"] == answer.request_id
    assert "raise ValueError('no good')" in "".join(told["stackTrace"])
    assert "[ERROR] ValueError: no good" in log_of(answer)
    assert failing("fine").error is None


def test_a_result_that_is_no_json(failing):
    answer = failing("unserialisable")
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "Runtime.MarshalError"


@pytest.mark.parametrize(
    "how, event, message",
    [
        ("os_exit", {}, "Runtime exited with error: exit status 1"),
        ("os_exit", {"status": 7}, "Runtime exited with error: exit status 7"),
        ("os_exit", {"status": 0}, "Runtime exited without providing a reason"),
        ("crash", {"signal": "SIGKILL"}, "Runtime exited with error: signal: killed"),
        ("crash", {"signal": "SIGSEGV"}, "Runtime exited with error: signal: segmentation fault"),
        ("crash", {"signal": "SIGABRT"}, "Runtime exited with error: signal: aborted"),
    ],
)
def test_a_runtime_that_ends(failing, how, event, message):
    answer = failing(how, event=event, LogType="Tail")
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.json == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {answer.request_id} Error: {message}",
    }
    assert "Status: error\tError Type: Runtime.ExitError" in log_of(answer)
    assert failing("fine").error is None, "the next invoke finds a living runtime"


def test_sys_exit(failing):
    answer = failing("sys_exit")
    assert answer.error == "Unhandled"
    assert answer.json["errorType"] == "Runtime.ExitError"
    assert answer.json["errorMessage"].startswith(f"RequestId: {answer.request_id} ")
    assert failing("fine").error is None


def test_a_function_that_takes_too_long(failing):
    answer = failing("sleeps", LogType="Tail")
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.json["errorType"] == "Sandbox.Timedout"
    text = f"RequestId: {answer.request_id} Error: Task timed out after 3.00 seconds"
    assert answer.json["errorMessage"] == text
    log = log_of(answer)
    assert "going to sleep" in log
    assert re.search(r"Duration: 3000\.00 ms\tBilled Duration: \d+ ms\t", log)
    assert "Status: timeout" in log
    assert failing("fine").error is None


def test_memory_is_as_much_as_was_asked_for(failing):
    answer = failing("eats", timeout=30, LogType="Tail")
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.json["errorType"] == "Runtime.OutOfMemory"
    assert "signal: killed" in answer.json["errorMessage"]
    assert "Memory Size: 128 MB\tMax Memory Used: 12" in log_of(answer)
    assert failing("fine").error is None


def test_a_result_has_six_megabytes_at_most(failing):
    most = 6 * 1024 * 1024 + 100 - 2
    assert len(failing("large", event={"bytes": most}).json) == most
    answer = failing("large", event={"bytes": most + 1})
    assert (answer.status, answer.error) == (200, "Unhandled")
    assert answer.json["errorType"] == "Function.ResponseSizeTooLarge"
    assert "6291556" in answer.json["errorMessage"]
    assert failing("fine").error is None


def test_what_is_in_tmp_outlives_a_crash(deploy, invoke):
    """The environment is emptied of processes and used again, unless another is quicker."""
    for _ in range(5):
        name = deploy(PYTHON, Timeout=5)
        assert invoke(name, {"how": "writes"}).json == 1
        assert invoke(name, {"how": "os_exit"}).error
        if invoke(name, {"how": "writes"}).json == 2:
            return
    raise AssertionError("never the same environment")


@pytest.mark.parametrize(
    "source, handler, error_type, words",
    [
        ("import nothing_of_the_kind\n", "index.handler", "Runtime.ImportModuleError",
         "Unable to import module 'index': No module named 'nothing_of_the_kind'"),
        ("def handler(event, context:\n", "index.handler", "Runtime.UserCodeSyntaxError",
         "Syntax error in module 'index'"),
        ("x = 1\n", "index.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'index'"),
        ("x = 1\n", "absent.handler", "Runtime.ImportModuleError", "Unable to import module 'absent'"),
        ("x = 1\n", "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot'"),
        ("raise KeyError('at import')\n", "index.handler", "KeyError", "at import"),
        ("import os\nos._exit(4)\n", "index.handler", "Runtime.ExitError", "exit status 4"),
    ],
)
def test_init_that_fails(client, invoke, source, handler, error_type, words):
    name = unique("init")
    create(client, name, {"index.py": source}, Handler=handler)
    for _ in range(2):
        answer = invoke(name, LogType="Tail")
        assert (answer.status, answer.error) == (200, "Unhandled")
        assert answer.json["errorType"] == error_type, answer.json
        assert words in answer.json["errorMessage"], answer.json
    assert "REPORT RequestId" in log_of(answer)
    delete(client, name)


def test_a_failed_function_is_no_failed_service(client, failing):
    """Twenty crashes in a row change nothing for the twenty-first."""
    for _ in range(20):
        assert failing("os_exit").error == "Unhandled"
    assert failing("fine").error is None


def test_an_error_says_nothing_of_the_host(failing):
    text = json.dumps(failing("raised").json)
    assert "/var/task/index.py" in text
    assert "lambent-test" not in text and "/images/" not in text
