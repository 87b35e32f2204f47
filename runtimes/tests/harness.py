"""Runs one function under one runtime and tells what came of it."""

import os
import re
import subprocess
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from runtime_api import Event, RuntimeApi

DEADLINE_S = 30
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


@dataclass
class Outcome:
    posts: list
    """What the runtime posted, in order."""
    output: str
    """What it wrote to standard output and standard error; a framed record as a line, with CR for line breaks in it."""
    status: object
    """The exit status; None if it waits for further events."""
    kinds: list
    """Of the framed records, in order: the kind, and whether the message ends with a line break."""


FRAME = re.compile(rb"\xa5\x5a\x00[\x00-\xff](?P<length>[\x00-\xff]{4})[\x00-\xff]{8}")


def unframed(output):
    """(text, kinds)"""
    text, kinds, at = b"", [], 0
    while frame := FRAME.search(output, at):
        end = frame.end() + int.from_bytes(frame["length"], "big")
        message = output[frame.end() : end]
        text += output[at : frame.start()] + message.removesuffix(b"\n").replace(b"\n", b"\r") + b"\n"
        if b"LAMBDA_WARNING" not in message:  # The advice that AWS's client gives before an init error.
            kinds.append((frame[0][3], message.endswith(b"\n")))
        at = end
    return (text + output[at:]).decode(), kinds


@dataclass
class Runtime:
    """A runtime as it was built into `folder`."""

    folder: Path
    version: str
    interpreter: Path = None
    """In place of what runtime.toml would choose."""
    config: dict = field(init=False)

    def __post_init__(self):
        with open(self.folder / "runtime.toml", "rb") as file:
            self.config = tomllib.load(file)

    def command(self, task, handler, memory_mb=128):
        """The command and the environment that runtime.toml asks for, with its folders where they are here."""
        values = {"version": self.version, "handler": handler, "memory_mb": str(memory_mb)}
        for name in ("heap", "semi"):
            percent = self.config.get(name + "_percent", 100)
            values[name + "_mb"] = str(max(1, memory_mb * percent // 100))

        def fill(text):
            for name, value in values.items():
                text = text.replace("{%s}" % name, value)
            return text.replace("/var/runtime", str(self.folder)).replace("/var/task", str(task))

        candidates = [fill(path) for path in self.config["interpreters"]]
        values["interpreter"] = str(self.interpreter or next(path for path in candidates if os.path.exists(path)))
        environment = {name: fill(value) for name, value in self.config["environment"].items()}
        command = [fill(part) for part in self.config["command"]]
        arguments = [one["argument"] for one in self.config.get("arguments", []) if self.version in one["versions"]]
        return command[:1] + arguments + command[1:], environment


def start(runtime, api, task, handler, env=None, **popen):
    command, environment = runtime.command(task, handler)
    environment |= {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": handler,
        "LAMBDA_TASK_ROOT": str(task),
        "LAMBDA_RUNTIME_DIR": str(runtime.folder),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
    environment |= env or {}
    return subprocess.Popen(command, env=environment, cwd=task, **popen)


def run(runtime, task, handler, events, env=None, headers=None, manner="plain"):
    """Hands out the events (bytes) one after the other and waits until all are answered, or the process ends."""
    api = RuntimeApi(manner)
    process = start(runtime, api, task, handler, env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        for number, body in enumerate(events):
            api.send(Event(body, "%s%d" % (REQUEST_ID[:-1], number), default_headers() | (headers or {})))
        done = api.wait(lambda: api.waiting > len(events), DEADLINE_S, lambda: process.poll() is None)
        status = process.poll()
        if done:
            # AWS's client for Node.js 24 asks for the next event before it has sent the end of a failed stream.
            api.wait(lambda: len(api.requests) >= len(events), 1)
        assert done or status is not None, "the runtime neither asked for more nor ended"
    finally:
        process.kill()
        output, kinds = unframed(process.communicate()[0])
        api.close()
    return Outcome(list(api.requests), output, status, kinds)


def default_headers():
    return {
        "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60000),
        "Lambda-Runtime-Invoked-Function-Arn": ARN,
        "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
    }


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def without_times(text):
    return TIME.sub("<time>", text)


def assert_same(ours, theirs):
    """Part by part, so that a failure shows what differs and no more."""
    for number, (mine, other) in enumerate(zip(ours[0], theirs[0])):
        assert mine == other, "post %d\nours   %s\ntheirs %s" % (number, mine, other)
    assert len(ours[0]) == len(theirs[0]), "posts\nours   %s\ntheirs %s" % (ours[0], theirs[0])
    for mine, other in zip(ours[1].split("\n"), theirs[1].split("\n")):
        assert mine == other, "output\nours   %r\ntheirs %r" % (mine, other)
    assert ours[1:] == theirs[1:], "the end\nours   %r\ntheirs %r" % (ours[1:], theirs[1:])
