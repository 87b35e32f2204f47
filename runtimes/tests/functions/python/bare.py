def handler(event, context):
    import os

    return [event, os.environ.get("_X_AMZN_TRACE_ID")]
