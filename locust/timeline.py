"""Every second's requests by name: how many, how many failed, and how long they took, as a histogram.

Locust's own history has percentiles of all requests together only, and those of several processes cannot be added up;
histograms can.
"""

import json
import math
import os
import time
from collections import Counter, defaultdict
from pathlib import Path

import gevent
from locust.runners import MasterRunner

# A bucket ends 5 % above where it begins, from 1 ms on.
GROWTH = 1.05


def bucket_of(ms):
    return 0 if ms <= 1 else math.ceil(math.log(ms, GROWTH))


class Timeline:
    def __init__(self, folder, environment):
        path = Path(folder) / f"timeline-{os.getpid()}.ndjson"
        self.file = path.open("a", buffering=1, encoding="utf-8")
        self.environment = environment
        self.clear()

    def clear(self):
        self.buckets = defaultdict(Counter)
        self.failed = Counter()
        self.faults = Counter()

    def on_request(self, name, response_time, exception, **_):
        self.buckets[name][bucket_of(response_time)] += 1
        if exception:
            self.failed[name] += 1
            self.faults[str(exception)] += 1

    def write_every_second(self):
        while True:
            gevent.sleep(1)
            self.write()

    def write(self):
        requests = {name: {"failed": self.failed[name], "ms": dict(ms)} for name, ms in self.buckets.items()}
        line = {
            "at": time.time(),
            "users": self.environment.runner.user_count,
            "requests": requests,
            "faults": dict(self.faults),
        }
        self.clear()
        self.file.write(json.dumps(line, separators=(",", ":")) + "\n")


def keep_timeline(environment):
    folder = os.environ.get("LOAD_OUTPUT")
    # A master sends no requests.
    if not folder or isinstance(environment.runner, MasterRunner):
        return
    timeline = Timeline(folder, environment)
    environment.events.request.add_listener(timeline.on_request)
    environment.events.quitting.add_listener(lambda **_: timeline.write())
    gevent.spawn(timeline.write_every_second)
