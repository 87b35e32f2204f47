"""Keeps what it is given to itself."""


def handler(event, context):
    return {"kept": event}
