"""What our Python loop does, and above all what it doesn't, before it asks for the first event."""

import json
import subprocess

from harness import run

SITE = """
import sys
def handler(event, context):
    return [name for name in ("sitecustomize", "usercustomize", "added_by_user") if name in sys.modules] + sys.path
import added_by_user
"""


def modules(python, tmp_path, names):
    """Which of the names the loop has imported when it calls a handler that imports nothing but `sys`."""
    (tmp_path / "ask.py").write_text("def handler(event, context):\n    import sys\n    return [n for n in %r if n in sys.modules]\n" % names)
    return json.loads(run(python[0], tmp_path, "ask.handler", [b"{}"]).posts[0].body)


def test_nothing_heavy_is_imported(python, tmp_path):
    heavy = ["re", "enum", "functools", "collections", "json", "logging", "traceback", "socket", "http", "site", "os",
             "importlib", "importlib.util", "types", "threading", "datetime", "typing", "contextlib", "warnings"]
    assert modules(python, tmp_path, heavy) == []


def test_only_our_own_files_are_read(python, tmp_path):
    """Except those that the interpreter always reads: there are none of modules that are built into it or frozen in it."""
    (tmp_path / "ask.py").write_text(
        "def handler(event, context):\n    import sys\n"
        "    specs = [m.__spec__ for m in sys.modules.values() if m.__spec__]\n"
        "    return [s.name for s in specs if s.origin not in ('built-in', 'frozen')]\n"
    )
    read = json.loads(run(python[0], tmp_path, "ask.handler", [b"{}"]).posts[0].body)
    assert [name for name in read if name.split(".")[0] not in ("encodings", "lambent_runtime", "ask", "_json")] == []


def test_sys_path_is_lambdas(python, tmp_path):
    (tmp_path / "ask.py").write_text("import sys\ndef handler(event, context): return sys.path\n")
    path = json.loads(run(python[0], tmp_path, "ask.handler", [b"{}"]).posts[0].body)
    version = python[0].version
    assert path[:4] == [str(tmp_path), "/opt/python/lib/python%s/site-packages" % version, "/opt/python", str(python[0].folder)]
    assert path[-1] in ("/usr/lib/python3/dist-packages", "/usr/local/lib/python%s/dist-packages" % version)


def test_layers_are_looked_for_by_the_runtimes_version(python, tmp_path):
    (tmp_path / "ask.py").write_text("import sys\ndef handler(event, context): return sys.path\n")
    outcome = run(python[0], tmp_path, "ask.handler", [b"{}"], {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.99"})
    assert json.loads(outcome.posts[0].body)[1] == "/opt/python/lib/python3.99/site-packages"


def test_a_python_path_of_the_functions_own_gets_all_of_site(python, tmp_path):
    more = tmp_path / "more"
    more.mkdir()
    (more / "sitecustomize.py").write_text("print('customised')\n")
    (more / "added_by_user.py").write_text("")
    task = tmp_path / "task"
    task.mkdir()
    (task / "ask.py").write_text(SITE)
    outcome = run(python[0], task, "ask.handler", [b"{}"], {"PYTHONPATH": str(more)})
    found = json.loads(outcome.posts[0].body)
    assert outcome.output == "customised\n"
    assert {"sitecustomize", "added_by_user", str(more)} <= set(found)
    assert found.index(str(task)) < found.index(str(more))


def test_the_built_folder_holds_what_the_interpreter_would_compile(python):
    """Or each start would compile it again, the folder being read-only."""
    tag = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(sys.implementation.cache_tag)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    package = python[0].folder / "lambent_runtime"
    for source in package.glob("*.py"):
        compiled = package / "__pycache__" / ("%s.%s.pyc" % (source.stem, tag))
        # Bits 0 and 1: by hash, never checked.
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"
