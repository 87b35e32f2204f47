"""Callers that invoke a function without a pause, and remember each answer that was not as it should be."""

import json
import threading

from botocore.exceptions import BotoCoreError, ClientError


class Load:
    """Invokes `name` from some threads with each of `clients`, from `with` until its end."""

    def __init__(self, clients, name, threads=3):
        self.failures, self.done = [], 0
        self._ends = threading.Event()
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, args=(client, name, f"{number}-{which}"))
            for number, client in enumerate(clients)
            for which in range(threads)
        ]

    def _run(self, client, name, who):
        count = 0
        while not self._ends.is_set():
            count += 1
            sent = f"{who}-{count}"
            try:
                answer = client.invoke(FunctionName=name, Payload=json.dumps(sent))
                got = json.loads(answer["Payload"].read())
                fine = "FunctionError" not in answer and got == sent
                failure = None if fine else f"{sent}: {got}"
            except (ClientError, BotoCoreError) as error:
                failure = f"{sent}: {error}"
            with self._changed:
                self.done += 1
                if failure:
                    self.failures.append(failure)
                self._changed.notify_all()

    def more(self, count, within=60):
        """Waits for `count` more answers."""
        with self._changed:
            goal = self.done + count
            assert self._changed.wait_for(lambda: self.done >= goal, within), "no answers come"

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join()
