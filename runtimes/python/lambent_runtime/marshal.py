"""Events from JSON, results to JSON, as AWS's client does it with simplejson.

The standard `json` package imports `re`, `enum` and `functools` (4 ms), but its work is done by the extension `_json`,
which needs none of them: so that is used directly, and `json` only to word an error.

What simplejson does and `json` doesn't, and so is added here: `Decimal` becomes a number with all its digits, bytes
become text, and named tuples (and whatever has `_asdict`) become objects.
"""
import sys
from _json import (
    encode_basestring,
    encode_basestring_ascii,
    make_encoder,
    make_scanner,
)

BLANK = " \t\n\r"
# From Python 3.12 on Lambda leaves characters beyond ASCII as they are.
ESCAPING = ("AWS_Lambda_python3.8", "AWS_Lambda_python3.9", "AWS_Lambda_python3.10", "AWS_Lambda_python3.11")
UNESCAPING = ("AWS_Lambda_python3.12", "AWS_Lambda_python3.13", "AWS_Lambda_python3.14", "AWS_Lambda_python3.15")


class _Scan:
    """What the scanner reads its settings from."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(text):
        raise ValueError("Out of range float values are not JSON compliant: " + text)


_scan = make_scanner(_Scan)


def loads(data):
    """Raises whatever `json` would raise, with its message."""
    text = str(data, "utf-8")
    try:
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except StopIteration:
        pass  # Blank space before the value, or no value.
    return _loads_slow(text)


def _loads_slow(text):
    start = 1 if text[:1] == "\ufeff" else 0
    while text[start : start + 1] and text[start] in BLANK:
        start += 1
    try:
        value, end = _scan(text, start)
    except StopIteration as stop:
        from json import JSONDecodeError

        raise JSONDecodeError("Expecting value", text, stop.value) from None
    while end < len(text) and text[end] in BLANK:
        end += 1
    if end != len(text):
        from json import JSONDecodeError

        raise JSONDecodeError("Extra data", text, end)
    return value


class Encoder:
    """`encode(value)` gives the text. Not for more than one thread."""

    def __init__(self, execution_environment):
        self._markers = {}
        basestring = encode_basestring if execution_environment in UNESCAPING else encode_basestring_ascii
        self._make = make_encoder(self._markers, self._default, basestring, None, ": ", ", ", False, False, True)
        # Stands before the digits of a Decimal until they can be written unquoted.
        self._token = None

    def encode(self, value):
        try:
            if _named_tuples_exist() and _holds_named_tuple(value):
                value = self._plain(value)
            try:
                text = "".join(self._make(value, 0))
            except TypeError:
                # A key of a type that only simplejson knows; or an error, which comes again.
                self._markers.clear()
                text = "".join(self._make(self._plain(value), 0))
        finally:
            self._markers.clear()
        return text if self._token is None else self._unquote(text)

    def _default(self, value):
        """Called for each value that JSON has no form for."""
        if isinstance(value, bytes):
            return str(value, "utf-8")
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(value, decimal.Decimal):
            return self._decimal(value)
        as_dict = getattr(value, "_asdict", None)
        if callable(as_dict):
            return self._plain(value)
        raise TypeError("Object of type %s is not JSON serializable" % value.__class__.__name__)

    def _decimal(self, value):
        if value.is_nan():
            return float("nan")
        if self._token is None:
            import os

            self._token = os.urandom(16).hex() + ":"
        return self._token + str(value)

    def _unquote(self, text):
        parts = text.split('"' + self._token)
        numbers = ["".join(part.split('"', 1)) for part in parts[1:]]
        return parts[0] + "".join(numbers)

    def _plain(self, value, above=()):
        """The same value with named tuples as dicts and keys as text: what the C encoder has no hook for."""
        if isinstance(value, (str, int, float)) or value is None:
            return value
        as_dict = getattr(value, "_asdict", None)
        if not isinstance(value, (list, tuple, dict)) and not callable(as_dict):
            return value
        if id(value) in above:
            raise ValueError("Circular reference detected")
        above = (*above, id(value))
        if callable(as_dict):
            value = as_dict()
            if not isinstance(value, dict):
                raise TypeError("_asdict() must return a dict, not %s" % type(value).__name__)
        if isinstance(value, dict):
            return {
                (str(key, "utf-8") if isinstance(key, bytes) else key): self._plain(item, above)
                for key, item in value.items()
            }
        return [self._plain(item, above) for item in value]


def _named_tuples_exist():
    """Whether any class of named tuples exists. Most programs have some, a bare handler none."""
    for kind in tuple.__subclasses__():
        if hasattr(kind, "_asdict"):
            return True
    return False


def _holds_named_tuple(value):
    """Looks at each container once; some 80 ns per item."""
    seen = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (dict, list, tuple)):
            if hasattr(item, "_asdict"):
                return True
            if id(item) not in seen:
                seen.add(id(item))
                waiting.extend(item.values() if isinstance(item, dict) else item)
    return False
