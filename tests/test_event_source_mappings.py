"""Event source mappings: the resource. What is tried with real sources is tried elsewhere."""

import concurrent.futures
import datetime
import json

import pytest
from botocore.exceptions import ClientError

from support import functions

SOURCE = "def handler(event, context):\n    return 1\n"
PARAMETER = "InvalidParameterValueException"


@pytest.fixture
def mapped(client):
    """Creates mappings and deletes them after the test."""
    made = []

    def make(client=client, **arguments):
        answer = client.create_event_source_mapping(**arguments)
        made.append((client, answer["UUID"]))
        return answer

    yield make
    for client_, uuid in made:
        try:
            client_.delete_event_source_mapping(UUID=uuid)
        except client_.exceptions.ResourceNotFoundException:
            pass


def arn(service, resource, region="us-east-1"):
    return f"arn:aws:{service}:{region}:000000000000:{resource}"


def refused(code, words, call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    error = refusal.value.response["Error"]
    assert (error["Code"], words in error["Message"]) == (code, True), error
    return error["Message"]


def without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_queue_and_a_function(client, deploy, mapped):
    name = deploy(SOURCE)
    queue = arn("sqs", name)
    made = mapped(FunctionName=name, EventSourceArn=queue, BatchSize=5)
    uuid = made["UUID"]
    function = arn("lambda", f"function:{name}")
    modified = made.pop("LastModified")
    assert abs((datetime.datetime.now(datetime.timezone.utc) - modified).total_seconds()) < 60
    assert without_metadata(made) == {
        "UUID": uuid,
        "EventSourceMappingArn": arn("lambda", f"event-source-mapping:{uuid}"),
        "EventSourceArn": queue,
        "FunctionArn": function,
        "BatchSize": 5,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    changed = client.update_event_source_mapping(
        UUID=uuid, Enabled=False, BatchSize=20, MaximumBatchingWindowInSeconds=3,
        ScalingConfig={"MaximumConcurrency": 4}, FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": '{"body":{"a":["x"]}}'}]},
    )  # fmt: skip
    assert changed["State"] == "Disabling"
    found = client.get_event_source_mapping(UUID=uuid)
    assert found["State"] == "Disabled"
    assert (found["BatchSize"], found["MaximumBatchingWindowInSeconds"]) == (20, 3)
    assert found["ScalingConfig"] == {"MaximumConcurrency": 4}
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert found["FilterCriteria"] == {"Filters": [{"Pattern": '{"body":{"a":["x"]}}'}]}
    changed = client.update_event_source_mapping(
        UUID=uuid, Enabled=True, FilterCriteria={}, ScalingConfig={}
    )
    assert changed["State"] == "Enabling"
    assert not {"FilterCriteria", "ScalingConfig"} & set(changed)
    assert client.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    for call in (client.get_event_source_mapping, client.delete_event_source_mapping):
        refused("ResourceNotFoundException", "The resource you requested does not exist.", call, UUID=uuid)


def test_a_stream_and_an_alias(client, deploy, mapped):
    name = deploy(SOURCE)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    stream = arn("kinesis", f"stream/{name}")
    made = mapped(
        FunctionName=f"{name}:live", EventSourceArn=stream, StartingPosition="TRIM_HORIZON",
        DestinationConfig={"OnFailure": {"Destination": arn("sqs", "dead")}},
        MaximumRetryAttempts=3, Enabled=False,
    )  # fmt: skip
    expected = {
        "FunctionArn": arn("lambda", f"function:{name}:live"),
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "TumblingWindowInSeconds": 0,
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": 3,
        "MaximumRecordAgeInSeconds": -1,
        "StartingPosition": "TRIM_HORIZON",
        "LastProcessingResult": "No records processed",
        "StateTransitionReason": "User action",
        "DestinationConfig": {"OnFailure": {"Destination": arn("sqs", "dead")}},
        "State": "Creating",
    }
    assert {key: made.get(key) for key in expected} == expected
    uuid = made["UUID"]
    assert client.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    changed = client.update_event_source_mapping(UUID=uuid, FunctionName=name, MaximumRetryAttempts=-1)
    assert changed["FunctionArn"] == arn("lambda", f"function:{name}")
    assert (changed["MaximumRetryAttempts"], changed["State"]) == (-1, "Updating")
    at = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
    made = mapped(
        FunctionName=name, EventSourceArn=f"{stream}-2", StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=at,
    )  # fmt: skip
    assert made["StartingPositionTimestamp"] == at


def test_kafka_and_brokers(client, deploy, mapped):
    name = deploy(SOURCE)
    cluster = arn("kafka", "cluster/c/0123")
    made = mapped(
        FunctionName=name, EventSourceArn=cluster, Topics=["t1"], StartingPosition="LATEST",
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "mine"},
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 5},
        MaximumRetryAttempts=2,
    )  # fmt: skip
    assert (made["Topics"], made["MaximumRetryAttempts"]) == (["t1"], 2)
    assert made["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "mine"}
    refused(
        PARAMETER, "ConsumerGroupId", client.update_event_source_mapping, UUID=made["UUID"],
        AmazonManagedKafkaEventSourceConfig={"ConsumerGroupId": "other"},
    )  # fmt: skip
    # Another topic of the same cluster is another source.
    mapped(FunctionName=name, EventSourceArn=cluster, Topics=["t2"], StartingPosition="LATEST")
    own = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a:9092", "b:9092"]}}
    access = [{"Type": "BASIC_AUTH", "URI": arn("secretsmanager", "secret:s")}]
    made = mapped(
        FunctionName=name, SelfManagedEventSource=own, Topics=["topic"], StartingPosition="TRIM_HORIZON",
        SourceAccessConfigurations=access,
    )  # fmt: skip
    assert (made["SelfManagedEventSource"], made["SourceAccessConfigurations"]) == (own, access)
    assert made["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": made["UUID"]}
    made = mapped(
        FunctionName=name, EventSourceArn=arn("mq", "broker:b:1"), Queues=["q"],
        SourceAccessConfigurations=access,
    )  # fmt: skip
    assert made["Queues"] == ["q"]
    assert "MaximumBatchingWindowInSeconds" not in made
    made = mapped(
        FunctionName=name, EventSourceArn=arn("rds", "cluster:c"), StartingPosition="LATEST",
        DocumentDBEventSourceConfig={"DatabaseName": "db"}, SourceAccessConfigurations=access,
    )  # fmt: skip
    assert made["DocumentDBEventSourceConfig"] == {"DatabaseName": "db", "FullDocument": "Default"}


def test_a_source_and_a_function_have_one_mapping(client, deploy, mapped):
    name, other = deploy(SOURCE), deploy(SOURCE)
    queue, stream = arn("sqs", name), arn("kinesis", f"stream/{name}")
    conflict = "ResourceConflictException"
    first = mapped(FunctionName=name, EventSourceArn=queue)
    words = (
        f'An event source mapping with SQS arn (" {queue} ") and function (" {name} ") already exists. '
        f"Please update or delete the existing mapping with UUID {first['UUID']}"
    )
    assert refused(conflict, words, mapped, FunctionName=name, EventSourceArn=queue) == words
    second = mapped(FunctionName=other, EventSourceArn=queue)
    refused(
        conflict, first["UUID"], client.update_event_source_mapping, UUID=second["UUID"], FunctionName=name
    )
    streamed = {"FunctionName": name, "EventSourceArn": stream, "StartingPosition": "LATEST"}
    mapped(**streamed)
    refused(conflict, f'The event source arn (" {stream} ") and function (" {name} ") provided', mapped, **streamed)
    # What is deleted or moved away makes room.
    client.delete_event_source_mapping(UUID=first["UUID"])
    client.update_event_source_mapping(UUID=second["UUID"], FunctionName=name)
    third = mapped(FunctionName=other, EventSourceArn=queue)
    refused(conflict, third["UUID"], mapped, FunctionName=other, EventSourceArn=queue)


def test_of_many_at_once_one_is_made(client, deploy, mapped):
    name = deploy(SOURCE)

    def attempt(_):
        try:
            return mapped(FunctionName=name, EventSourceArn=arn("sqs", name))["UUID"]
        except client.exceptions.ResourceConflictException:
            return None

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        made = [uuid for uuid in pool.map(attempt, range(32)) if uuid]
    listed = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    assert [mapping["UUID"] for mapping in listed] == made
    assert len(made) == 1


def test_mappings_are_listed_by_source_and_function(regional, mapped):
    region = regional.meta.region_name
    names = [functions.unique() for _ in range(2)]
    for name in names:
        functions.create(regional, name, SOURCE, wait=False)
    queues = [arn("sqs", f"q{number}", region) for number in range(3)]
    for queue in queues:
        for name in names:
            mapped(regional, FunctionName=name, EventSourceArn=queue)
    paginator = regional.get_paginator("list_event_source_mappings")

    def listed(**which):
        pages = paginator.paginate(PaginationConfig={"PageSize": 2}, **which)
        return [mapping for page in pages for mapping in page["EventSourceMappings"]]

    everything = listed()
    assert len({mapping["UUID"] for mapping in everything}) == len(everything) == 6
    assert {mapping["State"] for mapping in everything} == {"Enabled"}
    by_source = listed(EventSourceArn=queues[0])
    assert {mapping["EventSourceArn"] for mapping in by_source} == {queues[0]}
    assert len(by_source) == 2
    by_function = listed(FunctionName=names[1])
    assert len(by_function) == 3
    assert len(listed(FunctionName=names[1], EventSourceArn=queues[2])) == 1
    assert listed(EventSourceArn=arn("sqs", "none", region)) == []
    for name in names:
        functions.delete(regional, name)


def test_mappings_are_of_one_account_and_region(client, deploy, mapped, server):
    from support import clients

    made = mapped(FunctionName=deploy(SOURCE), EventSourceArn=arn("sqs", functions.unique()))
    west = clients.make(server, region="us-west-2")
    from conftest import OTHER_ACCOUNT

    stranger = clients.make(server, keys=OTHER_ACCOUNT)
    for other in (west, stranger):
        refused(
            "ResourceNotFoundException", "does not exist", other.get_event_source_mapping, UUID=made["UUID"]
        )


def test_each_source_has_rules(client, loose, deploy, mapped):
    name = deploy(SOURCE)
    queue, fifo = arn("sqs", name), arn("sqs", f"{name}.fifo")
    stream, table = arn("kinesis", f"stream/{name}"), arn("dynamodb", f"table/{name}/stream/2024")

    def create(words, source=None, code=PARAMETER, **arguments):
        if source:
            arguments["EventSourceArn"] = source
        refused(code, words, loose.create_event_source_mapping, **{"FunctionName": name, **arguments})

    create("Unrecognized event source.")
    create("Unsupported source arn arn:aws:sns", arn("sns", "t"))
    create("Function does not exist", queue, FunctionName=f"{name}-not")
    create("Function not found", queue, code="ResourceNotFoundException", FunctionName=f"{name}:9")
    create("not in this region", arn("sqs", "q", "us-west-2"))
    create("Value null at 'startingPosition'", stream)
    create("StartingPosition is not valid for SQS event sources.", queue, StartingPosition="LATEST")
    create("Unsupported starting position for arn type", table, StartingPosition="AT_TIMESTAMP",
           StartingPositionTimestamp=1)  # fmt: skip
    create("'startingPositionTimestamp'", stream, StartingPosition="AT_TIMESTAMP")
    create("Maximum batch window in seconds must be greater than 0", queue, BatchSize=11)
    create("less than or equal to 10", fifo, BatchSize=11)
    create("MaximumBatchingWindowInSeconds is not valid", fifo, MaximumBatchingWindowInSeconds=1)
    create("ParallelizationFactor is not valid", queue, ParallelizationFactor=2)
    create("ScalingConfig is not valid", stream, StartingPosition="LATEST",
           ScalingConfig={"MaximumConcurrency": 2})  # fmt: skip
    create("-1 or at least 60", stream, StartingPosition="LATEST", MaximumRecordAgeInSeconds=5)
    unsupported = "Unsupported DestinationConfig parameter for given event source mapping type."
    create(unsupported, queue, DestinationConfig={"OnFailure": {"Destination": queue}})
    create(unsupported, stream, StartingPosition="LATEST",
           DestinationConfig={"OnSuccess": {"Destination": queue}})  # fmt: skip
    create("is invalid", stream, StartingPosition="LATEST",
           DestinationConfig={"OnFailure": {"Destination": fifo}})  # fmt: skip
    create("Topics must contain", arn("kafka", "cluster/c/1"), StartingPosition="LATEST")
    create("BASIC_AUTH", arn("mq", "broker:b:1"), Queues=["q"])
    for pattern in ("", "{", "[]", '{"a":"b"}', '{"a":[{"wildcard":"*"}]}', '{"data":["text"]}'):
        create("Invalid filter pattern definition.", stream, StartingPosition="LATEST",
               FilterCriteria={"Filters": [{"Pattern": pattern}]})  # fmt: skip
    many = [{"Pattern": json.dumps({"body": [str(number)]})} for number in range(6)]
    create("number of filters", queue, FilterCriteria={"Filters": many})
    registry = {"SchemaRegistryConfig": {"SchemaRegistryURI": "x"}}
    create("schema registries", arn("kafka", "cluster/c/1"), code="NotImplementedException", Topics=["topic"],
           StartingPosition="LATEST", AmazonManagedKafkaEventSourceConfig=registry)  # fmt: skip
    assert client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"] == []


def test_a_mapping_outlives_its_function_and_the_server(own_server):
    from support import clients

    server = own_server().start()
    client = clients.make(server)
    name = functions.unique()
    functions.create(client, name, SOURCE)
    queue = arn("sqs", name)
    made = client.create_event_source_mapping(FunctionName=name, EventSourceArn=queue, Tags={"a": "b"})
    before = without_metadata(client.get_event_source_mapping(UUID=made["UUID"]))
    server.kill()
    server.start()
    client = clients.make(server)
    assert without_metadata(client.get_event_source_mapping(UUID=made["UUID"])) == before
    client.delete_function(FunctionName=name)
    assert client.get_event_source_mapping(UUID=made["UUID"])["FunctionArn"] == before["FunctionArn"]
    client.delete_event_source_mapping(UUID=made["UUID"])
    server.finish()
