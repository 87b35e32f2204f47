"""What a function's log has after an invoke, for people who ask CloudWatch Logs."""

from botocore.exceptions import ClientError

from . import clients
from .server import wait_for

PLATFORM = ("INIT_START", "START", "END", "REPORT")


def by_function(server, name):
    """The messages of a function that has been invoked once, without the platform's, once all are there."""
    logs = clients.make(server, "logs")

    def complete():
        try:
            found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None
        messages = [event["message"] for event in found]
        return messages if any(message.startswith("REPORT") for message in messages) else None

    return [message for message in wait_for(complete) if not message.startswith(PLATFORM)]
