"""A soak: an ordinary account beside a hostile one, on one server. See `__main__`."""
