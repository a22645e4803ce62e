"""How many people there are over time, where LOAD_SHAPE names one of the shapes in the configuration."""

import os

from locust import LoadTestShape

from load_config import CONFIG


def stage_at(stages, seconds):
    """The stage of that second; None after the last one."""
    for stage in stages:
        if seconds < stage["seconds"]:
            return stage
        seconds -= stage["seconds"]
    return None


def chosen_shape():
    name = os.environ.get("LOAD_SHAPE")
    if not name:
        return None
    stages, users = CONFIG["shapes"][name], int(os.environ.get("LOAD_USERS", "2000"))

    class Stages(LoadTestShape):
        def tick(self):
            stage = stage_at(stages, self.get_run_time())
            return stage and (max(1, round(stage["users"] * users)), stage["spawn_rate"])

    return Stages
