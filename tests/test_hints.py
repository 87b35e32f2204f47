"""Hints at the cause of a failure, in the function's own log: only Lambent knows how it was set up."""

import base64

import pytest

REACHING = """
    import urllib.request
    def handler(event, context):
        urllib.request.urlopen(event, timeout=2)
"""
NODE = """
    export const handler = async (event) => {
        const { default: found } = await import(event);
        return typeof found;
    };
"""


def log_of(answer):
    return base64.b64decode(answer.raw["LogResult"]).decode()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://198.51.100.1/", "http://example.com/"])
def test_a_function_that_wants_a_network_is_told_of_the_setting(deploy, invoke, url):
    name = deploy(REACHING)
    answer = invoke(name, url, LogType="Tail")
    assert answer.error
    log = log_of(answer)
    assert log.index("[sandbox] network") < log.index("END RequestId") and log.count("Lambent:") == 1
    # Once for each environment: it is known by then.
    again = log_of(invoke(name, url, LogType="Tail"))
    assert "Lambent:" not in again


def test_a_missing_sdk_is_told_of(deploy, invoke):
    name = deploy(NODE, runtime="nodejs20.x")
    log = log_of(invoke(name, "aws-sdk", LogType="Tail"))
    assert "neither here nor on AWS" in log
    other = deploy(NODE, runtime="nodejs20.x")
    assert "Lambent:" not in log_of(invoke(other, "left-pad", LogType="Tail"))
