"""Logs in JSON: what runtimes and the platform write then, and from which level on."""

import json

import pytest

from support import clients, functions
from support.server import wait_for

PYTHON = """
    import json, logging
    logger = logging.getLogger()
    def handler(event, context):
        print('plain')
        logger.debug('details')
        logger.info('news')
        logger.error('trouble', extra={'code': 7})
        print(json.dumps({'timestamp': '2026-01-01T00:00:00Z', 'level': 'DEBUG', 'message': 'own'}))
        if event.get('fail'):
            raise ValueError('as told')
"""
NODE = """
    export const handler = async (event) => {
        console.debug('details');
        console.info('news');
        console.error('trouble');
    };
"""


@pytest.fixture(scope="module")
def logs(server):
    return clients.make(server, "logs")


def lines(logs, name, until):
    """The messages of a function's log once `until` is in one of them."""
    group = f"/aws/lambda/{name}"

    def read():
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return None
        found = [event["message"] for event in events]
        return found if any(until in line for line in found) else None

    return wait_for(read)


def read(found):
    """Those that are JSON."""
    return [json.loads(line) for line in found if line.startswith("{")]


def test_python_and_the_platform_write_json(logs, deploy, invoke):
    name = deploy(PYTHON, LoggingConfig={"LogFormat": "JSON"})
    request_id = invoke(name, {}).request_id
    found = lines(logs, name, "platform.report")
    assert "plain\n" in found and not any("START" in line for line in found)
    events = {line["type"]: line["record"] for line in read(found) if "type" in line}
    assert set(events) == {"platform.initStart", "platform.start", "platform.report"}
    assert events["platform.initStart"]["initializationType"] == "on-demand"
    assert events["platform.start"]["requestId"] == request_id
    assert events["platform.start"]["version"] == "$LATEST"
    report = events["platform.report"]
    assert report["status"] == "success" and report["metrics"]["memorySizeMB"] == 128
    assert report["metrics"]["billedDurationMs"] >= report["metrics"]["durationMs"]
    said = [line for line in read(found) if "level" in line]
    assert [(line["level"], line["message"]) for line in said] == [("INFO", "news"), ("ERROR", "trouble")]
    assert said[1]["code"] == 7 and said[1]["requestId"] == request_id and said[1]["timestamp"]


def test_levels_choose_what_is_kept(logs, deploy, invoke):
    name = deploy(
        PYTHON,
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "DEBUG"},
    )
    invoke(name, {})
    found = read(lines(logs, name, "platform.report"))
    said = [line["message"] for line in found if "level" in line]
    assert said == ["details", "news", "trouble", "own"]
    kinds = [line["type"] for line in found if "type" in line]
    assert kinds == [
        "platform.initStart", "platform.initRuntimeDone", "platform.initReport",
        "platform.start", "platform.runtimeDone", "platform.report",
    ]  # fmt: skip
    quiet = deploy(
        PYTHON,
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN"},
    )
    assert invoke(quiet, {"fail": True}).error
    found = read(lines(logs, quiet, "platform.report"))
    assert [line["message"] for line in found if line.get("level") and "message" in line] == ["trouble"]
    report = next(line["record"] for line in found if line.get("type") == "platform.report")
    assert report["status"] == "error" and report["errorType"] == "ValueError"


def test_node_filters_by_its_level(logs, deploy, invoke):
    name = deploy(NODE, runtime="nodejs22.x", LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    request_id = invoke(name, {}).request_id
    said = [line for line in read(lines(logs, name, "platform.report")) if "level" in line]
    assert [(line["level"], line["message"]) for line in said] == [("ERROR", "trouble")]
    assert said[0]["requestId"] == request_id


def test_a_report_in_text_names_the_errors_own_type(logs, deploy, invoke):
    name = deploy("def handler(event, context):\n    raise KeyError('x')\n")
    invoke(name, {})
    report = next(line for line in lines(logs, name, "REPORT") if line.startswith("REPORT"))
    assert report.endswith("\tStatus: error\tError Type: KeyError\n")


def test_logs_go_to_the_group_that_the_function_names(logs, deploy, invoke):
    group = functions.unique("/mine")
    name = deploy("def handler(event, context):\n    print('here')\n", LoggingConfig={"LogGroup": group})
    invoke(name, {})
    found = wait_for(lambda: _messages(logs, group))
    assert any(line.startswith("INIT_START") for line in found)


def _messages(logs, group):
    try:
        return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
