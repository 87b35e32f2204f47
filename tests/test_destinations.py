"""Outcomes of events reach the destinations a function names, told as Lambda tells them."""

import json
import re

import pytest
from botocore.exceptions import ClientError

from support import clients, functions, records
from support.deploying import Commands
from support.elasticmq import ElasticMq
from support.events import DOES, Told, arn_of, destined, send
from support.mailboxes import Bucket, Bus, Queue, Topic
from support.moto import Moto
from support.server import wait_for

ECHO = """
    def handler(event, context):
        return {"got": event, "text": "ü \\u2028 <&>"}
"""
FAILS = """
    def handler(event, context):
        raise ValueError("no: " + str(event["n"]))
"""
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
})


@pytest.fixture(scope="module")
def client(plane):
    """Lambda, whose events' outcomes go to `peer`."""
    return clients.make(plane)


class Role:
    """A role of IAM, which may do one thing at a time."""

    def __init__(self, iam):
        self.iam = iam
        self.name = functions.unique("role")
        made = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=TRUST)
        self.arn = made["Role"]["Arn"]

    def may(self, action, resource):
        """Allows this, and nothing else."""
        rights = {"Effect": "Allow", "Action": action, "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": rights})
        self.iam.put_role_policy(RoleName=self.name, PolicyName="p", PolicyDocument=document)

    def delete(self):
        """And what it may do."""
        for name in self.iam.list_role_policies(RoleName=self.name)["PolicyNames"]:
            self.iam.delete_role_policy(RoleName=self.name, PolicyName=name)
        self.iam.delete_role(RoleName=self.name)


@pytest.fixture
def role(plane):
    """A role that may do nothing."""
    role = Role(clients.make(plane, "iam"))
    yield role
    role.delete()


def check_success(record, request, arn, event, version="$LATEST"):
    records.check(
        record, request=request, arn=arn, condition="Success", payload=event, version=version,
        response={"got": event, "text": "ü \u2028 <&>"},
    )  # fmt: skip


def check_failure(record, request, arn, event, **more):
    """A record of a function of `FAILS`. Where it failed is not compared."""
    response = record["responsePayload"]
    trace = response["stackTrace"]
    assert trace and all(isinstance(line, str) for line in trace)
    expected = {
        "errorMessage": f"no: {event['n']}", "errorType": "ValueError",
        "requestId": request, "stackTrace": trace,
    }  # fmt: skip
    records.check(
        record, request=request, arn=arn, condition="RetriesExhausted", payload=event,
        error="Unhandled", response=expected, **{"version": "$LATEST", **more},
    )  # fmt: skip


@pytest.mark.parametrize("kind", [Queue, Topic, Bus])
def test_a_success_is_told(client, deploy, peer, kind):
    box = kind(peer.client("sqs")) if kind is Queue else kind(peer)
    name = deploy(ECHO)
    destined(client, name, success=box.arn)
    event = {"n": 1, "text": "ä & + % \" \\ \n", "nothing": None, "float": 1.5}
    request = send(client, name, event)
    check_success(box.record(), request, f"{arn_of(client, name)}:$LATEST", event)


@pytest.mark.parametrize("kind", [Queue, Topic, Bus, Bucket])
def test_a_failure_is_told(client, deploy, peer, kind):
    box = kind(peer.client("sqs")) if kind is Queue else kind(peer)
    name = deploy(FAILS)
    destined(client, name, failure=box.arn)
    request = send(client, name, {"n": 2})
    check_failure(box.record(), request, f"{arn_of(client, name)}:$LATEST", {"n": 2})


def test_an_outcome_goes_to_its_own_side_alone(client, deploy, peer):
    name = deploy("def handler(event, context):\n    return 1 / event\n")
    sqs = peer.client("sqs")
    good, bad = Queue(sqs), Queue(sqs)
    destined(client, name, success=good.arn, failure=bad.arn)
    first, second = send(client, name, 1), send(client, name, 0)
    assert good.record()["requestContext"]["requestId"] == first
    assert bad.record()["requestContext"]["requestId"] == second
    assert good.letters() == bad.letters() == []


@pytest.mark.parametrize(
    "source, event, side, words",
    [(ECHO, {"n": 3}, "success", "Success"), (FAILS, {"n": 3}, "failure", "Failure")],
)
def test_a_bus_gets_an_event_of_lambdas(client, deploy, peer, source, event, side, words):
    bus = Bus(peer)
    name = deploy(source)
    destined(client, name, **{side: bus.arn})
    send(client, name, event)
    arrived = bus.event()
    assert arrived["source"] == "lambda"
    assert arrived["detail-type"] == f"Lambda Function Invocation Result - {words}"
    assert arrived["resources"] == [bus.arn, f"{arn_of(client, name)}:$LATEST"]
    assert arrived["region"] == "us-east-1"


def test_an_object_in_a_bucket_is_named_by_function_and_time(client, deploy, peer):
    bucket = Bucket(peer)
    name = deploy(FAILS)
    destined(client, name, failure=bucket.arn)
    send(client, name, {"n": 4})
    key, record = bucket.object()
    day, seconds = record["timestamp"][:10], record["timestamp"][:19].replace(":", ".")
    prefix = f"aws/lambda/async/{name}/{day.replace('-', '/')}/{seconds}-"
    assert re.fullmatch(re.escape(prefix) + r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key)


def test_another_function_gets_the_record_as_its_event(client, deploy, plane):
    told = Told(plane)
    for source, event, side in ((ECHO, {"n": 5}, "success"), (FAILS, {"n": 6}, "failure")):
        name, next_one = deploy(source), deploy(DOES)
        destined(client, name, **{side: arn_of(client, next_one)})
        request = send(client, name, event)
        (heard,) = wait_for(lambda: told(next_one), 30)
        check = check_success if side == "success" else check_failure
        check(heard["event"], request, f"{arn_of(client, name)}:$LATEST", event)
        # It is an invoke of its own.
        assert heard["request"] != request


def test_what_a_caller_named_is_what_the_record_names(client, deploy, peer):
    """By version and alias each its own settings; the record says what was named and what ran."""
    sqs = peer.client("sqs")
    name = deploy(ECHO)
    arn = arn_of(client, name)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    boxes = {qualifier: Queue(sqs) for qualifier in ("$LATEST", "1", "live")}
    for qualifier, box in boxes.items():
        destined(client, name, success=box.arn, Qualifier=qualifier)
    for qualifier, box in boxes.items():
        event = {"by": qualifier}
        request = send(client, name, event, Qualifier=qualifier)
        version = "$LATEST" if qualifier == "$LATEST" else "1"
        check_success(box.record(), request, f"{arn}:{qualifier}", event, version)
    assert [box.letters() for box in boxes.values()] == [[], [], []]


def test_a_result_of_any_form_is_told(client, deploy, peer):
    """Nothing, and numbers that a reader could lose digits of."""
    queue = Queue(peer.client("sqs"))
    name = deploy("def handler(event, context):\n    return event['answer']\n")
    destined(client, name, success=queue.arn)
    for text in ('{"answer": null}', '{"answer": 12345678901234567890.123456789}', '{"answer": ""}'):
        client.invoke(FunctionName=name, InvocationType="Event", Payload=text.encode())
        body, _ = queue.letter()
        assert f'"requestPayload":{text},' in body
        answer = json.loads(text)["answer"]
        assert json.loads(body)["responsePayload"] == answer


class Known:
    """A peer as somebody sees it who has a key there."""

    def __init__(self, peer, key):
        self.peer = peer
        self.keys = (key["AccessKeyId"], key["SecretAccessKey"])

    def client(self, service):
        return self.peer.client(service, keys=self.keys)


def test_what_is_sent_is_signed(own_server):
    """With the key that the configuration names: this peer verifies the signature of every call."""
    peer = Moto(unsigned=3)
    try:
        iam = peer.client("iam")
        iam.create_user(UserName="teller")
        key = iam.create_access_key(UserName="teller")["AccessKey"]
        allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName="teller", PolicyName="all", PolicyDocument=document)
        # From here on everybody has to sign.
        known = Known(peer, key)
        keys = f'access_key_id = "{known.keys[0]}"\nsecret_access_key = "{known.keys[1]}"\n'
        # Nobody has made the role: it may do what the operator lists.
        rights = '[functions]\nrole_actions = ["sqs:*", "sns:*", "events:*", "s3:*"]\n'
        config = f'{rights}[aws]\nendpoint_url = "{peer.url}"\n[aws.keys]\n{keys}'
        server = own_server(config).start()
        client = clients.make(server)
        name = functions.unique()
        # No spaces: of forms this peer hashes not what came but what it would have written itself.
        functions.create(client, name, "def handler(event, context):\n    return 1 / event\n")
        for event, box in (
            (1, Queue(known.client("sqs"))), (1, Topic(known)), (1, Bus(known)), (0, Bucket(known)),
        ):  # fmt: skip
            destined(client, name, **{"success" if event else "failure": box.arn})
            request = send(client, name, event)
            assert box.record()["requestContext"]["requestId"] == request
        server.finish()
    finally:
        peer.stop()


OTHERS = 'shared_accounts = ["333333333333"]\n[aws.keys]\naccess_key_id = "k"\nsecret_access_key = "s"\n'
SECOND = '[[access_keys]]\nid = "second"\nsecret = "s"\naccount = "111122223333"\n'
QUEUE = "arn:aws:sqs:us-east-1:{}:q"


def test_the_operators_key_is_used_for_what_is_the_functions_accounts(own_server):
    """A function's settings do not make the operator send to another account's queue or bucket."""
    aws = f'[aws]\nendpoint_url = "http://127.0.0.1:9"\n{OTHERS}'
    rights = '[functions]\nrole_actions = ["sqs:*"]\n'
    buckets = '[aws.buckets]\nours = ["000000000000"]\ntheirs = ["111122223333"]\n'
    server = own_server(SECOND + rights + aws + buckets).start()
    client = clients.make(server)
    known = Role(clients.make(server, "iam"))
    known.may(["sqs:*", "s3:*"], "*")
    for role in (functions.ROLE, known.arn):
        name = functions.unique()
        functions.create(client, name, ECHO, Role=role)
        for arn, taken in (
            (QUEUE.format("000000000000"), True),
            (QUEUE.format("333333333333"), True),
            (QUEUE.format("111122223333"), False),
            ("arn:aws:sns:us-east-1:111122223333:t", False),
            ("arn:aws:s3:::ours", role == known.arn),
            ("arn:aws:s3:::theirs", False),
            ("arn:aws:s3:::nobodys", False),
        ):
            try:
                destined(client, name, failure=arn)
            except ClientError as error:
                assert not taken, (role, arn, error)
                message = error.response["Error"]["Message"]
                assert "does not have permissions to call" in message, message
            else:
                assert taken, (role, arn)
        client.delete_function(FunctionName=name)
    server.finish()


def test_another_queue_server_takes_records_and_letters(own_server):
    """ElasticMQ: the same words, another's reading of them. Sizes and attributes arrive whole."""
    peer = ElasticMq()
    try:
        server = own_server(f'[aws.services]\nsqs = "{peer.url}"\n').start()
        client = clients.make(server)
        sqs = peer.client()
        records_of, letters = Queue(sqs), Queue(sqs)
        name = functions.unique()
        functions.create(client, name, FAILS, DeadLetterConfig={"TargetArn": letters.arn})
        destined(client, name, failure=records_of.arn)
        event = {"n": 8, "text": "ü ✓ & + % = \n" * 10_000}
        request = send(client, name, event)
        check_failure(records_of.record(), request, f"{arn_of(client, name)}:$LATEST", event)
        body, attributes = letters.letter()
        assert json.loads(body) == event
        assert attributes == {
            "RequestID": ("String", request),
            "ErrorCode": ("Number", "200"),
            "ErrorMessage": ("String", "no: 8"),
        }
        server.finish()
    finally:
        peer.stop()


def test_a_function_that_the_role_may_not_invoke_is_not_told(client, deploy, plane, role):
    """What a role of IAM may do counts when it is done, too, and not what the server may."""
    target = deploy(DOES)
    name = deploy(ECHO, Role=role.arn)
    role.may("lambda:InvokeFunction", arn_of(client, target))
    destined(client, name, success=arn_of(client, target))
    role.may("lambda:GetFunction", "*")
    metric = "lambent_event_invoke_destination_delivery_failures_total"
    before = plane.metric(metric)
    send(client, name, {"n": 7})
    wait_for(lambda: plane.metric(metric) > before, 30)
    role.may("lambda:InvokeFunction", arn_of(client, target))
    request = send(client, name, {"n": 8})
    told = Told(plane)
    wait_for(lambda: told(target), 30)
    assert [run["event"]["requestContext"]["requestId"] for run in told(target)] == [request]


def refused(call, **arguments):
    """The words of a refusal."""
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    error = refusal.value.response["Error"]
    assert error["Code"] == "InvalidParameterValueException"
    return error["Message"]


ACCOUNT = "us-east-1:000000000000"
WORDS = "The function's execution role does not have permissions to call {} on {}"


@pytest.mark.parametrize(
    "action, arn, resource",
    [
        ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:q", f"arn:aws:sqs:{ACCOUNT}:q"),
        ("sns:Publish", f"arn:aws:sns:{ACCOUNT}:t", "*"),
        ("events:PutEvents", f"arn:aws:events:{ACCOUNT}:event-bus/b", f"arn:aws:events:{ACCOUNT}:*"),
        ("s3:PutObject", "arn:aws:s3:::b", "arn:aws:s3:::b/*"),
    ],
)
def test_a_destination_needs_a_role_that_may_tell_it(client, deploy, role, action, arn, resource):
    name = deploy(ECHO, Role=role.arn)
    words = WORDS.format(action.split(":")[1], arn)
    config = {"FunctionName": name, "DestinationConfig": {"OnFailure": {"Destination": arn}}}
    assert refused(client.put_function_event_invoke_config, **config) == words
    role.may(action, f"{arn}-not")
    assert refused(client.put_function_event_invoke_config, **config) == words
    role.may(action, resource)
    client.put_function_event_invoke_config(**config)
    role.may("s3:ListBucket", "*")
    assert refused(client.update_function_event_invoke_config, **config) == words


def test_a_function_is_told_if_its_own_policy_lets_the_role(client, deploy, role):
    name, target = deploy(ECHO, Role=role.arn), deploy(DOES)
    arn = arn_of(client, target)
    config = {"FunctionName": name, "DestinationConfig": {"OnSuccess": {"Destination": arn}}}
    put = client.put_function_event_invoke_config
    assert refused(put, **config) == WORDS.format("InvokeFunction", arn)
    client.add_permission(
        FunctionName=target, StatementId="s", Action="lambda:InvokeFunction", Principal=role.arn
    )
    put(**config)


@pytest.mark.parametrize("service, action", [("sqs", "SendMessage"), ("sns", "Publish")])
def test_a_dead_letter_target_needs_a_role_that_may_send(client, deploy, role, service, action):
    arn = f"arn:aws:{service}:{ACCOUNT}:letters"
    words = (
        "The provided execution role does not have permissions to call "
        f"{action} on {service.upper()}"
    )
    letters = {"DeadLetterConfig": {"TargetArn": arn}}
    code, handler = functions.source_package("python3.12", ECHO)
    new = {"FunctionName": functions.unique(), "Runtime": "python3.12", "Handler": handler,
           "Role": role.arn, "Code": {"ZipFile": code}, **letters}
    assert refused(client.create_function, **new) == words
    name = deploy(ECHO, Role=role.arn)
    update = client.update_function_configuration
    assert refused(update, FunctionName=name, **letters) == words
    role.may(f"{service}:{action}", arn)
    assert update(FunctionName=name, **letters)["DeadLetterConfig"]["TargetArn"] == arn
    functions.until_updated(client, name)
    # A role that does not exist in IAM is not checked; one that does is checked again.
    update(FunctionName=name, Role=functions.ROLE)
    functions.until_updated(client, name)
    role.may("s3:ListBucket", "*")
    assert refused(update, FunctionName=name, Role=role.arn) == words


def test_a_role_that_lost_its_right_tells_nobody(client, deploy, peer, plane, role):
    """The called service may not check. Once the role has the right again, all that was kept is delivered."""
    queue, letters = Queue(peer.client("sqs")), Queue(peer.client("sqs"))
    mine = ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:queue-*")
    role.may(*mine)
    name = deploy(FAILS, Role=role.arn, DeadLetterConfig={"TargetArn": letters.arn})
    destined(client, name, failure=queue.arn)
    role.may("sqs:SendMessage", f"{queue.arn}-not")
    request = send(client, name, {"n": 1})
    commands = Commands(plane)

    def failed():
        return json.loads(commands("events", name, "--json")[1])["Failed"]

    wait_for(lambda: len(failed()) == 2, 30, every=0.2)
    words = "the function's execution role does not have permissions to call SendMessage on {}"
    assert {event["Last"] for event in failed()} == {words.format(b.arn) for b in (queue, letters)}
    assert queue.letters() == letters.letters() == []
    role.may(*mine)
    assert commands("events", name, "--redrive")[:2] == (0, "2 sent again\n")
    check_failure(queue.record(), request, f"{arn_of(client, name)}:$LATEST", {"n": 1})
    assert letters.letter()[1]["RequestID"] == ("String", request)


def test_a_message_tells_the_chain_it_is_in(client, deploy, peer):
    """Record and dead letter: a poller of the queue passes it on to a function."""
    sqs = peer.client("sqs")
    boxes = Queue(sqs), Queue(sqs)
    name = deploy(FAILS, DeadLetterConfig={"TargetArn": boxes[1].arn})
    destined(client, name, failure=boxes[0].arn)
    send(client, name, {"n": 1})
    for box in boxes:
        (message,) = wait_for(lambda b=box: sqs.receive_message(
            QueueUrl=b.url, AttributeNames=["AWSTraceHeader"]).get("Messages"), 30, every=0.1)  # fmt: skip
        trace = message["Attributes"]["AWSTraceHeader"]
        assert re.fullmatch(r"Root=1-[-0-9a-f]{33};Parent=\w{16};Sampled=0;Lineage=\w{8}:1", trace), trace
