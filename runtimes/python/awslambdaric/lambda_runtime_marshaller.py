"""Events from JSON, results to JSON."""
from lambent_runtime import marshal
from lambent_runtime.bootstrap import Fault, environment, event_of, result_of

from .lambda_runtime_exception import FaultException


class Encoder:
    """`encode(value)` gives the text."""

    def __init__(self):
        self._encoder = marshal.Encoder(environment("AWS_EXECUTION_ENV"))

    def encode(self, obj):
        return self._encoder.encode(obj)


def to_json(obj):
    return Encoder().encode(obj)


class LambdaMarshaller:
    """Functions may put one of their own into `LambdaRuntimeClient.marshaller`."""

    def __init__(self):
        self.jsonEncoder = Encoder()

    def unmarshal_request(self, request, content_type="application/json"):
        if content_type != "application/json":
            return request
        try:
            return event_of(request if isinstance(request, bytes) else request.encode())
        except Fault as fault:
            raise FaultException(fault.kind, fault.message, fault.trace) from fault

    def marshal_response(self, response):
        """(body, content type)"""
        try:
            return result_of(self.jsonEncoder, response)
        except Fault as fault:
            raise FaultException(fault.kind, fault.message, fault.trace) from fault
