"""Where outcomes of events go: queues, topics, buses and buckets of other services, and what arrived."""

import json

from .functions import unique
from .server import wait_for

# Letters may be a while on their way: the machine has other things to do.
ARRIVES_WITHIN = 30


class Queue:
    """A queue of SQS. What is read is out of it."""

    def __init__(self, sqs, name=None):
        self.sqs = sqs
        self.name = name or unique("queue")
        self.url = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = found["Attributes"]["QueueArn"]

    def letters(self):
        """What is in it now: body and attributes, those as `{name: (type, value)}`."""
        read = []
        while True:
            received = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
            messages = received.get("Messages", [])
            if not messages:
                return read
            for message in messages:
                attributes = message.get("MessageAttributes", {})
                read.append((message["Body"], {
                    name: (value["DataType"], value["StringValue"])
                    for name, value in attributes.items()
                }))  # fmt: skip
                self.sqs.delete_message(
                    QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"]
                )

    def letter(self, within=ARRIVES_WITHIN):
        """The one letter that arrives."""
        (letter,) = wait_for(self.letters, within, every=0.1)
        return letter

    def record(self, within=ARRIVES_WITHIN):
        """The one record that arrives, read."""
        body, attributes = self.letter(within)
        assert attributes == {}
        return json.loads(body)


class Topic:
    """A topic of SNS, with a queue that subscribes to it."""

    def __init__(self, peer):
        self.queue = Queue(peer.client("sqs"))
        sns = peer.client("sns")
        self.arn = sns.create_topic(Name=unique("topic"))["TopicArn"]
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=self.queue.arn)

    def letter(self):
        """The one letter that arrives."""
        body, _ = self.queue.letter()
        notification = json.loads(body)
        assert (notification["Type"], notification["TopicArn"]) == ("Notification", self.arn)
        attributes = notification.get("MessageAttributes", {})
        return notification["Message"], {
            name: (value["Type"], value["Value"]) for name, value in attributes.items()
        }

    def record(self):
        """The one record that arrives, read."""
        body, attributes = self.letter()
        assert attributes == {}
        return json.loads(body)


class Bus:
    """A bus of EventBridge, with a queue that gets what Lambda puts there."""

    def __init__(self, peer):
        self.queue = Queue(peer.client("sqs"))
        events = peer.client("events")
        name = unique("bus")
        self.arn = events.create_event_bus(Name=name)["EventBusArn"]
        events.put_rule(
            Name="lambda", EventBusName=name, EventPattern=json.dumps({"source": ["lambda"]})
        )
        events.put_targets(
            Rule="lambda", EventBusName=name, Targets=[{"Id": "queue", "Arn": self.queue.arn}]
        )

    def event(self):
        """The one event that arrives, with its envelope."""
        body, _ = self.queue.letter()
        return json.loads(body)

    def record(self):
        """The one record that arrives."""
        return self.event()["detail"]


class Bucket:
    """A bucket of S3."""

    def __init__(self, peer):
        self.s3 = peer.client("s3")
        self.name = unique("bucket")
        self.arn = f"arn:aws:s3:::{self.name}"
        self.s3.create_bucket(Bucket=self.name)

    def keys(self):
        """The names of what is in it."""
        found = self.s3.list_objects_v2(Bucket=self.name)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def object(self):
        """The one object that arrives: its name and the record in it."""
        (key,) = wait_for(self.keys, ARRIVES_WITHIN, every=0.1)
        body = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return key, json.loads(body)

    def record(self):
        """The one record that arrives."""
        return self.object()[1]
