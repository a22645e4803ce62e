"""What people do, whatever the service speaks: mostly looking, sometimes liking.

How it is said to a service is the business of a subclass, which has:

    popular(name, window, category, first)   the ids of the items shown, None when that failed
    record(name, interactions)               True: accepted; False: refused; None: nobody knows
"""

import random
import uuid

import gevent
from locust import FastHttpUser, between, task

from ledger import LEDGER, Interaction
from load_config import CONFIG
from uuid7 import uuid7

CATALOGUE, REQUESTS, WEB, MOBILE = (CONFIG[name] for name in ("catalogue", "requests", "web", "mobile"))


def one_in_hundred(percent):
    return random.random() * 100 < percent


class Person(FastHttpUser):
    abstract = True
    connection_timeout = network_timeout = REQUESTS["timeout_seconds"]
    # One connection each, as browsers and phones have over HTTP/1.1 where requests do not overlap.
    concurrency = 1
    attempts = REQUESTS["attempts"]
    resend_percent = REQUESTS["resend_percent"]

    def on_start(self):
        # Anonymous: each one is a device.
        self.viewer = str(uuid.uuid4())
        self.seen = []

    def look(self, name, first):
        category = random.choice(CATALOGUE["categories"]) if one_in_hundred(CATALOGUE["category_percent"]) else None
        # An empty list shows nothing to click on.
        self.seen = self.popular(name, random.choice(REQUESTS["windows"]), category, first) or self.seen

    def pick_item(self):
        """Mostly of what is on the screen, else any: few are found often, as everywhere."""
        if self.seen and one_in_hundred(70):
            return random.choice(self.seen)
        return f"{CATALOGUE['prefix']}{1 + int(CATALOGUE['count'] * random.random() ** 3)}"

    def write(self, name, interactions):
        """Sends until somebody says yes or no; whether it was accepted."""
        LEDGER.sent(self.viewer, interactions)
        unsure = False
        for attempt in range(self.attempts):
            if attempt > 0:
                gevent.sleep(REQUESTS["retry_seconds"])
            accepted = self.record(name, interactions)
            # A no tells nothing of an attempt before it that got no answer.
            if accepted or (accepted is False and not unsure):
                LEDGER.answered(accepted, interactions)
            if accepted is not None:
                break
            unsure = True
        if accepted and one_in_hundred(self.resend_percent):
            self.record(f"{name} (again)", interactions)
        return accepted


class WebPerson(Person):
    abstract = True
    weight = WEB["weight"]
    wait_time = between(*WEB["think_seconds"])

    def on_start(self):
        super().on_start()
        self.reacted = []

    @task(WEB["tasks"]["browse"])
    def browse(self):
        self.look("web: popular", WEB["page"])

    @task(WEB["tasks"]["like"])
    def like(self):
        self.react("LIKE")

    @task(WEB["tasks"]["save"])
    def save(self):
        self.react("SAVE")

    def react(self, reaction):
        given = Interaction(uuid7(), self.pick_item(), reaction)
        if self.write(f"web: {reaction.lower()}", [given]):
            self.reacted.append(given)

    @task(WEB["tasks"]["retract"])
    def retract(self):
        if not self.reacted:
            return self.browse()
        given = self.reacted.pop(random.randrange(len(self.reacted)))
        self.write("web: retract", [Interaction(uuid7(), given.item, given.type, retraction=True)])


class MobilePerson(Person):
    """Collects what was looked at and sends it in one go."""

    abstract = True
    # Whether the service takes many at once.
    bulk = True
    weight = MOBILE["weight"]
    wait_time = between(*MOBILE["think_seconds"])

    @task(MOBILE["tasks"]["browse"])
    def browse(self):
        self.look("mobile: popular", MOBILE["page"])

    @task(MOBILE["tasks"]["send_views"])
    def send_views(self):
        count = random.randint(*MOBILE["views_at_once"])
        views = [Interaction(uuid7(), self.pick_item(), "VIEW") for _ in range(count)]
        for part in [views] if self.bulk else [[view] for view in views]:
            self.write("mobile: views", part)
