"""Lambda's handler on the root logger. Read when the function imports `logging`."""
import json
import time

from lambent_runtime.sink import kind_of

TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
# What a record has of its own; anything else in it was given by the function as `extra`.
RECORD_FIELDS = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno funcName created "
    "msecs relativeCreated thread threadName processName process aws_request_id tenant_id _frame_type".split()
)


def set_up(logging, invoke, environment, sink):
    """`invoke` names the invoke that is running, `environment(name)` reads a variable, records go into `sink`."""
    json_format = (environment("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON"
    level = environment("AWS_LAMBDA_LOG_LEVEL") or ""
    level = "DEBUG" if level == "TRACE" else level.upper()
    logging.Formatter.converter = time.gmtime

    class LambdaLoggerHandler(logging.Handler):
        """Writes to the function's log."""

        # Programs look for it here.
        log_sink = sink

        def emit(self, record):
            kind = None
            if json_format or level:
                kind = kind_of(_tens(record.levelno), json_format)
            sink.log(self.format(record), kind)

    class LambdaLoggerFilter(logging.Filter):
        """Tells each record which invoke it belongs to."""

        def filter(self, record):
            record.aws_request_id = invoke.request_id or ""
            record.tenant_id = invoke.tenant_id
            return True

    class JsonFormatter(logging.Formatter):
        """One JSON object a line."""

        def format(self, record):
            return _as_json(logging, self, record)

    if json_format or level:
        # Programs look for their handler by this name.
        LambdaLoggerHandler.__name__ = "LambdaLoggerHandlerWithFrameType"
    handler = LambdaLoggerHandler()
    if json_format:
        handler.setFormatter(JsonFormatter(datefmt="%Y-%m-%dT%H:%M:%SZ"))
    else:
        handler.setFormatter(logging.Formatter(TEXT_FORMAT, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(LambdaLoggerFilter())
    root = logging.getLogger()
    if level in logging._nameToLevel:
        root.setLevel(level)
    root.addHandler(handler)


def _tens(level):
    return min(50, max(0, level)) // 10 * 10


def _as_json(logging, formatter, record):
    record.levelno = _tens(record.levelno)
    record.levelname = logging.getLevelName(record.levelno)
    whole = isinstance(record.msg, dict) and not record.args
    fields = {
        "timestamp": formatter.formatTime(record, formatter.datefmt),
        "level": record.levelname,
        "message": record.msg if whole else record.getMessage(),
        "logger": record.name,
        "stackTrace": None,
        "errorType": None,
        "errorMessage": None,
        "requestId": getattr(record, "aws_request_id", None),
        "location": None,
    }
    if record.exc_info:
        import traceback

        kind, error, trace = record.exc_info
        fields["stackTrace"] = traceback.format_tb(trace)
        fields["errorType"] = kind.__name__ if kind else None
        fields["errorMessage"] = str(error)
        fields["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
    tenant = getattr(record, "tenant_id", None)
    if tenant is not None:
        fields["tenantId"] = tenant
    for name, value in record.__dict__.items():
        if name not in RECORD_FIELDS and name not in fields:
            fields[name] = value
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, default=str) + "\n"
