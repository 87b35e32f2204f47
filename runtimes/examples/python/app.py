"""Says hello. Handler: app.handler"""
import os


def handler(event, context):
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    print("saying hello to", name)
    return {"message": "Hello, %s!" % name, "runtime": os.environ.get("AWS_EXECUTION_ENV"), "request": context.aws_request_id}
