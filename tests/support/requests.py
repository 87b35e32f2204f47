"""Requests made from the public model: one that is right for every operation, and one that is wrong
for every constraint.

A constraint's violation is told from the model alone, words included, so that nothing here knows
how the server checks it.
"""

import dataclasses
import re

import botocore.serialize
import botocore.session

from . import model as real

ACCOUNT = "000000000000"
LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}"

# A right value of each shape that has a pattern, by the shape's name; by its pattern's parts where
# several share one.
RIGHT = {
    "Action": "lambda:InvokeFunction",
    "AdditionalVersion": "1",
    "Alias": "absent",
    "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:absent",
    "CallbackId": "QUJD",
    "CapacityProviderArn": f"{LAMBDA}:capacity-provider:absent",
    "CheckpointToken": "QUJD",
    "CodeSigningConfigArn": f"{LAMBDA}:code-signing-config:csc-00000000000000000",
    "CollectionName": "collection",
    "DestinationArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:absent",
    "DurableExecutionArn": f"{LAMBDA}:function:absent:1/durable-execution/a/b",
    "Endpoint": "host:9092",
    "EnvironmentVariableName": "NAME",
    "FileSystemArn": f"arn:aws:elasticfilesystem:us-east-1:{ACCOUNT}:access-point/fsap-" + 17 * "0",
    "KMSKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
    "KMSKeyArnNonEmpty": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k",
    "LayerPermissionAllowedAction": "lambda:GetLayerVersion",
    "LayerPermissionAllowedPrincipal": ACCOUNT,
    "LayerVersionArn": f"{LAMBDA}:layer:absent:1",
    "LocalMountPath": "/mnt/data",
    "MasterRegion": "us-east-1",
    "OrganizationId": "o-0123456789",
    "Principal": "s3.amazonaws.com",
    "PrincipalOrgID": "o-0123456789",
    "PublishedFunctionQualifier": "1",
    "Qualifier": "1",
    "ResourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:absent",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/absent",
    "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:0123456789",
    "SecurityGroupId": "sg-0",
    "SourceOwner": ACCOUNT,
    "SubnetId": "subnet-0",
    "TaggableResource": f"{LAMBDA}:function:absent",
    "VersionWithLatestPublished": "1",
    "tokenCodeType": "123456",
}
# What stands for a text that a pattern does not want.
WRONG_TEXTS = ("a b", "!", "", "\n", "a\n", "$", ".", "ab.", "a/b", "12", "system.c", "x", "é", "%")

_session = botocore.session.Session()
_serializer = botocore.serialize.create_serializer("rest-json", include_validation=False)


def operations():
    """Every operation of the model that the pinned client has, by name."""
    model = _session.get_service_model("lambda")
    real.amend(model._service_description["shapes"])
    return {name: model.operation_model(name) for name in model.operation_names}


def serialize(operation, parameters):
    """Method, target, headers and body, as the client would send them."""
    made = _serializer.serialize_to_request(parameters, operation)
    query = made["query_string"]
    pairs = query.items() if isinstance(query, dict) else query
    from urllib.parse import quote

    texts = []
    for name, value in pairs:
        for one in value if isinstance(value, (list, tuple)) else [value]:
            texts.append(f"{quote(str(name), safe='')}={quote(str(one), safe='')}")
    target = made["url_path"]
    if texts:
        target += ("&" if "?" in target else "?") + "&".join(texts)
    return made["method"], target, dict(made["headers"]), made["body"]


def minimal(shape):
    """The smallest right value of a shape."""
    kind = shape.type_name
    if kind == "structure":
        return {name: needed(shape.members[name]) for name in shape.required_members}
    least = shape.metadata.get("min", 0)
    if kind == "list":
        return [minimal(shape.member) for _ in range(least)]
    if kind == "map":
        return {minimal(shape.key): minimal(shape.value)} if least else {}
    if kind == "string":
        return shape.enum[0] if shape.enum else right_text(shape)
    return {"integer": least, "long": least, "double": float(least), "float": float(least),
            "boolean": True, "blob": b"x", "timestamp": "2024-01-01T00:00:00Z"}[kind]  # fmt: skip


def needed(shape):
    """The smallest right value of a required member. In a query an empty list is none at all."""
    if shape.type_name == "list" and shape.serialization.get("location") == "querystring":
        return [minimal(shape.member)]
    return minimal(shape)


def right_text(shape):
    """A text that is right."""
    text = RIGHT.get(shape.name, "absent").ljust(shape.metadata.get("min", 0), "0")
    pattern = pattern_of(shape)
    assert not pattern or matches(pattern, text), f"{shape.name}: no right value for {pattern}"
    return text


def pattern_of(shape):
    """The pattern of a shape. botocore's own metadata leave it out."""
    return shape._shape_model.get("pattern")


# What Python's patterns have no words for, in words that mean the same of the texts here.
OTHER_WORDS = {r"\p{L}\p{Z}\p{N}": r"\w ", r"\u10000-\u10FFFF": r"\U00010000-\U0010FFFF"}


def matches(pattern, text):
    """Whether a text is as a pattern of the model wants it."""
    for theirs, ours in OTHER_WORDS.items():
        pattern = pattern.replace(theirs, ours)
    return re.fullmatch(pattern, text) is not None


@dataclasses.dataclass
class Case:
    """One wrong request: what is wrong, and the words for it."""

    at: str
    rule: str
    expected: str
    parameters: dict


def cases(operation):
    """A case for every constraint of an operation's input that can be violated."""
    shape = operation.input_shape
    if shape is None:
        return
    base = minimal(shape)
    for name, member in shape.members.items():
        required = name in shape.required_members
        in_path = member.serialization.get("location") == "uri"
        at = name[0].lower() + name[1:]
        if required and not in_path and member.serialization.get("location") != "statusCode":
            without = {key: value for key, value in base.items() if key != name}
            yield Case(at, "required", null(at), without)
        for rule, expected, value in wrong(member, at, ()):
            if in_path and value == "":
                continue  # Another path, and another operation.
            yield Case(at, rule, expected, {**base, name: value})


def wrong(shape, at, above):
    """Every way in which a value can be wrong: the rule, the words, the value."""
    yield from own(shape, at)
    if shape.name in above:
        return
    above = (*above, shape.name)
    kind = shape.type_name
    if kind == "structure":
        base = minimal(shape)
        for name, member in shape.members.items():
            below = f"{at}.{name[0].lower()}{name[1:]}"
            if name in shape.required_members:
                yield "required", null(below), {k: v for k, v in base.items() if k != name}
            for rule, expected, value in wrong(member, below, above):
                yield rule, expected, {**base, name: value}
    elif kind == "list" and shape.member.type_name == "structure":
        for rule, expected, value in wrong(shape.member, f"{at}.1.member", above):
            yield rule, expected, [value]
    elif kind == "list":
        for value in wrong_values(shape.member):
            words = f"Member must satisfy constraint: [{describe(shape.member)}]"
            yield "member", violated(at, words), [value]
    elif kind == "map":
        for value in wrong_values(shape.key):
            words = f"Map keys must satisfy constraint: [{describe(shape.key)}]"
            yield "key", violated(at, words), {value: minimal(shape.value)}
        for value in wrong_values(shape.value):
            words = f"Map value must satisfy constraint: [{describe(shape.value)}]"
            yield "value", violated(at, words), {minimal(shape.key): value}


def own(shape, at):
    """What can be wrong with a value itself."""
    for rule, words, value in own_rules(shape):
        yield rule, violated(at, words), value


def own_rules(shape):
    kind, least, most = shape.type_name, shape.metadata.get("min"), shape.metadata.get("max")
    pattern = pattern_of(shape)
    if kind in ("integer", "long", "double", "float"):
        if least is not None:
            yield "min", bound("value", "greater", least), least - 1
        if most is not None:
            yield "max", bound("value", "less", most), most + 1
    elif kind in ("string", "list", "map"):
        if least:
            yield "min", bound("length", "greater", least), of_length(shape, least - 1)
        if most is not None and kind != "map":
            yield "max", bound("length", "less", most), of_length(shape, most + 1)
    if pattern:
        for text in WRONG_TEXTS:
            if not matches(pattern, text):
                yield "pattern", f"Member must satisfy regular expression pattern: {pattern}", text
                break
    if shape.type_name == "string" and shape.enum:
        words = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        yield "enum", words, "None-Of-Them"


def wrong_values(shape):
    """Values that a shape does not want; below lists, too."""
    for _, _, value in own_rules(shape):
        yield value
    if shape.type_name == "list":
        for value in wrong_values(shape.member):
            yield [value]


def of_length(shape, length):
    if shape.type_name == "string":
        return "a" * length
    if shape.type_name == "map":
        return {}
    return [minimal(shape.member)] * length


def describe(shape):
    """All constraints of a shape, as refusals of lists and maps have them."""
    words = []
    kind, least, most = shape.type_name, shape.metadata.get("min"), shape.metadata.get("max")
    what = "length" if kind in ("string", "list", "map") else "value"
    if most is not None:
        words.append(bound(what, "less", most))
    if least is not None:
        words.append(bound(what, "greater", least))
    if pattern_of(shape):
        words.append(f"Member must satisfy regular expression pattern: {pattern_of(shape)}")
    if kind == "string" and shape.enum:
        words.append(f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    if kind == "list" and (inner := describe(shape.member)) != "Member must not be null":
        words.append(f"Member must satisfy constraint: [{inner}]")
    if not shape._shape_model.get("never_null"):
        words.append("Member must not be null")
    return ", ".join(words)


def bound(what, than, number):
    return f"Member must have {what} {than} than or equal to {number}"


def violated(at, words):
    return f"at '{at}' failed to satisfy constraint: {words}"


def null(at):
    return f"Value null at '{at}' failed to satisfy constraint: Member must not be null"
