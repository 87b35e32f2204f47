"""Provisioned concurrency: environments that are ready before they are wanted."""

import collections
import concurrent.futures
import json
import re
import subprocess

import pytest

from support import clients, functions
from support.server import binary, wait_for

# Says how it was made and where it runs; sleeps for as long as told.
WHERE = """
    import os, time
    def handler(event, context):
        time.sleep((event or {}).get('seconds', 0))
        return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'],
                os.environ['AWS_LAMBDA_LOG_STREAM_NAME'],
                os.environ['AWS_LAMBDA_FUNCTION_VERSION']]
"""
AHEAD = "provisioned-concurrency"
NOT_FOUND = "ProvisionedConcurrencyConfigNotFoundException"


def publish(client, name, description):
    """A new version, different from those before."""
    client.update_function_configuration(FunctionName=name, Description=description)
    functions.until_updated(client, name)
    version = client.publish_version(FunctionName=name)["Version"]
    functions.until_active(client, name, Qualifier=version)
    return version


def provision(client, name, qualifier, count):
    return client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )


def config(client, name, qualifier):
    answer = client.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", answer["LastModified"])
    return answer


def numbers(answer):
    return (
        answer["Status"],
        answer["RequestedProvisionedConcurrentExecutions"],
        answer["AvailableProvisionedConcurrentExecutions"],
        answer["AllocatedProvisionedConcurrentExecutions"],
    )


def until(client, name, qualifier, status, within=30):
    def there():
        answer = config(client, name, qualifier)
        return answer if answer["Status"] == status else None

    return wait_for(there, within=within)


def run(client, name, qualifier, seconds=0):
    """How the environment was made, which it was, and the version; or the reason of a throttle."""
    try:
        answer = client.invoke(
            FunctionName=name, Qualifier=qualifier, Payload=json.dumps({"seconds": seconds}).encode()
        )
    except client.exceptions.TooManyRequestsException as error:
        return error.response["Reason"], None, None
    return json.loads(answer["Payload"].read())


def run_at_once(client, name, qualifier, count, seconds):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: run(client, name, qualifier, seconds), range(count)))


def kinds(answers):
    return collections.Counter(kind for kind, _, _ in answers)


def test_a_version_has_environments_before_its_first_invoke(client, deploy):
    name = deploy(WHERE, Timeout=20)
    version = publish(client, name, "one")
    begun = provision(client, name, version, 3)
    assert numbers(begun) == ("IN_PROGRESS", 3, 0, 0)
    ready = until(client, name, version, "READY")
    assert numbers(ready) == ("READY", 3, 3, 3)
    assert "StatusReason" not in ready
    answers = run_at_once(client, name, version, 3, 2)
    assert kinds(answers) == {AHEAD: 3}
    assert len({stream for _, stream, _ in answers}) == 3
    assert {number for _, _, number in answers} == {version}
    # All of it is there again, none was made on demand.
    assert kinds(run_at_once(client, name, version, 3, 2)) == {AHEAD: 3}
    assert kinds([run(client, name, "$LATEST")]) == {"on-demand": 1}


def test_more_than_is_provisioned_spills_over(client, deploy):
    name = deploy(WHERE, Timeout=20)
    version = publish(client, name, "one")
    provision(client, name, version, 2)
    until(client, name, version, "READY")
    assert kinds(run_at_once(client, name, version, 5, 3)) == {AHEAD: 2, "on-demand": 3}


def test_a_reservation_that_is_all_provisioned_throttles_everything_else(client, deploy):
    name = deploy(WHERE, Timeout=20)
    version = publish(client, name, "one")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    provision(client, name, version, 2)
    until(client, name, version, "READY")
    throttled = "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert kinds(run_at_once(client, name, version, 4, 3)) == {AHEAD: 2, throttled: 2}
    assert kinds([run(client, name, "$LATEST")]) == {throttled: 1}
    # It is a part of the reservation, which cannot become less than it.
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    assert refused.value.response["Error"]["Message"] == (
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned "
        "concurrency [2]."
    )
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        provision(client, name, version, 3)
    assert refused.value.response["Error"]["Message"] == (
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function"
    )


def test_an_alias_takes_it_along_to_another_version(client, deploy):
    name = deploy(WHERE, Timeout=20)
    first, second = publish(client, name, "one"), publish(client, name, "two")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    provision(client, name, "live", 2)
    until(client, name, "live", "READY")
    assert kinds([run(client, name, "live"), run(client, name, first)]) == {AHEAD: 2}
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=second)

    def moved():
        return run(client, name, "live")[0] == AHEAD and run(client, name, first)[0] != AHEAD

    wait_for(moved, within=30)
    assert run(client, name, "live")[2] == second
    assert numbers(until(client, name, "live", "READY")) == ("READY", 2, 2, 2)


def test_what_is_deleted_is_let_go(client, deploy):
    name = deploy(WHERE)
    version = publish(client, name, "one")
    provision(client, name, version, 1)
    until(client, name, version, "READY")
    made = run(client, name, version)[1]
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)
    [one] = listed["ProvisionedConcurrencyConfigs"]
    assert one["FunctionArn"].endswith(f":{name}:{version}")
    assert numbers(one) == ("READY", 1, 1, 1)
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
    # Once more is not an error.
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException) as gone:
        config(client, name, version)
    assert gone.value.response["Error"]["Message"] == (
        "No Provisioned Concurrency Config found for this function"
    )
    listed = client.list_provisioned_concurrency_configs(FunctionName=name)
    assert listed["ProvisionedConcurrencyConfigs"] == []
    wait_for(lambda: run(client, name, version)[1] != made)
    assert run(client, name, version)[0] == "on-demand"


def test_an_init_may_take_longer_than_on_demand_and_is_always_reported(server, client, deploy):
    """Ten seconds are the limit on demand; here nobody waits. Invokes do not wait either."""
    slow = "import time\ntime.sleep(11)\n" + WHERE.replace("\n    ", "\n")
    name = deploy(slow, Timeout=30)
    version = publish(client, name, "one")
    provision(client, name, version, 1)
    until(client, name, version, "READY", within=60)
    answer = client.invoke(FunctionName=name, Qualifier=version, LogType="Tail", Payload=b"{}")
    assert json.loads(answer["Payload"].read())[0] == AHEAD
    assert "FunctionError" not in answer
    wait_for(lambda: "REPORT RequestId" in log(server, name))
    [took] = re.findall(
        r"INIT_REPORT Init Duration: (\d+\.\d\d) ms\tPhase: init\n", log(server, name)
    )
    assert float(took) > 11_000
    # No invoke waited for it, so none reports it.
    assert not re.search(r"\bREPORT RequestId.*Init Duration", log(server, name))


def log(server, name):
    """All that a function's log has."""
    done = subprocess.run(
        [binary(), "logs", name, "--data-dir", str(server.data), "--endpoint", server.url],
        capture_output=True, text=True, timeout=10, env=server.environment(), check=True,
    )  # fmt: skip
    return done.stdout


def test_a_broken_init_fails_with_lambdas_reason(client, deploy):
    name = deploy("raise RuntimeError('not today')\n")
    version = publish(client, name, "one")
    provision(client, name, version, 2)
    failed = until(client, name, version, "FAILED")
    assert failed["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    assert numbers(failed) == ("FAILED", 2, 0, 0)


def test_what_finds_no_room_fails_and_comes_when_there_is_room(own_server):
    server = own_server("[worker]\nmemory_mb = 1024\n[placement]\novercommit = 1.0\n").start()
    client = clients.make(server)
    functions.create(client, "f", WHERE, MemorySize=256, Timeout=20)
    version = publish(client, "f", "one")
    provision(client, "f", version, 6)
    failed = until(client, "f", version, "FAILED")
    assert "room" in failed["StatusReason"]
    assert numbers(failed) == ("FAILED", 6, 4, 4)
    assert kinds(run_at_once(client, "f", version, 4, 2)) == {AHEAD: 4}
    provision(client, "f", version, 3)
    assert numbers(until(client, "f", version, "READY")) == ("READY", 3, 3, 3)
    server.finish()


def test_after_a_kill_it_is_made_again(own_server):
    server = own_server().start()
    client = clients.make(server)
    functions.create(client, "f", WHERE)
    version = publish(client, "f", "one")
    provision(client, "f", version, 2)
    until(client, "f", version, "READY")
    before = run(client, "f", version)[1]
    server.kill()
    server.start()
    client = clients.make(server)

    def again():
        kind, stream, _ = run(client, "f", version)
        return kind == AHEAD and stream != before

    wait_for(again, within=30)
    assert numbers(until(client, "f", version, "READY")) == ("READY", 2, 2, 2)
    server.finish()


def test_an_environment_that_dies_is_replaced(client, deploy):
    suicidal = """
        import os, signal
        def handler(event, context):
            if event == 'die':
                os.kill(1, signal.SIGKILL)
                os._exit(1)
            return [os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'], os.getpid()]
    """
    name = deploy(suicidal)
    version = publish(client, name, "one")
    provision(client, name, version, 1)
    until(client, name, version, "READY")
    assert "FunctionError" in client.invoke(FunctionName=name, Qualifier=version, Payload=b'"die"')

    def replaced():
        answer = client.invoke(FunctionName=name, Qualifier=version, Payload=b"1")
        return json.loads(answer["Payload"].read())[0] == AHEAD

    wait_for(replaced)
    assert numbers(until(client, name, version, "READY")) == ("READY", 1, 1, 1)


def test_it_is_refused_where_it_makes_no_sense(client, deploy):
    name = deploy(WHERE)
    invalid = client.exceptions.InvalidParameterValueException
    conflict = client.exceptions.ResourceConflictException
    missing = client.exceptions.ResourceNotFoundException

    def refused(error, qualifier, count=1):
        with pytest.raises(error) as refusal:
            provision(client, name, qualifier, count)
        return refusal.value.response["Error"]["Message"]

    unpublished = (
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )
    assert refused(invalid, "$LATEST") == unpublished
    assert refused(missing, "7").startswith("Function not found: ")
    refused(missing, "absent")
    client.create_alias(FunctionName=name, Name="latest", FunctionVersion="$LATEST")
    assert refused(invalid, "latest") == unpublished
    first, second = publish(client, name, "one"), publish(client, name, "two")
    client.create_alias(FunctionName=name, Name="a", FunctionVersion=first)
    client.create_alias(FunctionName=name, Name="b", FunctionVersion=first)
    client.create_alias(FunctionName=name, Name="c", FunctionVersion=second)
    client.create_alias(
        FunctionName=name, Name="two", FunctionVersion=first,
        RoutingConfig={"AdditionalVersionWeights": {second: 0.5}},
    )  # fmt: skip
    assert refused(invalid, "two") == (
        "Alias with weights can not be used with Provisioned Concurrency"
    )
    provision(client, name, "a", 1)
    assert refused(conflict, first) == "Version is pointed by a Provisioned Concurrency alias"
    assert refused(conflict, "b") == "Version is pointed by a Provisioned Concurrency alias"
    provision(client, name, second, 1)
    twice = (
        "Alias can't be used for Provisioned Concurrency configuration on an already "
        "Provisioned version"
    )
    assert refused(conflict, "c") == twice
    with pytest.raises(conflict) as refusal:
        client.update_alias(FunctionName=name, Name="a", FunctionVersion=second)
    assert refusal.value.response["Error"]["Message"] == twice
    with pytest.raises(client.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        config(client, name, "b")


def test_a_weight_may_be_put_on_an_alias_that_has_it(client, deploy):
    name = deploy(WHERE)
    first, second = publish(client, name, "one"), publish(client, name, "two")
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=first)
    provision(client, name, "live", 4)
    until(client, name, "live", "READY")
    client.update_alias(
        FunctionName=name, Name="live", RoutingConfig={"AdditionalVersionWeights": {second: 0.5}}
    )

    def both():
        kinds_of = {run(client, name, "live")[2]: None for _ in range(8)}
        ahead = run(client, name, first)[0] == AHEAD and run(client, name, second)[0] == AHEAD
        return len(kinds_of) == 2 and ahead

    wait_for(both, within=30)
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        provision(client, name, "live", 2)
    assert "weights" in refused.value.response["Error"]["Message"]
    assert numbers(until(client, name, "live", "READY")) == ("READY", 4, 4, 4)


def test_it_comes_out_of_the_accounts_pool(regional):
    name, other = functions.unique(), functions.unique()
    functions.create(regional, name, WHERE)
    functions.create(regional, other, WHERE)
    version = publish(regional, name, "one")

    def unreserved():
        return regional.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]

    provision(regional, name, version, 2)
    assert unreserved() == 998
    regional.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=897)
    assert unreserved() == 101
    with pytest.raises(regional.exceptions.InvalidParameterValueException) as refused:
        provision(regional, name, version, 4)
    assert refused.value.response["Error"]["Message"] == (
        "Specified ConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    with pytest.raises(regional.exceptions.InvalidParameterValueException) as refused:
        provision(regional, name, version, 1001)
    assert refused.value.response["Error"]["Message"] == (
        "Specified ConcurrentExecutions for function is greater than account's unreserved "
        "concurrency [1000]."
    )
    functions.delete(regional, other)
    provision(regional, name, version, 3)
    assert unreserved() == 997
    functions.delete(regional, name)
    assert unreserved() == 1000


def test_metrics_tell_of_use_and_spill_over(own_server):
    server = own_server().start()
    client = clients.make(server)
    functions.create(client, "f", WHERE, Timeout=20)
    version = publish(client, "f", "one")
    provision(client, "f", version, 2)
    until(client, "f", version, "READY")
    run_at_once(client, "f", version, 3, 3)
    labels = f'{{account="000000000000",region="us-east-1",function="f",version="{version}"}}'
    metric = "lambent_counting_provisioned_"
    assert server.metric(f"{metric}invocations_total{labels}") == 2
    assert server.metric(f"{metric}spillover_invocations_total{labels}") == 1
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, client, "f", version, 4)

        def half_used():
            return server.metric(f"{metric}utilization{labels}") == 0.5

        wait_for(half_used)
        assert server.metric(f"{metric}executions_concurrent{labels}") == 1
        running.result()
    server.finish()
