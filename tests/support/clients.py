"""boto3 clients that forgive nothing: no retries, and every answer is checked against the model."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from . import shapes

REGION = "us-east-1"


def make(server, service="lambda", region=REGION, keys=None, token=None, strict=True, verify=None, **config):
    """A client of `server`, signed with its root key unless told otherwise. `verify` is a file with certificates that it
    believes."""
    key, secret = keys or server.credentials()
    session = boto3.session.Session(
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token
    )
    settings = {
        "retries": {"total_max_attempts": 1},
        "max_pool_connections": 128,
        "connect_timeout": 5,
        "read_timeout": 60,
        "user_agent_appid": "lambent-tests",
        **config,
    }
    client = session.client(
        service, region_name=region, endpoint_url=server.url, verify=verify, config=Config(**settings)
    )
    if strict and service == "lambda":
        client.meta.events.register("after-call.lambda", shapes.check_answer)
    if strict and service == "logs":
        client.meta.events.register("after-call.cloudwatch-logs", shapes.check_json_answer)
    if strict and service in ("iam", "sts"):
        client.meta.events.register(f"after-call.{service}", shapes.check_xml_answer)
    return client


def status(call, **arguments):
    """The status of an answer, whatever it is."""
    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as refused:
        return refused.response["ResponseMetadata"]["HTTPStatusCode"]
