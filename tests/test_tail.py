"""Whether the caller asks for the log or not, the answer is the same: payload and error."""

import base64

import pytest

from test_custom import BOOTSTRAP

RESPONSE = "request, headers, event = next()\ncall('POST', f'invocation/{request}/response', '\"answered\"')\n"
ERROR = (
    "request, headers, event = next()\n"
    "call('POST', f'invocation/{request}/error', '{\"errorType\":\"Mine\",\"errorMessage\":\"told\"}',\n"
    "     {'Lambda-Runtime-Function-Error-Type': 'Mine'})\n"
)
STREAM = (
    "request, headers, event = next()\n"
    "call('POST', f'invocation/{request}/response', iter([b'one', b'two']),\n"
    "     {'Lambda-Runtime-Function-Response-Mode': 'streaming'})\n"
)
MINE = b'{"errorType":"Mine","errorMessage":"told"}'
REJECTION = "export const handler = () => { Promise.reject(new Error('nobody')); return new Promise(() => {}); };"
UNCAUGHT = "export const handler = () => { setTimeout(() => { throw new Error('late'); }); return new Promise(() => {}); };"


@pytest.mark.parametrize(
    "loop, expected",
    [
        (RESPONSE + "os._exit(3)", (None, b'"answered"')),
        (RESPONSE + "os.kill(os.getpid(), 9)", (None, b'"answered"')),
        (RESPONSE + "time.sleep(30)", (None, b'"answered"')),
        (ERROR + "sys.exit(0)", ("Unhandled", MINE)),
        (ERROR + "time.sleep(30)", ("Unhandled", MINE)),
        (STREAM + "os._exit(3)", (None, b"onetwo")),
        (STREAM + "time.sleep(30)", (None, b"onetwo")),
    ],
)
def test_what_the_runtime_has_answered_is_the_answer(deploy, client, invoke, loop, expected):
    # A caller that stays waits for the end of it; one that leaves has time for another start.
    timeout = 2 if "sleep" in loop else 20
    settings = {"runtime": "provided.al2023", "Timeout": timeout}
    name = deploy({"bootstrap": BOOTSTRAP % loop}, prefix="tail", **settings)
    plain = invoke(name, {})
    told = invoke(name, {}, LogType="Tail")
    assert (plain.error, plain.body) == expected
    assert (told.error, told.body) == expected
    assert f"END RequestId: {told.request_id}" in base64.b64decode(told.raw["LogResult"]).decode()


@pytest.mark.parametrize(
    "source, error_type", [(REJECTION, "Runtime.UnhandledPromiseRejection"), (UNCAUGHT, "Error")]
)
def test_an_error_nobody_caught_in_nodejs_is_told(deploy, invoke, source, error_type):
    name = deploy(source, prefix="tail", runtime="nodejs20.x", Timeout=5)
    for arguments in {}, {"LogType": "Tail"}:
        answer = invoke(name, {}, **arguments)
        assert (answer.error, answer.json["errorType"]) == ("Unhandled", error_type), arguments
