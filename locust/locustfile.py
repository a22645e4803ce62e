"""People on the web and on phones, speaking GraphQL.

    locust -f locust/locustfile.py --host http://127.0.0.1:4000
"""

import json
from pathlib import Path

from locust import events

import runner_repairs  # noqa: F401
from graphql_person import GraphqlPerson, Operation
from people import MobilePerson, WebPerson
from shapes import chosen_shape
from timeline import keep_timeline

events.init.add_listener(lambda environment, **_: keep_timeline(environment))

MANIFEST = Path(__file__).parents[1] / "examples" / "mobile" / "persisted-query-manifest.json"
PHONE = {
    operation["name"]: Operation(operation["body"], operation["id"])
    for operation in json.loads(MANIFEST.read_text(encoding="utf-8"))["operations"]
}


class WebUser(GraphqlPerson, WebPerson):
    """As the page in examples/web: automatic persisted queries."""

    popular_operation = Operation("""query PopularItems($window: PopularityWindow, $category: String, $first: Int!) {
  popularItems(first: $first, window: $window, category: $category) {
    nodes { rank people counts { type count } item { id title category imageUrl } }
  }
}""")
    record_operation = Operation("""mutation Record($input: RecordInteractionInput!) {
  recordInteraction(input: $input) { interaction { item { id viewerReactions } } userErrors { code message } }
}""")
    retract_operation = Operation("""mutation Retract($input: RetractInteractionInput!) {
  retractInteraction(input: $input) { interaction { item { id viewerReactions } } userErrors { code message } }
}""")


class MobileUser(GraphqlPerson, MobilePerson):
    """As the app in examples/mobile: only what its manifest lists."""

    popular_operation = PHONE["PopularItems"]
    bulk_operation = PHONE["RecordInteractions"]


# Locust takes every shape class that it finds here, so there is one only where one was asked for.
if shape := chosen_shape():
    Shape = shape
