"""Handlers that show what a runtime does with results, errors, logs and the context."""
import collections
import decimal
import enum
import json
import os
import sys
import time
import weakref

STATE = {"count": 0}


def echo(event, context):
    return event


def describe_context(event, context):
    return {
        "repr": repr(context).replace(os.environ["AWS_LAMBDA_FUNCTION_NAME"], "<function>"),
        "request": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "time_is_left": 0 < context.get_remaining_time_in_millis() <= 60000,
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        "client": context.client_context and [
            context.client_context.custom,
            context.client_context.env,
            context.client_context.client and context.client_context.client.app_title,
        ],
        "tenant": context.tenant_id,
        "w3c": context.w3c(),
        "attributes": sorted(name for name in dir(context) if not name.startswith("_")),
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }


def state(event, context):
    STATE["count"] += 1
    return STATE["count"]


class Colour(enum.IntEnum):
    RED = 1


class Text(str, enum.Enum):
    A = "a"


Point = collections.namedtuple("Point", "x y")


class WithDict:
    def _asdict(self):
        return {"as": "dict"}


def results(event, context):
    if event == "self":
        value = []
        value.append(value)
        return value
    return {
        "none": None,
        "unicode": "é\u2028\U0001f600\x7f\"\\\n",
        "surrogate": lambda: 1,
        "bytes": b"bytes",
        "decimal": [decimal.Decimal("1.10"), decimal.Decimal("1E+3"), {"d": decimal.Decimal("0.1")}],
        "nan": decimal.Decimal("NaN"),
        "infinity": float("-inf"),
        "named": [Point(1, Point(b"2", 3))],
        "tuple": (1, (2,)),
        "dict": WithDict(),
        "enum": [Colour.RED, Text.A],
        "keys": {1: 1, 1.5: 2, True: 3, None: 4, b"b": 5, Colour.RED: 6},
        "set": {1},
        "object": object(),
        "big": 12345678901234567890123,
        "float": [1e100, 0.1, 1.0, -0.0],
        "key": {(1, 2): 3},
        "bad bytes": b"\xff",
        "date": time.gmtime(0),
    }[event]


def binary(event, context):
    return b"\x00\xff"


def fail(event, context):
    raise ValueError("first line\nsecond line é")


def fail_deep(event, context):
    def inner():
        return {}["missing"]

    try:
        inner()
    except KeyError as error:
        raise RuntimeError() from error


class Odd(Exception):
    def __str__(self):
        return ""


def fail_odd(event, context):
    raise Odd("hidden")


def fail_recursion(event, context):
    return fail_recursion(event, context)


def leave(event, context):
    print("leaving", end="")
    sys.exit(event)


def leave_hard(event, context):
    print("half a line", end="")
    os._exit(7)


def interrupt(event, context):
    raise KeyboardInterrupt


def prints(event, context):
    print("line")
    print("no end", end="")
    print("to stderr", file=sys.stderr)
    sys.stdout.write("written\n")
    sys.stdout.writelines(["a\n", "b\n"])
    context.log("by context")
    print("ünï")
    os.system("echo child")


def one_argument(event):
    return event


not_callable = "text"


def find_spec(event, context):
    """What a function may ask about its surroundings."""
    return {
        "first": sys.path[0] == os.environ["LAMBDA_TASK_ROOT"],
        "exit": [callable(exit), callable(quit), callable(help)],
        "file": os.path.basename(__file__),
        "name": __name__,
        "cwd": os.getcwd() == os.path.dirname(os.path.abspath(__file__)),
        "argv_is_list": isinstance(sys.argv, list),
        "encoding": sys.stdout.encoding,
        "json": json.loads("[1]"),
    }


def environment(event, context):
    os.environ["ADDED"] = "1"
    return [os.environ.get("_X_AMZN_TRACE_ID"), os.environ.get("ADDED")]


def sets_response(event, context):
    return "x" * event


def lets_go(event, context):
    weakref.finalize(context, print, "let go")
