"""Sending events, saying where their outcomes go, and what functions did with them."""

import json

from . import clients

# Prints what it was given, and does what the event says.
DOES = """
    import json, time
    def handler(event, context):
        version = context.function_version
        print("RAN " + json.dumps({"event": event, "request": context.aws_request_id, "version": version}))
        time.sleep(event.get("sleep", 0))
        if event.get("fail"):
            raise ValueError("told to")
        return {"version": version, "event": event}
"""
ONCE = {"MaximumRetryAttempts": 0}


def destined(client, name, success=None, failure=None, **settings):
    """Says where the outcomes of a function's events go; failures are not tried again unless said."""
    sides = {"OnSuccess": success, "OnFailure": failure}
    config = {side: {"Destination": arn} for side, arn in sides.items() if arn}
    return client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig=config, **{**ONCE, **settings}
    )


def send(client, name, event, **arguments):
    """Sends an event and gives its request id."""
    answer = client.invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode(), **arguments
    )
    assert answer["StatusCode"] == 202
    return answer["ResponseMetadata"]["RequestId"]


def arn_of(client, name):
    """The function's ARN."""
    return client.get_function_configuration(FunctionName=name)["FunctionArn"]


class Told:
    """Reads what functions of `DOES` printed on a server."""

    def __init__(self, server):
        self.logs = clients.make(server, "logs")

    def __call__(self, name, request=None):
        """The runs of a function, of one request if named: what was printed, and `at`, ms."""
        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{name}", filterPattern='"RAN "'
            )
            events = [event for page in pages for event in page["events"]]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        runs = [
            {**json.loads(event["message"].split("RAN ", 1)[1]), "at": event["timestamp"]}
            for event in events
        ]
        return [run for run in runs if request in (None, run["request"])]
