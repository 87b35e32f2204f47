"""The Runtime API, step by step: what tools wrap."""
from lambent_runtime import bootstrap as loop
from lambent_runtime import client, faults

from .lambda_runtime_marshaller import LambdaMarshaller


class InvocationRequest:
    """An event and what came with it."""

    def __init__(self, **kwds):
        self.__dict__.update(kwds)

    def __eq__(self, other):
        return self.__dict__ == other.__dict__


class LambdaRuntimeClientError(Exception):
    """The Runtime API refused something."""

    def __init__(self, endpoint, response_code, response_body):
        self.endpoint = endpoint
        self.response_code = response_code
        self.response_body = response_body
        super().__init__(
            "Request to Lambda Runtime '%s' endpoint failed. Reason: '%s'. Response body: '%s'"
            % (endpoint, response_code, response_body)
        )


class BaseLambdaRuntimeClient:
    """Not for more than one thread."""

    marshaller = LambdaMarshaller()

    def __init__(self, lambda_runtime_address, use_thread_for_polling_next=False):
        self.lambda_runtime_address = lambda_runtime_address
        self.use_thread_for_polling_next = use_thread_for_polling_next
        self._connection = client.Client(lambda_runtime_address)
        self._encoder = self.marshaller.jsonEncoder

    @classmethod
    def over(cls, connection, encoder):
        """One that continues with the loop's connection."""
        made = cls.__new__(cls)
        made.lambda_runtime_address = loop.environment("AWS_LAMBDA_RUNTIME_API")
        made.use_thread_for_polling_next = False
        made._connection = connection
        made._encoder = encoder
        return made

    def wait_next_invocation(self):
        headers, body = self._connection.next()

        def header(name):
            return loop.text(headers.get(name))

        return InvocationRequest(
            invoke_id=header(b"lambda-runtime-aws-request-id"),
            x_amzn_trace_id=header(b"lambda-runtime-trace-id"),
            invoked_function_arn=header(b"lambda-runtime-invoked-function-arn"),
            deadline_time_in_ms=header(b"lambda-runtime-deadline-ms"),
            client_context=header(b"lambda-runtime-client-context"),
            cognito_identity=header(b"lambda-runtime-cognito-identity"),
            tenant_id=header(b"lambda-runtime-aws-tenant-id"),
            content_type=header(b"content-type"),
            event_body=body,
            invocation_id=header(b"lambda-runtime-invocation-id"),
        )

    def post_init_error(self, error_response_data, error_type_override=None):
        kind = error_type_override or error_response_data["errorType"]
        faults.post_init(self._connection, self._encoder, error_response_data, kind)

    def post_invocation_result(self, invoke_id, result_data, content_type="application/json", invocation_id=None):
        data = result_data if isinstance(result_data, bytes) else result_data.encode()
        path = client.INVOCATION + invoke_id + "/response"
        loop.accepted("success response", "response", *self._connection.post(path, data, content_type))

    def post_invocation_error(self, invoke_id, error_response_data, xray_fault, invocation_id=None):
        loop.accepted(
            "failure", "error", *faults.post_invoke(self._connection, invoke_id, error_response_data, xray_fault)
        )


class LambdaRuntimeClient(BaseLambdaRuntimeClient):
    """The one that is used."""
