"""The loop: find the handler, then event after event until the platform ends the process.

Frames of this file are left out of the stack traces that callers see, by the end of its name, as AWS's client does
with its own. `os` is used only if the function imported it: it costs 0.7 ms and a bare handler has no need of it.
"""
import posix
import sys

from lambent_runtime import client, marshal
from lambent_runtime.context import LambdaContext

# What Lambda puts in front of the interpreter's own path; `{}` is the version, 3.11 say.
LAYER_PATHS = ("/opt/python/lib/python{}/site-packages", "/opt/python")
# Where Debian and others keep what was installed for the interpreter as a whole.
SITE_PATHS = (
    "/usr/local/lib/python{}/site-packages",
    "/usr/local/lib/python{}/dist-packages",
    "/usr/lib/python3/dist-packages",
)
# Where the AWS SDK is in the runtime's folder, if it was fetched. Behind the interpreter's own: a function's copy wins.
SDK_PATH = "/sdk"
FUNCTION_VARIABLES = (
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
)
TRACE = "_X_AMZN_TRACE_ID"
LOG_DESCRIPTOR = "_LAMBDA_TELEMETRY_LOG_FD"


class Fault(Exception):
    """An error found by the runtime, not raised by the function."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


class Unbuffered:
    """A stream of which nothing is lost when the process is killed: each write is out when it returns."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        pass

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()

    def writelines(self, lines):
        self.stream.writelines(lines)
        self.stream.flush()


class Invoke:
    """The invoke that is running, for log handlers."""

    request_id = None
    tenant_id = None


class Patched:
    """The parts of AWS's client that tools patch, once one of them has asked for these: package `awslambdaric`."""

    bootstrap = None


class Log:
    """Where log records go."""

    # Our own copy of the platform's descriptor for frames, which stays ours whatever the function closes.
    descriptor = None
    made = None

    @classmethod
    def sink(cls):
        """Made with the first record: most functions print, or say nothing."""
        if cls.made is None:
            from lambent_runtime import sink

            json_format = (environment("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON"
            cls.made = sink.make(cls.descriptor, json_format)
        return cls.made


class LoggingWatch:
    """Sets up Lambda's log handler at the moment the function imports `logging`, which costs 8 ms, and not before."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(LoggingWatch)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        loader = spec.loader

        def execute(module):
            del loader.exec_module
            loader.exec_module(module)
            from lambent_runtime import logs

            logs.set_up(module, Invoke, environment, Log.sink())

        loader.exec_module = execute
        return spec


def environment(name):
    """A variable as it is now, without `os`."""
    value = posix.environ.get(name.encode())
    return None if value is None else value.decode(errors="surrogateescape")


def main():
    """Never returns: the process ends by the platform, by the function, or because an error leaves no other way."""
    _start_like_the_interpreter()
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
    _take_log_descriptor()
    sys.meta_path.insert(0, LoggingWatch)
    connection = client.Client(environment("AWS_LAMBDA_RUNTIME_API"))
    encoder = marshal.Encoder(environment("AWS_EXECUTION_ENV"))
    try:
        handler = find_handler(environment("_HANDLER"))
    except Exception as error:
        from lambent_runtime import faults

        faults.report_init(connection, encoder, error)
        sys.exit(1)
    serve(connection, encoder, handler)


def _take_log_descriptor():
    """The function is not to find it, and its children are not to write there."""
    descriptor = environment(LOG_DESCRIPTOR)
    if descriptor is None:
        return
    set_variable(LOG_DESCRIPTOR, None)
    try:
        Log.descriptor = posix.dup(int(descriptor))
    except (ValueError, OSError):
        pass  # Not the platform's, then: standard output it is.


def serve(connection, encoder, handler):
    function = function_facts()
    trace_id = environment(TRACE)
    flush_out, flush_err = sys.stdout.stream.flush, sys.stderr.stream.flush
    while True:
        if Patched.bootstrap is not None:
            # From here on each step is one that tools may have replaced, until the process ends.
            return Patched.bootstrap.serve(connection, encoder, handler)
        headers, body = connection.next()
        request_id = text(headers.get(b"lambda-runtime-aws-request-id"))
        Invoke.request_id = request_id
        Invoke.tenant_id = text(headers.get(b"lambda-runtime-aws-tenant-id"))
        now_tracing = text(headers.get(b"lambda-runtime-trace-id"))
        if now_tracing != trace_id:
            trace_id = now_tracing
            set_variable(TRACE, trace_id)
        failure = None
        try:
            context = context_of(
                function,
                request_id,
                text(headers.get(b"lambda-runtime-invoked-function-arn")),
                headers.get(b"lambda-runtime-deadline-ms"),
                headers.get(b"lambda-runtime-client-context"),
                headers.get(b"lambda-runtime-cognito-identity"),
                Invoke.tenant_id,
            )
            if headers.get(b"content-type") == b"application/json":
                event = event_of(body)
            else:
                event = body
            result, content_type = result_of(encoder, handler(event, context))
        except Exception as error:
            failure = error
        flush_out()
        flush_err()
        if failure is None:
            path = client.INVOCATION + request_id + "/response"
            status, answer = connection.post(path, result, content_type)
            accepted("success response", "response", status, answer)
        else:
            from lambent_runtime import faults

            status, answer = faults.report_invoke(connection, encoder, request_id, failure)
            accepted("failure", "error", status, answer)
        # While the process waits for the next event it holds on to nothing of this one; a traceback holds all of it.
        failure = headers = body = event = context = result = answer = None


def accepted(what, short, status, answer):
    """Raises if the Runtime API did not take a post."""
    if 200 <= status < 300:
        return
    from time import time

    sys.stderr.write(
        "[ERROR] [%d] LAMBDA_RUNTIME Failed to post handler %s. Http response code: %d. %s\n"
        % (time() * 1000, what, status, answer.decode("utf-8", "replace"))
    )
    raise RuntimeError("Failed to post invocation " + short)


def flush():
    """Whatever is in the buffers below is out when this returns."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def context_of(function, request_id, arn, deadline_ms, client_context, identity, tenant_id):
    """The handler's second argument. `client_context` and `identity` are JSON, in bytes, if there are any."""
    if client_context:
        client_context = _json_header(client_context, "Client Context")
    if identity:
        identity = _json_header(identity, "Cognito Identity")
    return LambdaContext(
        function, request_id, arn, int(deadline_ms or 0), client_context or None, identity or None, tenant_id
    )


def function_facts():
    """What a context says of the function."""
    return tuple(environment(name) for name in FUNCTION_VARIABLES)


def _json_header(value, name):
    try:
        return marshal.loads(value)
    except Exception as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)) from error


def event_of(body):
    try:
        return marshal.loads(body)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from error


def result_of(encoder, value):
    if isinstance(value, bytes):
        return value, "application/unknown"
    try:
        return encoder.encode(value).encode(), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error) from error


def find_handler(name):
    """Imports the function's module and returns the handler that `name`, `path/module.function`, stands for."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, error)) from error
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module_name,
        )
    try:
        # What `importlib.import_module` does; `importlib` itself would take 0.6 ms.
        module = sys.modules["_frozen_importlib"]._gcd_import(module_name.replace("/", "."))
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error)
        ) from error
    except SyntaxError as error:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)],
        ) from error
    try:
        return getattr(module, function_name)
    except AttributeError as error:
        raise Fault(
            "Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function_name, module_name)
        ) from error


def _start_like_the_interpreter():
    """Does what `site` would have done, which `-S` left out: 2.3 ms of looking for missing files. And what
    AWS's start script does: it puts the function and its layers in front, and reads their `.pth` files.

    If the function set PYTHONPATH itself it may expect more of `site` (a `sitecustomize`, say): then it runs in full,
    and layers are where that says.
    """
    runtime_dir = environment("LAMBDA_RUNTIME_DIR") or "/var/runtime"
    version = "%d.%d" % sys.version_info[:2]
    own_path = environment("PYTHONPATH")
    front = [environment("LAMBDA_TASK_ROOT") or "/var/task"]
    if own_path and own_path != runtime_dir:
        import site

        site.main()
        sys.path.append(runtime_dir + SDK_PATH)
    else:
        import builtins

        import _sitebuiltins

        builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
        builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
        builtins.help = _sitebuiltins._Helper()
        known = set(sys.path)
        for path in (runtime_dir + SDK_PATH, *(path.format(version) for path in SITE_PATHS)):
            if path not in known and _is_folder(path):
                sys.path.append(path)
        # Layers are made for the runtime that the function names, whichever interpreter is here.
        _, _, named = (environment("AWS_EXECUTION_ENV") or "").partition("AWS_Lambda_python")
        front += [path.format(named or version) for path in LAYER_PATHS]
    behind = [path for path in sys.path if path not in front]
    sys.path[:] = front + behind
    for folder in front:
        if _has_pth(folder):
            import site

            site.addsitedir(folder)


def _has_pth(folder):
    try:
        return any(name.endswith(".pth") for name in posix.listdir(folder))
    except OSError:
        return False


def awslambdaric():
    """The members of AWS's client, in which tools look for what they patch. Ours, whatever the function brings."""
    client = sys.modules.get("awslambdaric.__main__")
    if client is None:
        runtime_dir = environment("LAMBDA_RUNTIME_DIR") or "/var/runtime"
        sys.path.insert(0, runtime_dir)
        try:
            client = sys.modules["_frozen_importlib"]._gcd_import("awslambdaric.__main__")
        finally:
            sys.path.remove(runtime_dir)
    return client


def _is_folder(path):
    try:
        return posix.stat(path).st_mode & 0o170000 == 0o040000
    except OSError:
        return False


def set_variable(name, value):
    """Sets or removes a variable for the function and its children, whether it has imported `os` or does so later."""
    os = sys.modules.get("os")
    if os is not None:
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
        return
    key = name.encode()
    if value is None:
        posix.environ.pop(key, None)
        posix.unsetenv(key)
    else:
        posix.environ[key] = value.encode(errors="surrogateescape")
        posix.putenv(key, posix.environ[key])


def text(value):
    return None if value is None else value.decode("utf-8", "surrogateescape")
