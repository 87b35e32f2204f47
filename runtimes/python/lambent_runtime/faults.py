"""Tells the caller and the log what went wrong. Read only once something has."""
import posix
import time
import traceback

from lambent_runtime import client
from lambent_runtime.bootstrap import Fault, Log, Patched, environment

# Traces are indented so that log viewers keep the indentation.
INDENT = "\u00a0"
# Headers of this size and more are refused.
CAUSE_BYTES_MAX = 1024 * 1024


def report_init(connection, encoder, error):
    """The function can't start."""
    told = init_result(error)
    log(told, encoder.encode)
    if Patched.bootstrap is not None:
        Patched.bootstrap.client(connection, encoder).post_init_error(told)
        return
    post_init(connection, encoder, told, told["errorType"])


def post_init(connection, encoder, told, kind):
    more = "Lambda-Runtime-Function-Error-Type: %s\r\n" % kind
    status, _ = connection.post(client.INIT_ERROR, encoder.encode(told).encode(), "application/json", more)
    if status != 202:
        raise RuntimeError("Failed to post the init error: the Runtime API answered %d" % status)


def init_result(error):
    """What is reported about an error before the first event."""
    if isinstance(error, Fault):
        return result(error.message, error.kind, error.trace, None)
    frames = _frames(error.__traceback__, importing=True)
    return result(str(error), type(error).__name__, traceback.format_list(frames), None)


def report_invoke(connection, encoder, request_id, error):
    """The invoke failed. Returns status and body of the answer to the post."""
    told, cause = invoke_result(encoder.encode, request_id, error)
    log(told, encoder.encode)
    return post_invoke(connection, request_id, encoder.encode(told), cause)


def invoke_result(encode, request_id, error):
    """What is reported about it, and to X-Ray: that stays in ASCII and on one line whatever the function's JSON does."""
    if isinstance(error, Fault):
        told = result(error.message, error.kind, error.trace, request_id)
        cause = _cause("LambdaValidationError", error.message, [])
    else:
        frames = _frames(error.__traceback__)
        kind = type(error).__name__
        told = result(str(error), kind, traceback.format_list(frames), request_id)
        cause = _cause(kind, str(error), frames)
    return told, ascii_json(encode, cause)


def post_invoke(connection, request_id, text, cause):
    more = ""
    if cause and len(cause) < CAUSE_BYTES_MAX:
        more = "Lambda-Runtime-Function-Xray-Error-Cause: %s\r\n" % cause
    path = client.INVOCATION + request_id + "/error"
    return connection.post(path, text.encode(), "application/json", more)


def ascii_json(encode, value):
    text = encode(value)
    return "".join(c if c < "\x7f" else _escape(c) for c in text)


def _escape(character):
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join("\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2))


def result(message, kind, trace, request_id):
    """The body of an error post."""
    return {
        "errorMessage": message or "",
        "errorType": kind or "",
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


def _cause(kind, message, frames):
    stack = [{"label": name, "path": file, "line": line} for file, line, name, _ in frames]
    return {
        "working_directory": posix.getcwd(),
        "exceptions": [{"message": message, "type": kind, "stack": stack}],
        "paths": list({file for file, _, _, _ in frames}),
    }


def _frames(trace, importing=False):
    """(file, line, function, code) from the outermost frame that is not the runtime's own."""
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(trace)]
    for number, frame in enumerate(frames):
        if "/bootstrap.py" not in frame[0]:
            frames = frames[number:]
            break
    if importing and frames[0][2] == "_gcd_import":
        frames.insert(0, _import_module_frame())
    return frames


def _import_module_frame():
    """The frame of `importlib.import_module`, which a reader of stack traces expects and we left out."""
    import importlib
    import linecache

    code = importlib.import_module.__code__
    line = max(number for _, _, number in code.co_lines() if number) if hasattr(code, "co_lines") else None
    line = line or code.co_firstlineno
    return (code.co_filename, line, "import_module", linecache.getline(code.co_filename, line).strip())


def log(told, encode, sink=None):
    """Writes an error's record into the log."""
    sink = sink or Log.sink()
    if (environment("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON":
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sink.log_error([encode({"timestamp": stamp, "level": "ERROR", **told})])
        return
    head = "[ERROR]"
    if told["errorType"]:
        head += " " + told["errorType"]
    if told["errorMessage"]:
        head += (":" if told["errorType"] else "") + " " + told["errorMessage"]
    lines = [head, "Traceback (most recent call last):"]
    for entry in told["stackTrace"]:
        for line in entry.splitlines() or [""]:
            code = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(code)) + code)
    sink.log_error(lines)
