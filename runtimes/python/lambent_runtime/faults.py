"""Tells the caller and the log what went wrong. Read only once something has."""
import posix
import sys
import time
import traceback

from lambent_runtime import client
from lambent_runtime.bootstrap import Fault, environment

# Inside one message of the log lines end so, and blanks are such, that it stays one event.
LINE_END = "\r"
INDENT = "\u00a0"
# Headers of this size and more are refused.
CAUSE_BYTES_MAX = 1024 * 1024


def report_init(connection, encoder, error):
    """The function can't start."""
    if isinstance(error, Fault):
        result = _result(error.message, error.kind, error.trace, None)
    else:
        frames = _frames(error.__traceback__, importing=True)
        result = _result(str(error), type(error).__name__, traceback.format_list(frames), None)
    _log(result, encoder)
    more = "Lambda-Runtime-Function-Error-Type: %s\r\n" % result["errorType"]
    status, _ = connection.post(client.INIT_ERROR, encoder.encode(result).encode(), "application/json", more)
    if status != 202:
        raise RuntimeError("Failed to post the init error: the Runtime API answered %d" % status)


def report_invoke(connection, encoder, request_id, error):
    """The invoke failed. Returns status and body of the answer to the post."""
    if isinstance(error, Fault):
        frames = []
        result = _result(error.message, error.kind, error.trace, request_id)
        cause = _cause("LambdaValidationError", error.message, frames)
    else:
        frames = _frames(error.__traceback__)
        kind = type(error).__name__
        result = _result(str(error), kind, traceback.format_list(frames), request_id)
        cause = _cause(kind, str(error), frames)
    _log(result, encoder)
    # The header stays in ASCII and on one line whatever the function's JSON does.
    cause = ascii_json(encoder, cause)
    more = ""
    if len(cause) < CAUSE_BYTES_MAX:
        more = "Lambda-Runtime-Function-Xray-Error-Cause: %s\r\n" % cause
    path = client.INVOCATION + request_id + "/error"
    return connection.post(path, encoder.encode(result).encode(), "application/json", more)


def ascii_json(encoder, value):
    text = encoder.encode(value)
    return "".join(c if c < "\x7f" else _escape(c) for c in text)


def _escape(character):
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join("\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2))


def _result(message, kind, trace, request_id):
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


def _log(result, encoder):
    if (environment("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON":
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stdout.write(encoder.encode({"timestamp": stamp, "level": "ERROR", **result}) + "\n")
        return
    head = "[ERROR]"
    if result["errorType"]:
        head += " " + result["errorType"]
    if result["errorMessage"]:
        head += (":" if result["errorType"] else "") + " " + result["errorMessage"]
    lines = [head, "Traceback (most recent call last):"]
    for entry in result["stackTrace"]:
        for line in entry.splitlines() or [""]:
            code = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(code)) + code)
    sys.stdout.write(LINE_END.join(lines) + "\n")
