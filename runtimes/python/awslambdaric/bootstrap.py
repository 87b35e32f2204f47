"""The loop in the steps of AWS's client. Each is found by its name at each event, so that one may replace it."""
import sys

from lambent_runtime import bootstrap as loop
from lambent_runtime import faults
from lambent_runtime.sink import FramedTelemetryLogSink, StandardLogSink

from .lambda_context import LambdaContext
from .lambda_runtime_client import LambdaRuntimeClient
from .lambda_runtime_exception import FaultException
from .lambda_runtime_marshaller import to_json

__all__ = [
    "FaultException", "FramedTelemetryLogSink", "LambdaContext", "LambdaRuntimeClient", "StandardLogSink", "Unbuffered",
    "create_lambda_context", "create_log_sink", "handle_event_request", "log_error", "make_error", "to_json",
]  # fmt: skip

Unbuffered = loop.Unbuffered


def serve(connection, encoder, request_handler):
    """Event after event."""
    lambda_runtime_client = client(connection, encoder)
    while True:
        event_request = lambda_runtime_client.wait_next_invocation()
        loop.Invoke.request_id = event_request.invoke_id
        loop.Invoke.tenant_id = event_request.tenant_id
        update_xray_env_variable(event_request.x_amzn_trace_id)
        handle_event_request(
            lambda_runtime_client,
            request_handler,
            event_request.invoke_id,
            event_request.event_body,
            event_request.content_type,
            event_request.client_context,
            event_request.cognito_identity,
            event_request.invoked_function_arn,
            event_request.deadline_time_in_ms,
            event_request.tenant_id,
            create_log_sink(),
            event_request.invocation_id,
        )


def client(connection, encoder):
    """The class as it is in this module now."""
    return LambdaRuntimeClient.over(connection, encoder)


def handle_event_request(
    lambda_runtime_client,
    request_handler,
    invoke_id,
    event_body,
    content_type,
    client_context_json,
    cognito_identity_json,
    invoked_function_arn,
    epoch_deadline_time_in_ms,
    tenant_id=None,
    log_sink=None,
    invocation_id=None,
):
    """One event: runs the handler, posts what came of it."""
    failure = None
    try:
        lambda_context = create_lambda_context(
            client_context_json,
            cognito_identity_json,
            epoch_deadline_time_in_ms,
            invoke_id,
            invoked_function_arn,
            tenant_id,
        )
        event = lambda_runtime_client.marshaller.unmarshal_request(event_body, content_type)
        response = request_handler(event, lambda_context)
        result, result_content_type = lambda_runtime_client.marshaller.marshal_response(response)
    except Exception as error:
        failure = error
    loop.flush()
    if failure is None:
        lambda_runtime_client.post_invocation_result(invoke_id, result, result_content_type, invocation_id)
        return
    error_result, xray_fault = faults.invoke_result(to_json, invoke_id, failure)
    log_error(error_result, log_sink)
    lambda_runtime_client.post_invocation_error(invoke_id, to_json(error_result), xray_fault, invocation_id)


def create_lambda_context(
    client_context_json, cognito_identity_json, epoch_deadline_time_in_ms, invoke_id, invoked_function_arn, tenant_id=None
):
    return loop.context_of(
        loop.function_facts(),
        invoke_id,
        invoked_function_arn,
        epoch_deadline_time_in_ms,
        client_context_json.encode() if client_context_json else None,
        cognito_identity_json.encode() if cognito_identity_json else None,
        tenant_id,
    )


def update_xray_env_variable(xray_trace_id):
    loop.set_variable(loop.TRACE, xray_trace_id)


def create_log_sink():
    """The one that there is."""
    return loop.Log.sink()


def log_error(error_result, log_sink=None):
    faults.log(error_result, to_json, log_sink)


def make_error(error_message, error_type, stack_trace, invoke_id=None):
    return faults.result(error_message, error_type, stack_trace, invoke_id)


loop.Patched.bootstrap = sys.modules[__name__]
