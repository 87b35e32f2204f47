"""Lambent's loop between the Runtime API and a Python function: the behaviour of AWS's own runtime interface
client, at less than half its start time.

`bootstrap` is the loop, `client` speaks HTTP, `marshal` JSON, `context` is the handler's second argument.
`faults` and `logs` are read only when something failed or the function imports `logging`.
What may not be imported on the way to the first event: anything that is not built into the interpreter or frozen
in it. `tests/test_python_start.py` holds the list.
"""
