"""Servers that tests start: found by what they say first."""

import threading


def started(process, output, pattern, within, name):
    """Reads `output` until a line matches. Gives the match, and the thread that reads the rest away,
    lest the server wait for somebody to do so."""
    timer = threading.Timer(within, process.kill)
    timer.start()
    said, found = b"", None
    for line in output:
        said += line
        found = pattern.search(line)
        if found:
            break
    timer.cancel()
    if not found:
        raise RuntimeError(f"{name} did not start: {said.decode()}")
    reader = threading.Thread(target=output.read, daemon=True)
    reader.start()
    return found, reader
