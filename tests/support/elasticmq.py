"""ElasticMQ: a server of SQS's protocol that somebody else wrote, on a free port."""

import os
import re
import subprocess

import boto3

from .server import REPOSITORY
from .started import started

READY_WITHIN = 60
BOUND = re.compile(rb"bind address 127\.0\.0\.1:(\d+),")
# How it is set up: no port of its own choice, no statistics, the account and region of the tests.
SETTINGS = {
    "rest-sqs.bind-hostname": "127.0.0.1",
    "rest-sqs.bind-port": "0",
    "rest-stats.enabled": "false",
    "generate-node-address": "true",
    "aws.region": "us-east-1",
    "aws.accountId": "000000000000",
}


class ElasticMq:
    """A running server."""

    def __init__(self):
        jars = subprocess.run(
            [REPOSITORY / "tools/elasticmq"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
        settings = [f"-D{name}={value}" for name, value in SETTINGS.items()]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "java", "-Xmx128m", "-XX:TieredStopAtLevel=1",
             *settings, "-cp", f"{jars}/*", "org.elasticmq.server.Main"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
        )  # fmt: skip
        output = self.process.stdout
        found, self._reader = started(self.process, output, BOUND, READY_WITHIN, "ElasticMQ")
        self.url = f"http://127.0.0.1:{int(found[1])}"

    def client(self):
        """boto3's client of it."""
        return boto3.client(
            "sqs", endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
