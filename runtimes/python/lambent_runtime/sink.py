"""Log records on their way: as frames to the platform, which keeps each as one event, or as lines on standard output.

Read with the first record. A frame is a kind, the message's length and the time in microseconds, big-endian, and the
message: what AWS's runtimes write to `_LAMBDA_TELEMETRY_LOG_FD`.
"""
import posix
import sys
from time import time_ns

TEXT_BIT = 1
# By the numbers of `logging`; bits 2 to 4 of the kind.
LEVEL_BITS = {10: 0x08, 20: 0x0C, 30: 0x10, 40: 0x14, 50: 0x18}
KIND = 0xA55A0002


class StandardLogSink:
    """Standard output, where a line is an event: so line breaks within a message can't stay what they are."""

    def log(self, msg, frame_type=None):
        sys.stdout.write(msg)

    def log_error(self, message_lines):
        sys.stdout.write("\r".join(message_lines) + "\n")


class FramedTelemetryLogSink:
    """`fd` is a descriptor of the platform's."""

    def __init__(self, fd, error_kind):
        self.fd = fd
        self.error_kind = error_kind

    def log(self, msg, frame_type=None):
        message = msg.encode("utf-8", "backslashreplace")
        frame = b"".join(
            (
                frame_type or kind_of(0, False),
                len(message).to_bytes(4, "big"),
                (time_ns() // 1000).to_bytes(8, "big"),
                message,
            )
        )
        sent = posix.write(self.fd, frame)
        while sent < len(frame):
            sent += posix.write(self.fd, frame[sent:])

    def log_error(self, message_lines):
        self.log("\n".join(message_lines), self.error_kind)


def kind_of(level, json_format):
    """The first four bytes of a frame. `level` is a number of `logging`; others than its own have no bits."""
    return (KIND | LEVEL_BITS.get(level, 0) | (0 if json_format else TEXT_BIT)).to_bytes(4, "big")


def make(descriptor, json_format):
    """`descriptor` is where frames go, if the platform takes any."""
    if descriptor is None:
        return StandardLogSink()
    return FramedTelemetryLogSink(descriptor, kind_of(40, json_format))
