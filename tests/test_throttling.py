"""The control plane's own rates: how many calls a second, and how one too many is refused."""

import collections
import concurrent.futures
import subprocess

import pytest

from support import clients, functions, signing
from support.server import binary

ECHO = "def handler(event, context):\n    return event\n"
# Slow enough that no machine is too slow to be throttled.
SLOW = """
[limits]
get_function_per_second = 10
get_policy_per_second = 2
control_plane_per_second = 5
"""


@pytest.fixture
def slow(own_server):
    server = own_server(SLOW).start()
    yield server
    server.finish()


def many(server, method, path, count, **arguments):
    """`count` calls at once: the answers."""

    def one(_):
        return signing.request(server, method, path, **arguments)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def statuses(answers):
    return collections.Counter(status for status, _, _ in answers)


def test_one_call_too_many_is_told_so(slow):
    answers = many(slow, "GET", "/2015-03-31/functions/", 60)
    assert statuses(answers)[429] > 0
    # A second's worth at least goes through.
    assert statuses(answers)[200] >= 5
    _, headers, body = next(answer for answer in answers if answer[0] == 429)
    assert headers["x-amzn-errortype"] == "TooManyRequestsException"
    assert headers["retry-after"] == "1"
    assert body == b'{"Reason":"CallerRateLimitExceeded","Type":"User","message":"Rate exceeded"}'


def test_get_function_has_a_rate_of_its_own(slow):
    path = "/2015-03-31/functions/absent"
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 60))[429] > 0
    answers = many(slow, "GET", path, 8)
    assert statuses(answers) == {404: 8}
    assert statuses(many(slow, "GET", path, 80))[429] > 0


def test_each_region_has_its_own(slow):
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 60))[429] > 0
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 3, region="eu-north-9")) == {200: 3}


def test_who_cannot_sign_uses_up_nobodys_calls(slow):
    wrong = (slow.credentials()[0], "not-the-secret")
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 60, keys=wrong)) == {403: 60}
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 3)) == {200: 3}


def test_sdks_come_again_and_invokes_are_not_counted(slow):
    patient = clients.make(slow, retries={"mode": "standard", "total_max_attempts": 10})
    functions.create(patient, "f", ECHO)
    for number in range(12):
        patient.tag_resource(
            Resource=patient.get_function_configuration(FunctionName="f")["FunctionArn"],
            Tags={f"k{number}": "v"},
        )
    assert len(patient.get_function(FunctionName="f")["Tags"]) == 12
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 60))[429] > 0
    strict = clients.make(slow)
    for _ in range(20):
        assert strict.invoke(FunctionName="f", Payload=b"1")["Payload"].read() == b"1"


def test_the_commands_come_again(slow):
    assert statuses(many(slow, "GET", "/2015-03-31/functions/", 60))[429] > 0
    done = subprocess.run(
        [binary(), "functions", "--endpoint", slow.url, "--data-dir", str(slow.data)],
        capture_output=True, text=True, timeout=60, env=slow.environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "FUNCTION" in done.stdout
