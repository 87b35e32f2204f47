"""Templates for `lambent deploy`, and what it tells."""

import os
import pathlib
import signal
import subprocess
import textwrap

from .killing import Passage
from .server import binary


class Commands:
    """Runs the commands of a server's operator; remembers the stacks that were deployed."""

    def __init__(self, server):
        self.server, self.stacks = server, set()

    def environment(self):
        return {"PATH": os.environ["PATH"]}

    def line(self, command, *arguments, url=None):
        """The command line."""
        line = [binary(), command, *map(str, arguments), "--data-dir", str(self.server.data)]
        return [*line, "--endpoint", url or self.server.url]

    def __call__(self, command, *arguments, stdin="", client=True, **variables):
        """Exit status, standard output, standard error; `client=False` names no server."""
        if command == "deploy":
            self.stacks.add(arguments[arguments.index("--stack-name") + 1])
        line = self.line(command, *arguments) if client else [binary(), command, *arguments]
        done = subprocess.run(
            line, env={**self.environment(), **variables}, capture_output=True, text=True,
            timeout=60, input=stdin, cwd=self.server.root,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def deploy(self, path, stack, *more):
        return self("deploy", path, "--stack-name", stack, "--yes", *more)

    def killed(self, path, stack, when):
        """A deploy that is killed when the server has done the request that `when(method, path)`
        picks, before it hears of it."""
        self.stacks.add(stack)
        process = None
        with Passage(self.server, when, lambda: process.kill()) as passage:
            line = self.line("deploy", path, "--stack-name", stack, "--yes", url=passage.url)
            process = subprocess.Popen(
                line, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            out, err = process.communicate(timeout=60)
        assert passage.killed and process.returncode == -signal.SIGKILL, out + err

    def delete_all(self):
        for stack in self.stacks:
            self("delete", stack, "--yes")


def outputs(text):
    """What a deploy told at its end."""
    pairs = (line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    return {name.strip(): value for name, value in pairs}


def template(folder, text):
    """A template of this text in a folder."""
    path = pathlib.Path(folder) / "template.yaml"
    path.write_text(textwrap.dedent(text))
    return path
