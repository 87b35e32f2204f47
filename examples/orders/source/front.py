"""Greets, in the words of the layer."""

import os

import words


def handler(event, context):
    return [words.polite(os.environ["GREETING"]), os.environ["BACK"], context.invoked_function_arn]
