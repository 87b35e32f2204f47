"""Other AWS services, as moto plays them: a real server on a free port."""

import os
import re
import subprocess
import sys

import boto3

from .started import started

READY_WITHIN = 60
# Whose everything is there: the account that our servers have by default.
ACCOUNT = "000000000000"
RUNNING = re.compile(rb"Running on (http://[\d.]+:\d+)")


class Moto:
    """A server. With `unsigned`, that many calls are accepted without a check and every later one must
    be signed by a user who may make it. With `port`, it is there."""

    def __init__(self, unsigned=None, port=0):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment["MOTO_ACCOUNT_ID"] = ACCOUNT
        if unsigned is not None:
            environment["INITIAL_NO_AUTH_ACTION_COUNT"] = str(unsigned)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",
             sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=environment,
        )  # fmt: skip
        output = self.process.stderr
        found, self._reader = started(self.process, output, RUNNING, READY_WITHIN, "moto")
        self.url = found[1].decode()

    def client(self, service, region="us-east-1", keys=("test", "test")):
        """boto3's client of a service there."""
        return boto3.client(
            service, endpoint_url=self.url, region_name=region,
            aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
        )  # fmt: skip

    def stop(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()
