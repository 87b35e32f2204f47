"""Events for people: sending one, looking at queues and at what failed, sending it again."""

import json
import uuid

import pytest
from conftest import OTHER_ACCOUNT

from support import clients, functions, signing
from support.server import wait_for

ACCOUNT = "000000000000"
FAILS = """
    def handler(event, context):
        raise ValueError(f"no {event}")
"""
ENDS = "def handler(event, context):\n    return event\n"


def arn(name):
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


@pytest.fixture
def events(lambent):
    """What `lambent events --json` says of a function."""

    def read(name):
        status, out, err = lambent("events", name, "--json")
        assert status == 0, err
        return json.loads(out)

    return read


@pytest.fixture
def failed(client, deploy, events):
    """A function with one event that finally failed."""
    name = deploy(FAILS)
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b"7")
    wait_for(lambda: events(name)["Failed"])
    return name


@pytest.fixture
def user(server):
    """Makes a user with one statement; gives what the command takes the key from."""
    iam = clients.make(server, "iam")
    made = []

    def make(**statement):
        name = functions.unique("user")
        iam.create_user(UserName=name)
        made.append(name)
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}  # fmt: skip

    yield make
    for name in made:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="p")
        iam.delete_user(UserName=name)


def test_an_event_is_sent_and_waits_for_its_second_try(lambent, deploy, events):
    name = deploy(FAILS)
    status, out, err = lambent("invoke", name, "--event", "--payload", "[1]")
    assert (status, err) == (0, "")
    request = out.strip()
    assert str(uuid.UUID(request)) == request
    pending = wait_for(lambda: [e for e in events(name)["Pending"] if e["Invokes"]])
    (event,) = pending
    assert event["RequestId"] == request and event["FunctionArn"] == arn(name)
    assert event["Invokes"] == 1 and event["Last"] == "no [1]" and not event["Delivering"]
    status, out, err = lambent("events", name)
    head, line = out.splitlines()
    assert (status, err) == (0, "") and head.split() == ["STATE", "ACCEPTED", "INVOKES", "REQUEST", "LAST"]
    assert line.split()[:4] == ["pending", event["Accepted"], "1", request] and "no [1]" in line
    # It is somewhere: in one of the queues, hidden until its second try.
    status, out, _ = lambent("queues", "--json")
    assert status == 0
    assert sum(queue["Hidden"] for queue in json.loads(out)["Queues"]) >= 1
    status, out, _ = lambent("queues")
    head, *lines = out.splitlines()
    assert status == 0 and head.split() == ["QUEUE", "WAITING", "HIDDEN", "OLDEST"]
    assert any(line.startswith("events/shared/") for line in lines)


def test_what_failed_is_shown_and_sent_again(lambent, client, failed, events):
    (event,) = events(failed)["Failed"]
    assert event["Invokes"] == 1 and event["Last"] == "no 7"
    assert events(failed)["Pending"] == []
    status, out, _ = lambent("events", failed)
    assert status == 0 and out.splitlines()[1].startswith("failed ")
    # Sent again as it is, it fails again, under its old request.
    assert lambent("events", failed, "--redrive")[:2] == (0, "1 sent again\n")
    wait_for(lambda: [e for e in events(failed)["Failed"] if e["Accepted"] > event["Accepted"]])
    (again,) = events(failed)["Failed"]
    assert again["RequestId"] == event["RequestId"]
    code, _ = functions.source_package("python3.12", ENDS)
    client.update_function_code(FunctionName=failed, ZipFile=code)
    functions.until_updated(client, failed)
    status, out, _ = lambent("events", failed, "--redrive", "--json")
    assert (status, json.loads(out)) == (0, {"Redriven": 1})
    nothing = {"Pending": [], "Failed": [], "Incomplete": False}
    wait_for(lambda: events(failed) == nothing)
    assert lambent("events", failed, "--redrive")[:2] == (0, "0 sent again\n")


def test_events_are_shown_in_the_order_in_which_they_came(client, deploy, events):
    """Though they are in two queues."""
    name = deploy(FAILS)
    for n in range(20):
        client.invoke(FunctionName=name, InvocationType="Event", Payload=b"%d" % n)
    # Each has run, and waits.
    wait_for(lambda: sum(event["Invokes"] for event in events(name)["Pending"]) == 20, 30)
    accepted = [event["Accepted"] for event in events(name)["Pending"]]
    assert len(accepted) == 20 and accepted == sorted(accepted)


def test_failed_events_outlive_their_function(client, failed, events):
    client.delete_function(FunctionName=failed)
    assert len(events(failed)["Failed"]) == 1


def test_mistakes_are_told(lambent, deploy):
    name = functions.unique()
    for more in ((), ("--redrive",)):
        status, out, err = lambent("events", name, *more)
        assert (status, out) == (1, "")
        assert f"ResourceNotFoundException: Function not found: {arn(name)}" in err
    status, _, err = lambent("events", f"{name}:live")
    assert status == 1 and "leave out its version or alias" in err
    status, _, err = lambent("events", "a b")
    assert status == 1 and "ValidationException" in err
    status, out, err = lambent("invoke", name, "--event")
    assert (status, out) == (1, "") and "ResourceNotFoundException" in err
    assert lambent("invoke", name, "--event", "--tail")[0] == 2


def test_policies_say_who_may_look_and_who_may_send_again(lambent, failed, user):
    looks = user(Action="lambent:ListEvents", Resource=arn(failed))
    assert lambent("events", failed, **looks)[0] == 0
    for arguments in (("events", failed, "--redrive"), ("queues",), ("events", failed + "x")):
        status, out, err = lambent(*arguments, **looks)
        assert (status, out) == (1, "") and "AccessDeniedException" in err
    sends = user(Action="lambent:RedriveEvents", Resource=arn("*"))
    assert lambent("events", failed, **sends)[0] == 1
    assert lambent("events", failed, "--redrive", **sends)[:2] == (0, "1 sent again\n")
    counts = user(Action="lambent:ListEventQueues", Resource="*")
    assert "events/shared/" in lambent("queues", **counts)[1]


def test_another_account_sees_its_own_alone(lambent, server, failed):
    other = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), OTHER_ACCOUNT))
    for more in ((), ("--redrive",)):
        status, out, err = lambent("events", arn(failed), *more, **other)
        assert (status, out) == (1, "") and "AccessDeniedException" in err
    status, _, err = lambent("events", failed, **other)
    assert status == 1 and "111122223333" in err
    ours = [q["Queue"] for q in json.loads(lambent("queues", "--json")[1])["Queues"]]
    assert f"events/failed/{ACCOUNT}/us-east-1/{failed}" in ours
    status, out, _ = lambent("queues", "--json", **other)
    theirs = [queue["Queue"] for queue in json.loads(out)["Queues"]]
    assert status == 0 and all("/111122223333/us-east-1/" in name for name in theirs)


def test_requests_by_hand_are_held_to_the_rules(server):
    queues, events = "/lambent/event-queues", "/lambent/events/f"
    assert signing.send(server, "GET", queues, {})[0] == 403
    assert signing.request(server, "GET", queues, service="sqs")[0] == 403
    wrong = (server.credentials()[0], "wrong")
    assert signing.request(server, "GET", queues, keys=wrong)[0] == 403
    for method, path in (("POST", queues), ("DELETE", events), ("POST", events),
                         ("GET", events + "/redrive"), ("GET", "/lambent/events/%ff")):  # fmt: skip
        status, _, body = signing.request(server, method, path)
        assert status == 404, body
    for size in (1, 100_000):
        status, _, body = signing.request(server, "POST", events + "/redrive", b"x" * size)
        assert status == 400 and b"a body has no meaning here" in body
    status, _, body = signing.request(server, "GET", "/lambent/events/")
    assert status == 400 and b"functionName" in body
