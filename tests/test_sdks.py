"""AWS SDKs of other languages, each with a suite of its own in its own language."""

import base64
import os
import shutil
import subprocess

from support import functions
from support.server import REPOSITORY

SOURCE = """
    export const handler = async (event) => {
        if (event.fail) throw new RangeError('as told');
        return event;
    };
"""


def test_the_sdk_for_javascript(server, tmp_path):
    fetched = subprocess.run([REPOSITORY / "tools" / "sdks"], check=True, capture_output=True,
                             text=True, timeout=300).stdout.strip()
    shutil.copy(REPOSITORY / "tests" / "sdk" / "javascript" / "lambda.test.mjs", tmp_path)
    os.symlink(f"{fetched}/node_modules", tmp_path / "node_modules")
    key, secret = server.credentials()
    package, _ = functions.source_package("nodejs20.x", SOURCE)
    environment = {
        "PATH": os.environ["PATH"],
        "LAMBENT_URL": server.url,
        "LAMBENT_KEY": key,
        "LAMBENT_SECRET": secret,
        "LAMBENT_PACKAGE": base64.b64encode(package).decode(),
    }
    done = subprocess.run(["node", "--test", "lambda.test.mjs"], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
