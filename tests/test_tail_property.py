"""For any behaviour of runtime and extensions, payload and error are the same whether the log is asked for or not.

`LAMBENT_TAIL_BEHAVIOURS` says how many behaviours are generated, `LAMBENT_TAIL_SEED` which.
"""

import concurrent.futures
import json
import os
import re

import pytest

from support import behaviours, clients, functions

COUNT = int(os.environ.get("LAMBENT_TAIL_BEHAVIOURS", "40"))
SEED = int(os.environ.get("LAMBENT_TAIL_SEED", "1"))
AT_ONCE = 4
TRIES = 4
TIMED_OUT = b"Sandbox.Timedout"
# An id of a request and a time differ from one invoke to the next.
ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z")


@pytest.fixture(scope="module")
def behaving(server):
    """A function of each runtime, quick to time out and not."""
    client = clients.make(server, read_timeout=60)
    content = {"ZipFile": functions.package({"extensions/behaving": behaviours.EXTENSION})}
    layer = client.publish_layer_version(LayerName=functions.unique("behaving"), Content=content)
    made = {}
    for runtime, (package, name) in behaviours.FUNCTIONS.items():
        for timeout in 3, 30:
            made[runtime, timeout] = functions.unique(f"tail-{runtime}")
            functions.create(
                client, made[runtime, timeout], package, name, Timeout=timeout, MemorySize=256,
                Layers=[layer["LayerVersionArn"]],
            )
    yield client, made
    for name in made.values():
        functions.delete(client, name)
    client.delete_layer_version(LayerName=layer["LayerArn"], VersionNumber=layer["Version"])


def outcome(client, name, payload, streamed, log):
    """Error and payload, and of a stream what its end says, without what differs by nature."""
    asked = {"LogType": "Tail"} if log else {}
    if streamed:
        answer = client.invoke_with_response_stream(FunctionName=name, Payload=payload, **asked)
        body, error = b"", None
        for event in answer["EventStream"]:
            body += event.get("PayloadChunk", {}).get("Payload", b"")
            end = event.get("InvokeComplete", {})
            error = error or (end.get("ErrorCode"), end.get("ErrorDetails"))
        error = repr(error).encode()
    else:
        answer = client.invoke(FunctionName=name, Payload=payload, **asked)
        body, error = answer["Payload"].read(), repr(answer.get("FunctionError")).encode()
    return tuple(TIME.sub(b"TIME", ID.sub(b"ID", part)) for part in (error, body))


def test_asking_for_the_log_changes_no_answer(behaving):
    client, made = behaving
    # Which of the two was late, each time one was: with the log or without.
    late = []

    def differs(behaviour):
        runtime, event, streamed = behaviour
        name = made[runtime, 3 if behaviours.is_slow(event) else 30]
        payload = json.dumps(event).encode()
        for _ in range(TRIES):
            plain, told = (outcome(client, name, payload, streamed, log) for log in (False, True))
            # On a busy machine one of the two may be late with its answer, and is tried again.
            if plain == told or (TIMED_OUT in plain[1]) == (TIMED_OUT in told[1]):
                break
            late.append(TIMED_OUT in told[1])
        return None if plain == told else (behaviour, [part[:300] for part in plain + told])

    generated = behaviours.generate(COUNT, SEED)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = [difference for difference in pool.map(differs, generated) if difference]
    print(f"{COUNT} behaviours, seed {SEED}: one of two was late {len(late)} times, with the log {sum(late)}")
    # More would be no accident.
    assert len(late) <= 3 + COUNT // 50, late
    assert not found, f"{len(found)} of {COUNT}:\n" + "\n".join(map(repr, found[:5]))
