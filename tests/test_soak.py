"""An ordinary account next to a hostile one. `python -m soak 1200`, in this folder, is the long run, with its
figures; this is a short one that looks for errors and for what remains."""

import json
import subprocess
import sys


def test_a_hostile_account_is_no_error_to_its_neighbour_and_leaves_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "soak", "20"], capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert not result["errors"], result
    assert result["invokes"] > 100, result
    assert all(times for times, _ in result["attacks"].values()), result["attacks"]
    assert not result["more"], result
    assert result["end"]["status"] == 0, result
