"""Groundswell's GraphQL, as its clients speak it: persisted operations by their hash, reads by GET, errors in the body."""

import hashlib
import json
from functools import lru_cache
from urllib.parse import urlencode

from parsed import parsed

# Faults of which a client cannot tell whether the write was taken before.
MAYBE = {"SERVICE_UNAVAILABLE", "SERVICE_BUSY", "INTERNAL_SERVER_ERROR"}


class Operation:
    def __init__(self, text, sha256=None):
        self.text = text
        self.sha256 = sha256 or hashlib.sha256(text.encode()).hexdigest()


class Answer:
    """`data` only where all that was asked was answered; `fault` says what is wrong."""

    def __init__(self, response):
        body = parsed(response.text or "")
        self.codes = [error.get("extensions", {}).get("code") for error in body.get("errors") or []]
        self.is_right = response.status_code == 200 and not self.codes and bool(body.get("data"))
        self.data = body["data"] if self.is_right else None
        self.may_have_arrived = not self.is_right and (not self.codes or bool(MAYBE.intersection(self.codes)))
        self.fault = None if self.is_right else f"{response.status_code} {' '.join(map(str, self.codes))}".strip()


@lru_cache(maxsize=1_024)
def query_of(text, variables, sha256):
    body = body_of(text, dict(variables), sha256)
    return urlencode({key: value if key == "query" else json.dumps(value) for key, value in body.items()})


def body_of(text, variables, sha256):
    body = {"variables": variables, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256}}}
    return {"query": text, **body} if text else body


class GraphqlPerson:
    """Says what people do in GraphQL. A subclass names its operations."""

    popular_operation = record_operation = retract_operation = bulk_operation = None

    def popular(self, name, window, category, first):
        # A phone's operation names all of its variables.
        variables = {"window": window, "category": category, "first": first, "ranking": "popular"}
        # The same for everybody, so nothing names the device: caches may keep it.
        answer = self.ask(name, "GET", self.popular_operation, variables, {"apollo-require-preflight": "true"})
        return [node["item"]["id"] for node in answer.data["popularItems"]["nodes"]] if answer.is_right else None

    def record(self, name, interactions):
        inputs = [{"id": each.id, "itemId": each.item, "type": each.type} for each in interactions]
        headers = {"x-device-id": self.viewer}
        if self.bulk_operation and not interactions[0].retraction:
            answer = self.ask(name, "POST", self.bulk_operation, {"inputs": inputs}, headers)
        else:
            [interaction] = interactions
            operation = self.retract_operation if interaction.retraction else self.record_operation
            # The header lets a proxy, too, send it again.
            headers["idempotency-key"] = interaction.id
            answer = self.ask(name, "POST", operation, {"input": inputs[0]}, headers)
        # Of a bulk that was refused in part, the rest is in.
        unsure = answer.may_have_arrived or (not answer.is_right and len(interactions) > 1)
        return None if unsure else answer.is_right

    def ask(self, name, method, operation, variables, headers):
        """By the hash alone; with the text once, when the server says that it does not know it."""
        variables = {key: value for key, value in variables.items() if f"${key}:" in operation.text}
        for text in (None, operation.text):
            with self.send(name, method, text, variables, operation.sha256, headers) as response:
                answer = Answer(response)
                if not text and answer.codes == ["PERSISTED_QUERY_NOT_FOUND"]:
                    response.success()
                    continue
                answer.fault = answer.fault or fault_of_inputs(answer.data)
                if answer.fault:
                    answer.is_right = False
                    response.failure(answer.fault)
                else:
                    response.success()
                return answer

    def send(self, name, method, text, variables, sha256, headers):
        if method == "GET":
            query = query_of(text, tuple(variables.items()), sha256)
            return self.client.get(f"/graphql?{query}", headers=headers, name=name, catch_response=True)
        body = body_of(text, variables, sha256)
        return self.client.post("/graphql", json=body, headers=headers, name=name, catch_response=True)


def fault_of_inputs(data):
    """What was refused: GraphQL says so in each payload's `userErrors`."""
    codes = {
        fault["code"]
        for payload in data.values()
        for part in payload.get("results", [payload])
        for fault in part.get("userErrors", [])
    }
    return f"user errors {' '.join(sorted(codes))}" if codes else None
