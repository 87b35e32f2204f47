"""What both functions say."""


def polite(text):
    return f"{text}, please"
