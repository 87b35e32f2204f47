"""The AWS command line, unmodified, in its two versions."""

import json
import os
import pathlib
import subprocess
import sys

# Version 1 comes with the tests, version 2 from the system.
PROGRAMS = {1: str(pathlib.Path(sys.executable).parent / "aws"), 2: "/usr/bin/aws"}


def environment(server, home):
    """What it is run with: keys, no settings of anybody's, no second try."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_SHARED_CREDENTIALS_FILE": str(server.data / "credentials"),
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }


class Cli:
    """`aws SERVICE …` in a folder, against a server."""

    def __init__(self, server, folder, version=1, keys=None):
        self.folder = folder
        self._command = [PROGRAMS[version], "--endpoint-url", server.url]
        self._environment = environment(server, folder)
        if keys:
            names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            self._environment.update(zip(names, keys))

    def text(self, *arguments, service="lambda", code=0):
        """What it printed: its errors if it is to fail with that code."""
        done = subprocess.run(
            [*self._command, service, *map(str, arguments)],
            env=self._environment, cwd=self.folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr or done.stdout
        return done.stderr if code else done.stdout

    def __call__(self, *arguments, service="lambda", code=0):
        """The same, read where it is JSON; None where it said nothing."""
        text = self.text(*arguments, service=service, code=code)
        if code:
            return text
        return json.loads(text) if text.strip() else None
