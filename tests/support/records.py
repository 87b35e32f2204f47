"""The record of a finished event, as destinations receive it."""

import datetime
import re

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# A clock may be set while a test runs; nobody takes longer than this.
RECENT = datetime.timedelta(minutes=10)


def check(record, *, request, arn, condition, payload, invokes=1, version=None, error=None,
          response=None, status=None):  # fmt: skip
    """Compares every member. Without a `version` the function did not run; `status` says why, if it
    was tried."""
    rest = dict(record)
    timestamp = rest.pop("timestamp")
    assert TIMESTAMP.fullmatch(timestamp), timestamp
    now = datetime.datetime.now(datetime.UTC)
    assert abs(now - datetime.datetime.fromisoformat(timestamp)) < RECENT
    expected = {
        "version": "1.0",
        "requestContext": {
            "requestId": request,
            "functionArn": arn,
            "condition": condition,
            "approximateInvokeCount": invokes,
        },
        "requestPayload": payload,
    }
    if version:
        context = {"statusCode": 200, "executedVersion": version}
        expected["responseContext"] = {**context, **({"functionError": error} if error else {})}
        expected["responsePayload"] = response
    elif status:
        expected["responseContext"] = {"statusCode": status}
    assert rest == expected
    # A reader without a parser finds the parts where they always are.
    order = ["version", "timestamp", *list(expected)[1:]]
    assert list(record) == order
