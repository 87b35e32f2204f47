"""A soak: an ordinary account next to a hostile one, on one server. See `__main__`."""
