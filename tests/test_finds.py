"""What a function finds is what AWS Lambda's functions find: the tables of `support/finds.py`, walked from within."""

import pytest

from support import finds
from test_custom import BOOTSTRAP

LOOKERS = {
    "python3.12": finds.PYTHON,
    "nodejs20.x": finds.NODEJS,
    "provided.al2023": {"bootstrap": BOOTSTRAP % finds.BOOTSTRAP},
    "provided.al2": {"bootstrap": BOOTSTRAP % finds.BOOTSTRAP},
}


@pytest.mark.parametrize("runtime", LOOKERS)
def test_functions_find_what_aws_has(deploy, invoke, runtime):
    name = deploy(LOOKERS[runtime], prefix="finds", runtime=runtime, Timeout=20, MemorySize=512)
    answer = invoke(name, finds.commands(runtime))
    assert answer.error is None, answer.body
    assert finds.differences(runtime, answer.json) == []
