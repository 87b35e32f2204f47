"""What the interpreter is started with. Everything is in the packages next to it, because a module that is
imported is read compiled, while this file is compiled again at every start."""
from lambent_runtime import bootstrap as loop


def __getattr__(name):
    """Tools that patch AWS's client look for it here: in `__main__`, where AWS's own file of this name has it."""
    if name in ("awslambdaricmain", "bootstrap"):
        client = loop.awslambdaric()
        return client if name == "awslambdaricmain" else client.bootstrap
    raise AttributeError("module %r has no attribute %r" % (__name__, name))


if __name__ == "__main__":
    loop.main()
