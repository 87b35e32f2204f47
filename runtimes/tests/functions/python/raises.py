def deep():
    raise RuntimeError("at import é")


deep()
