"""Full disks, damaged, older and lost databases: a start says what is wrong and ends, a server that runs
answers 503, acknowledges nothing false, and goes on by itself."""

import contextlib
import shutil
import signal
import socket
import sqlite3
import subprocess

import pytest

from support import clients, functions
from support.clients import status
from support.server import wait_for

ECHO = "def handler(event, context):\n    return event\n"


def test_a_full_disk_refuses_what_is_new_and_a_start_on_it_says_why(on_disk):
    server = on_disk(64).start()
    client = clients.make(server, strict=False)
    functions.create(client, "echo", ECHO)
    functions.create(client, "old", ECHO)
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200

    # Room is left, but no more than the system's reserve.
    server.fill(leave=3 * 1024)
    event = {"FunctionName": "echo", "InvocationType": "Event", "Payload": b"1"}
    wait_for(lambda: status(client.invoke, **event) == 429)
    wait_for(lambda: status(client.create_alias, FunctionName="echo", Name="live",
                            FunctionVersion="$LATEST") == 503)  # fmt: skip
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    assert status(client.delete_function, FunctionName="old") == 204
    server.room()
    wait_for(lambda: status(client.invoke, **event) == 202)

    # Not even that is left.
    server.fill()
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    assert status(client.update_function_configuration, FunctionName="echo",
                  Description="x" * 256) in (200, 503)  # fmt: skip
    assert server.terminate()[0] == 0, server.log_tail()
    server.fill()
    told = server.failed_start()
    assert "cannot be" in told and ("full" in told or "No space" in told), told

    server.room()
    server.start()
    client = clients.make(server, strict=False)
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    server.end()


def test_a_start_with_a_damaged_older_or_emptied_database_ends_and_says_why(on_disk, tmp_path):
    server = on_disk(64).start()
    client = clients.make(server, strict=False)
    for number in range(3):
        functions.create(client, f"f{number}", ECHO)
    assert server.terminate()[0] == 0
    file = server.disk / "metadata.db"
    log = server.disk / "metadata.db-wal"
    assert not log.exists() or log.stat().st_size == 0, "all of it is in the file itself"
    latest = file.read_bytes()

    copy = tmp_path / "copy.db"
    copy.write_bytes(latest)
    with contextlib.closing(sqlite3.connect(copy)) as database:
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'rows'")
        page = page.fetchone()[0]
    with open(file, "r+b") as damaged:
        damaged.seek((page - 1) * 4096)
        damaged.write(b"\xa5" * 64)
    told = server.failed_start()
    assert "metadata.db is damaged" in told, told

    file.write_bytes(b"")
    told = server.failed_start()
    assert "--accept-older-data" in told and "gone or empty" in told, told

    file.write_bytes(latest)
    server.start()
    client = clients.make(server, strict=False)
    assert len(client.list_functions()["Functions"]) == 3

    assert status(client.invoke, FunctionName="f0", Payload=b"1") == 200

    # While it runs: what goes into a file that nobody will find is not acknowledged.
    file.rename(server.disk / "away")
    assert status(client.create_alias, FunctionName="f0", Name="live", FunctionVersion="$LATEST") == 503
    assert status(client.invoke, FunctionName="f0", Payload=b"1") == 200
    (server.disk / "away").rename(file)
    assert status(client.create_alias, FunctionName="f0", Name="live", FunctionVersion="$LATEST") == 201
    server.terminate()

    # Only an older copy is refused; the operator can accept it.
    file.write_bytes(latest)
    told = server.failed_start()
    assert "older than the one that was used last" in told, told
    command = server.command
    server.command = lambda: [*command(), "--accept-older-data"]
    server.start()
    client = clients.make(server, strict=False)
    assert len(client.list_functions()["Functions"]) == 3
    assert client.list_aliases(FunctionName="f0")["Aliases"] == []
    server.end()


def test_a_start_that_waits_lets_nobody_in_and_ends_when_it_is_told_to(own_server):
    server = own_server().start()
    assert server.terminate()[0] == 0
    port = int(server.url.rsplit(":", 1)[1])
    held = sqlite3.connect(server.data / "metadata.db", isolation_level=None)
    held.execute("BEGIN EXCLUSIVE")
    command = [part if part != "127.0.0.1:0" else f"127.0.0.1:{port}" for part in server.command()]
    with open(server.log, "ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            env=server.environment(), cwd=server.root,
        )  # fmt: skip
    try:
        # It has the folder, and waits for the database.
        wait_for(lambda: is_bound(port))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert process.stdout.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        held.close()
    server.start()
    server.finish()


def test_events_that_wait_and_packages_that_are_uploaded_have_a_bound(own_server):
    limits = "[limits]\nupload_bytes = 4000\ncontrol_plane_per_second = 1000\n"
    server = own_server(f"[events]\nfunction_stored_max = 5\n{limits}").start()
    client = clients.make(server)
    sleeper = "import time\ndef handler(event, context):\n    time.sleep(event)\n"
    functions.create(client, "sleeper", sleeper, Timeout=20)
    functions.create(client, "echo", ECHO)
    client.put_function_concurrency(FunctionName="sleeper", ReservedConcurrentExecutions=1)
    event = {"InvocationType": "Event", "Payload": b"2"}
    found = [status(client.invoke, FunctionName="sleeper", **event) for _ in range(8)]
    assert found == [202] * 5 + [429] * 3
    assert status(client.invoke, FunctionName="echo", **event) == 202
    client.delete_function(FunctionName="sleeper")
    found = []
    for number in range(40):
        code, _ = functions.source_package("python3.12", f"{ECHO}# {number}\n")
        found.append(status(client.update_function_code, FunctionName="echo", ZipFile=code))
        functions.until_updated(client, "echo")
    # Each is stored again, and none goes for an hour.
    assert found[0] == 200 and found[-1] == 429, found
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    server.finish()


def is_bound(port):
    """Whether somebody has the port, listening or not."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def test_a_backup_of_the_folder_is_taken_as_it_is(own_server, tmp_path):
    server = own_server().start()
    functions.create(clients.make(server, strict=False), "before", ECHO)
    assert server.terminate()[0] == 0
    shutil.copytree(server.data, tmp_path / "backup")
    server.start()
    functions.create(clients.make(server, strict=False), "after", ECHO)
    assert server.terminate()[0] == 0
    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "backup", server.data)
    server.start()
    names = [f["FunctionName"] for f in clients.make(server, strict=False).list_functions()["Functions"]]
    assert names == ["before"]
    server.finish()
