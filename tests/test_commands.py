"""lambent's own commands for people."""

import json
import os
import subprocess
import time

from support import functions
from support.server import binary, wait_for


def test_help_is_complete(lambent):
    status, text, _ = lambent("--help", client=False)
    assert status == 0
    for command in ("up", "invoke", "functions", "env", "queues", "events", "logs"):
        assert f"\n  {command} " in text
        status, words, _ = lambent(command, "--help", client=False)
        assert status == 0 and "Usage:" in words
    _, words, _ = lambent("up", "--help", client=False)
    for option in ("--listen", "--data-dir", "--config", "127.0.0.1:9100", "./lambent-data"):
        assert option in words
    assert lambent("--version", client=False)[1].startswith("lambent ")
    assert lambent("fly", client=False)[0] != 0


def test_invoke_prints_the_result(lambent, deploy):
    name = deploy("def handler(event, context):\n    print('for the log')\n    return event\n")
    status, out, _ = lambent("invoke", name, "--payload", '{"a": 1}')
    assert (status, json.loads(out)) == (0, {"a": 1})
    status, out, _ = lambent("invoke", name, "--payload", "-", stdin="[2]")
    assert (status, json.loads(out)) == (0, [2])
    status, out, err = lambent("invoke", name, "--tail")
    assert json.loads(out) == {}
    assert "for the log" in err and "REPORT RequestId" in err


def test_invoke_tells_failures_by_its_exit_status(lambent, deploy):
    name = deploy("def handler(event, context):\n    raise ValueError('no')\n")
    status, out, _ = lambent("invoke", name)
    assert status == 1 and json.loads(out)["errorType"] == "ValueError"
    status, out, err = lambent("invoke", functions.unique())
    assert status != 0 and out == "" and "ResourceNotFoundException" in err


def test_functions_are_listed(lambent, deploy):
    name = deploy("def handler(event, context):\n    pass\n", MemorySize=192)
    status, out, _ = lambent("functions")
    line = next(line for line in out.splitlines() if line.startswith(name))
    assert status == 0 and "python3.12" in line and "192 MB" in line


def test_env_points_clients_here(lambent, server, tmp_path):
    status, out, _ = lambent("env")
    assert status == 0
    shown = subprocess.run(
        ["sh", "-c", f"{out}\nenv"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    ).stdout.splitlines()
    assert f"AWS_ENDPOINT_URL={server.url}" in shown
    assert f"AWS_SHARED_CREDENTIALS_FILE={server.data}/credentials" in shown
    assert "AWS_REGION=us-east-1" in shown


def test_logs_are_shown_and_followed(lambent, server, deploy, invoke):
    name = deploy("def handler(event, context):\n    print('said', event['word'])\n")
    invoke(name, {"word": "first"})
    wait_for(lambda: "REPORT RequestId" in lambent("logs", name)[1])
    status, out, _ = lambent("logs", name)
    assert status == 0
    lines = [line.split(" ", 1)[1] for line in out.splitlines() if " " in line]
    kinds = [line.split()[0] for line in lines]
    assert kinds[:2] == ["INIT_START", "START"] and kinds[-2:] == ["END", "REPORT"]
    follower = subprocess.Popen(
        [binary(), "logs", name, "--follow", "--data-dir", str(server.data), "--endpoint", server.url],
        stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    try:
        invoke(name, {"word": "second"})
        deadline = time.monotonic() + 10
        for line in follower.stdout:
            if "said second" in line:
                break
            assert time.monotonic() < deadline
        else:
            raise AssertionError("the follower ended")
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()
    status, _, err = lambent("logs", functions.unique())
    assert status != 0 and "no log" in err


def remote(server, home, **variables):
    """What a command finds that knows a server by its address and a key alone."""
    key, secret = server.credentials()
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_ENDPOINT_URL": server.url, **keys, **variables}


def test_every_reading_command_needs_an_address_and_a_key_and_nothing_else(server, deploy, invoke, tmp_path):
    name = deploy("def handler(event, context):\n    print('far away')\n")
    invoke(name, {})

    def run(*arguments, environment):
        done = subprocess.run([binary(), *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True,
                              timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    keys = remote(server, tmp_path)
    wait_for(lambda: "far away" in run("logs", name, environment=keys))
    assert name in run("functions", environment=keys)
    for command in (("queues",), ("events", name), ("stacks",), ("invoke", name)):
        run(*command, environment=keys)
    shown = run("env", environment=keys)
    assert f"AWS_ENDPOINT_URL='{server.url}'" in shown and "SECRET" not in shown and "CREDENTIALS" not in shown

    # The same by a profile, which has the address, too.
    folder = tmp_path / ".aws"
    folder.mkdir()
    key, secret = server.credentials()
    (folder / "credentials").write_text(f"[far]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    (folder / "config").write_text(f"[profile far]\nendpoint_url = {server.url}\nregion = us-east-1\n")
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    assert "far away" in run("logs", name, "--profile", "far", environment=bare)
    assert "AWS_PROFILE='far'" in run("env", environment={**bare, "AWS_PROFILE": "far"})


def test_a_closed_pipe_ends_quietly_and_a_full_disk_is_told(server, deploy, invoke, lambent):
    name = deploy("def handler(event, context):\n    print('x' * 100)\n    return 'y' * 200_000\n")
    invoke(name, {})
    wait_for(lambda: "REPORT RequestId" in lambent("logs", name)[1])
    for command in (("functions",), ("invoke", name), ("logs", name), ("logs", name, "--follow"), ("env",)):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(lambent.line(*command), stdout=writing, stderr=subprocess.PIPE, timeout=30,
                              env=lambent.environment())  # fmt: skip
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b""), command
    with open("/dev/full", "wb") as full:
        done = subprocess.run(lambent.line("functions"), stdout=full, stderr=subprocess.PIPE, timeout=30,
                              env=lambent.environment())  # fmt: skip
    assert done.returncode == 1 and b"standard output cannot be written" in done.stderr


def test_a_command_without_a_server_says_so(lambent, tmp_path):
    status, _, err = lambent("functions", "--data-dir", str(tmp_path), client=False)
    assert status != 0 and "credentials cannot be read" in err
