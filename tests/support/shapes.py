"""Whether an answer is what the public model says: no member missing its type, none unknown."""

import json
from xml.etree import ElementTree

# What the layer before the service may answer; no operation's model lists these.
COMMON_ERRORS = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "NotImplementedException",
    "RequestEntityTooLargeException",
    "SerializationException",
    "UnrecognizedClientException",
    "ValidationException",
}
COMMON_MEMBERS = {"Type", "Message", "message"}
# What the service really says, though the model does not list it.
BEYOND_THE_MODEL = {
    ("LastUpdateStatusReasonCode", "Creating"),
    ("PermissionsBoundaryAttachmentType", "Policy"),
}
# Of the services that are asked by a form.
COMMON_XML_ERRORS = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAction",
    "InvalidClientTokenId",
    "InvalidParameterValue",
    "MalformedInput",
    "MissingAuthenticationToken",
    "NotImplemented",
    "SignatureDoesNotMatch",
    "ValidationError",
}


def check_answer(http_response, parsed, model, **_):
    """botocore's hook after each call. Raises AssertionError for an answer that breaks the model."""
    headers = {name.lower(): value for name, value in http_response.headers.items()}
    assert headers.get("x-amzn-requestid"), f"{model.name}: no request id"
    if http_response.status_code >= 300:
        _check_error(http_response, headers, model)
        return
    expected = {model.http.get("responseCode", 200)}
    if model.name == "Invoke":
        expected = {200, 202, 204}
    if model.name == "DeleteFunction":
        # The model says 200 now and said 204 for ten years.
        expected = {200, 204}
    status = http_response.status_code
    assert status in expected, f"{model.name}: status {status}, not {expected}"
    shape = model.output_shape
    if shape is None or "payload" in shape.serialization:
        return
    _check_body(http_response.content, shape, model.name)


def check_json_answer(http_response, parsed, model, **_):
    """The same for the protocol whose errors are in the body alone."""
    headers = {name.lower(): value for name, value in http_response.headers.items()}
    assert headers.get("x-amzn-requestid"), f"{model.name}: no request id"
    assert headers["content-type"] == "application/x-amz-json-1.1", model.name
    if http_response.status_code < 300:
        if model.output_shape is not None:
            _check_body(http_response.content, model.output_shape, model.name)
        return
    body = json.loads(http_response.content)
    assert set(body) == {"__type", "message"}, f"{model.name}: {body}"
    codes = {shape.name for shape in model.error_shapes} | COMMON_ERRORS
    assert body["__type"] in codes, f"{model.name}: {body['__type']} is none of its errors"
    assert body["message"], f"{model.name}: no message"


def check_xml_answer(http_response, parsed, model, **_):
    """The same for IAM and STS."""
    headers = {name.lower(): value for name, value in http_response.headers.items()}
    assert headers.get("x-amzn-requestid"), f"{model.name}: no request id"
    assert headers["content-type"] == "text/xml", model.name
    root = ElementTree.fromstring(http_response.content)
    space = model.service_model.metadata["xmlNamespace"]
    assert root.tag.startswith("{%s}" % space), f"{model.name}: {root.tag}"
    if http_response.status_code >= 300:
        error = parsed["Error"]
        shapes = {shape.metadata.get("error", {}).get("code", shape.name): shape
                  for shape in model.error_shapes}
        code = error["Code"]
        assert code in shapes or code in COMMON_XML_ERRORS, f"{model.name}: {code} is none of its errors"
        if code in shapes:
            status = shapes[code].metadata["error"].get("httpStatusCode")
            assert status in (None, http_response.status_code), f"{code}: {http_response.status_code}"
        assert error["Message"], f"{model.name} {code}: no message"
        return
    assert _tag(root) == f"{model.name}Response", _tag(root)
    parts = {_tag(part): part for part in root}
    assert set(parts) <= {f"{model.name}Result", "ResponseMetadata"}, parts
    if model.output_shape is not None:
        _check_element(parts[f"{model.name}Result"], model.output_shape, model.name)


def _check_element(element, shape, path):
    """An element against its shape, all the way down."""
    names = [_tag(part) for part in element]
    if shape.type_name == "structure":
        assert len(set(names)) == len(names), f"{path}: {names}"
        for part, name in zip(element, names):
            assert name in shape.members, f"{path}: unknown member {name}"
            _check_element(part, shape.members[name], f"{path}.{name}")
        for name in shape.required_members:
            assert name in names, f"{path}: no {name}"
    elif shape.type_name == "list":
        assert set(names) <= {"member"}, f"{path}: {names}"
        for part in element:
            _check_element(part, shape.member, f"{path}[]")
    else:
        assert not names, f"{path}: {names}"
        text = element.text or ""
        if shape.type_name == "boolean":
            assert text in ("true", "false"), f"{path}: {text}"
        if shape.type_name in ("integer", "long"):
            assert str(int(text)) == text, f"{path}: {text}"
        if shape.type_name == "string" and shape.enum and (shape.name, text) not in BEYOND_THE_MODEL:
            assert text in shape.enum, f"{path}: {text!r} is not one of {shape.enum}"


def _tag(element):
    return element.tag.split("}")[-1]


def _check_body(content, shape, path):
    members = {
        _wire_name(name, member): member
        for name, member in shape.members.items()
        if "location" not in member.serialization
    }
    body = json.loads(content) if content else {}
    assert isinstance(body, dict), f"{path}: no object"
    for name, value in body.items():
        assert name in members, f"{path}: unknown member {name}"
        check(value, members[name], f"{path}.{name}")


def check(value, shape, path):
    """A value against its shape, all the way down."""
    if value is None:
        return
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), f"{path}: no object"
        members = {_wire_name(name, member): member for name, member in shape.members.items()}
        for name, inner in value.items():
            assert name in members, f"{path}: unknown member {name}"
            check(inner, members[name], f"{path}.{name}")
        for name in shape.required_members:
            assert name in value, f"{path}: no {name}"
    elif kind == "list":
        assert isinstance(value, list), f"{path}: no list"
        for index, inner in enumerate(value):
            check(inner, shape.member, f"{path}[{index}]")
    elif kind == "map":
        assert isinstance(value, dict), f"{path}: no map"
        for name, inner in value.items():
            check(inner, shape.value, f"{path}.{name}")
    elif kind == "boolean":
        assert isinstance(value, bool), f"{path}: {value!r} is no boolean"
    elif kind in ("integer", "long"):
        right = isinstance(value, int) and not isinstance(value, bool)
        assert right, f"{path}: {value!r} is no integer"
    elif kind in ("float", "double"):
        assert isinstance(value, (int, float)), f"{path}: {value!r} is no number"
    elif kind == "string":
        assert isinstance(value, str), f"{path}: {value!r} is not a string"
        if shape.enum and (shape.name, value) not in BEYOND_THE_MODEL:
            assert value in shape.enum, f"{path}: {value!r} is not one of {shape.enum}"


def _check_error(response, headers, model):
    code = headers.get("x-amzn-errortype", "").split(":")[0]
    assert code, f"{model.name}: an error without a type"
    body = json.loads(response.content)
    shapes = {shape.name: shape for shape in model.error_shapes}
    assert code in shapes or code in COMMON_ERRORS, f"{model.name}: {code} is none of its errors"
    if code in shapes:
        shape = shapes[code]
        status = shape.metadata.get("error", {}).get("httpStatusCode")
        assert status in (None, response.status_code), f"{code}: status {response.status_code}"
        bodies = [n for n, m in shape.members.items() if m.serialization.get("location") is None]
        for name in body:
            assert name in bodies, f"{model.name} {code}: unknown member {name}"
    else:
        assert set(body) <= COMMON_MEMBERS, f"{model.name} {code}: {body}"
    texts = [text for name, text in body.items() if name.lower() == "message"]
    assert texts and texts[0], f"{model.name} {code}: no message"


def _wire_name(name, shape):
    return shape.serialization.get("name", name)
