"""Disks that fail, hang or are filled by somebody's package, while a server runs on them: what needs
them is refused, everything else continues, and the server stops when it is told to."""

import pathlib
import threading

from conftest import CONFIG, OTHER_ACCOUNT
from support import clients, functions
from support.clients import status
from support.server import wait_for

ROLE = "arn:aws:iam::111122223333:role/tester"
ECHO = "def handler(event, context):\n    return event\n"
# Environments, background work, what the roles hold, and the closing of stores: 20 s, 2 s, 5 s,
# 20 s; and what a busy machine takes.
ENDS_WITHIN = 20 + 2 + 5 + 20 + 30


def test_a_package_that_fills_the_disk_is_tried_three_times_and_others_go_on(on_disk):
    server = on_disk(96, CONFIG).start()
    client = clients.make(server, strict=False)
    other = clients.make(server, keys=OTHER_ACCOUNT, strict=False)
    functions.create(client, "grows", ECHO)
    functions.create(other, "echo", ECHO, Role=ROLE)
    assert status(client.invoke, FunctionName="grows", Payload=b"1") == 200
    before = server.free()

    too_large = functions.package({"index.py": ECHO, "zeros": bytes(120 << 20)})
    client.update_function_code(FunctionName="grows", ZipFile=too_large)
    functions.create(client, "large", too_large, wait=False)
    answers = set()

    def failed():
        answers.add(status(other.invoke, FunctionName="echo", Payload=b"1"))
        answers.add(status(other.invoke, FunctionName="echo", Payload=b"1", InvocationType="Event"))
        states = [client.get_function_configuration(FunctionName=name) for name in ("large", "grows")]
        return states if (states[0]["State"], states[1]["LastUpdateStatus"]) == ("Failed",) * 2 else None

    # Tried at once, and twice more with a quarter of a minute in between.
    large, grows = wait_for(failed, within=120, every=0.05)
    assert answers == {200, 202}
    reason = "An internal error occurred. Please try again later."
    assert (large["StateReasonCode"], large["StateReason"]) == ("InternalError", reason)
    assert grows["LastUpdateStatusReason"] == reason
    told = [entry["message"] for entry in server.entries() if entry.get("function") == "large"]
    assert sum(message.startswith("a function cannot be settled yet") for message in told) == 2, told
    assert sum("cannot be unpacked" in message for message in told) == 1, told
    # Nothing of it is left but the package itself, of some hundred kilobytes; the others have written a little.
    assert not [path for path in (server.disk / "images").rglob("*") if path.name.startswith(("new-", "zeros"))]
    assert server.free() > before - (24 << 20)

    functions.create(other, "new", ECHO, Role=ROLE)
    assert status(client.invoke, FunctionName="grows", Payload=b"1") == 200
    code, _ = functions.source_package("python3.12", f"{ECHO}# smaller\n")
    client.update_function_code(FunctionName="large", ZipFile=code)
    functions.until_active(client, "large")
    server.end()


def test_a_disk_that_can_no_longer_be_written_refuses_what_needs_it_and_nothing_else(on_disk):
    server = on_disk(96, kind="ext4").start()
    client = clients.make(server, strict=False)
    functions.create(client, "echo", ECHO)
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    alias = {"FunctionName": "echo", "Name": "live", "FunctionVersion": "$LATEST"}
    server.fail()
    for _ in range(2):
        assert status(client.create_alias, **alias) == 503
        assert status(client.invoke, FunctionName="echo", Payload=b"1", InvocationType="Event") == 503
        assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
        assert status(client.get_function, FunctionName="echo") == 200
    ended = server.process
    ended.terminate()
    # It says what it could not do.
    ended.wait(ENDS_WITHIN)
    ended.stdout.close()
    told = server.failed_start()
    assert "cannot be" in told and "Read-only" in told, told

    server.mended()
    server.start()
    client = clients.make(server, strict=False)
    assert client.list_aliases(FunctionName="echo")["Aliases"] == []
    assert status(client.create_alias, **alias) == 201
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    server.end()


def test_a_disk_that_stands_still_holds_up_what_needs_it_and_nothing_else(on_disk):
    server = on_disk(96, kind="ext4").start()
    client = clients.make(server, strict=False)
    functions.create(client, "echo", ECHO)
    assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
    server.still()
    found = {}

    def ask(name, call, **arguments):
        found[name] = status(call, FunctionName="echo", **arguments)

    asked = [
        threading.Thread(target=ask, args=("alias", client.create_alias),
                         kwargs={"Name": "live", "FunctionVersion": "$LATEST"}),
        threading.Thread(target=ask, args=("event", client.invoke),
                         kwargs={"Payload": b"1", "InvocationType": "Event"}),
    ]  # fmt: skip
    for thread in asked:
        thread.start()
    runs = 0
    while any(thread.is_alive() for thread in asked):
        assert status(client.invoke, FunctionName="echo", Payload=b"1") == 200
        runs += 1
    assert found == {"alias": 503, "event": 503} and runs > 10

    server.go_on()
    wait_for(lambda: status(client.create_alias, FunctionName="echo", Name="new",
                            FunctionVersion="$LATEST") == 201)  # fmt: skip
    wait_for(lambda: status(client.invoke, FunctionName="echo", Payload=b"1", InvocationType="Event") == 202)

    server.still()
    told_to_end = server.process
    told_to_end.terminate()
    # Threads that the kernel holds up keep their process from being gone, not from having ended.
    wait_for(lambda: has_ended(told_to_end), within=ENDS_WITHIN)
    server.go_on()
    told_to_end.wait(10)
    told_to_end.stdout.close()
    server.start()
    client = clients.make(server, strict=False)
    names = [alias["Name"] for alias in client.list_aliases(FunctionName="echo")["Aliases"]]
    assert "new" in names
    server.end()


def has_ended(process):
    """Whether the process has ended, be it that some of its threads are held up."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return "State:\tZ" in status
