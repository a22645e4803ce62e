"""People on the web and on phones: mostly looking, sometimes liking.

    locust -f locust/locustfile.py --host http://127.0.0.1:4000
"""

import hashlib
import json
import random
import time
import uuid
from urllib.parse import urlencode

from locust import FastHttpUser, between, task

POPULAR = """query LoadPopular($window: PopularityWindow, $first: Int!) {
  popularItems(window: $window, first: $first) { asOf nodes { rank people counts { type count } item { id title } } }
}"""
LIKE = """mutation LoadLike($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { id item { viewerReactions } } userErrors { code message } }
}"""
UNLIKE = """mutation LoadUnlike($input: RetractInteractionInput!) {
  retractInteraction(input: $input) { interaction { id item { viewerReactions } } userErrors { code message } }
}"""
VIEWS = """mutation LoadViews($inputs: [RecordInteractionInput!]!) {
  recordInteractions(inputs: $inputs) { results { userErrors { code message } } }
}"""
WINDOWS = ["HOUR", "DAY", "DAY", "WEEK", "WEEK", "WEEK", "MONTH", "ALL_TIME"]
# Of the catalogue that `npm start` begins with.
DEMO_ITEMS = [f"book-{number}" for number in range(1, 201)]


def uuid7():
    """The id of an interaction: with one of the client's own, a retry counts once."""
    bits = (time.time_ns() // 1_000_000) << 80 | random.getrandbits(80)
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=bits))


class Person(FastHttpUser):
    abstract = True
    first = 20
    # A phone or a browser gives up some time.
    connection_timeout = 10.0
    network_timeout = 10.0

    def on_start(self):
        # Anonymous: each one is a device.
        self.headers = {"x-device-id": str(uuid.uuid4())}
        self.items = DEMO_ITEMS

    def read_popular(self, name):
        variables = {"window": random.choice(WINDOWS), "first": self.first}
        data = self.persisted_get(POPULAR, variables, name)
        found = [node["item"]["id"] for node in data["popularItems"]["nodes"]] if data else []
        # What is popular is what people see and like.
        self.items = found or self.items

    def persisted_get(self, query, variables, name):
        """By its hash alone; with its text once, when the server says that it does not know it."""
        sha256 = hashlib.sha256(query.encode()).hexdigest()
        parameters = {
            "variables": json.dumps(variables),
            "extensions": json.dumps({"persistedQuery": {"version": 1, "sha256Hash": sha256}}),
        }
        # Public and the same for everybody, so nothing names the device.
        headers = {"apollo-require-preflight": "true"}
        for sent in (parameters, {**parameters, "query": query}):
            url = "/graphql?" + urlencode(sent)
            with self.client.get(url, headers=headers, name=name, catch_response=True) as response:
                body = self.body_of(response)
                if "PERSISTED_QUERY_NOT_FOUND" in codes_of(body):
                    response.success()
                    continue
                return self.data_of(response, body)
        return None

    def mutate(self, query, variables, name):
        body = {"query": query, "variables": variables}
        with self.client.post("/graphql", json=body, headers=self.headers, name=name, catch_response=True) as response:
            return self.data_of(response, self.body_of(response))

    @staticmethod
    def body_of(response):
        try:
            return response.json() or {}
        except (TypeError, ValueError):
            return {}

    @staticmethod
    def data_of(response, body):
        """Fails the request unless all that was asked was done: GraphQL says so in the body."""
        data = body.get("data")
        if response.status_code != 200 or body.get("errors") or not data:
            response.failure(f"{response.status_code} {codes_of(body)}")
            return None
        faults = [fault["code"] for fault in user_errors(data)]
        if faults:
            response.failure(f"user errors {sorted(set(faults))}")
            return None
        response.success()
        return data


class WebUser(Person):
    weight = 4
    wait_time = between(0.5, 2)

    def on_start(self):
        super().on_start()
        self.liked = []

    @task(10)
    def browse(self):
        self.read_popular("web: popular")

    @task(3)
    def like(self):
        item = random.choice(self.items)
        data = self.mutate(LIKE, {"input": {"itemId": item, "type": "LIKE", "id": uuid7()}}, "web: like")
        if data:
            self.liked.append(item)

    @task(1)
    def unlike(self):
        if not self.liked:
            return
        item = self.liked.pop(random.randrange(len(self.liked)))
        self.mutate(UNLIKE, {"input": {"itemId": item, "type": "LIKE", "id": uuid7()}}, "web: un-like")


class MobileUser(Person):
    """Collects what was looked at and sends it in one go."""

    weight = 1
    wait_time = between(1, 4)
    first = 50

    @task(3)
    def browse(self):
        self.read_popular("mobile: popular")

    @task(2)
    def send_views(self):
        seen = random.choices(self.items, k=random.randint(5, 50))
        inputs = [{"itemId": item, "type": "VIEW", "id": uuid7()} for item in seen]
        self.mutate(VIEWS, {"inputs": inputs}, "mobile: views in bulk")


def codes_of(body):
    return [error.get("extensions", {}).get("code") for error in body.get("errors") or []]


def user_errors(data):
    for payload in data.values():
        for part in payload.get("results", [payload]):
            yield from part.get("userErrors", [])
