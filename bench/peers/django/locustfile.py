"""The people of locust/people.py, with the guide's two views.

It has no ids of interactions, so nothing is sent again: that would count twice. It takes one interaction at a time, and
has one list, of the last week.
"""

import sys
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[3] / "locust"))

from locust import events

import runner_repairs  # noqa: F401
from parsed import parsed
from people import MobilePerson, WebPerson
from timeline import keep_timeline

events.init.add_listener(lambda environment, **_: keep_timeline(environment))


class GuidePerson:
    attempts = 1
    resend_percent = 0
    bulk = False

    def popular(self, name, window, category, first):
        query = urlencode({"limit": first, **({"category": category} if category else {})})
        with self.client.get(f"/popular/?{query}", name=name, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(str(response.status_code))
                return None
            response.success()
            return [item["id"] for item in parsed(response.text)["items"]]

    def record(self, name, interactions):
        [each] = interactions
        body = {
            "id": each.id,
            "item": each.item,
            "viewer": self.viewer,
            "type": f"UN{each.type}" if each.retraction else each.type,
        }
        with self.client.post("/interactions/", json=body, name=name, catch_response=True) as response:
            if response.status_code == 202:
                response.success()
                return True
            response.failure(str(response.status_code))
            return False if response.status_code == 400 else None


class WebUser(GuidePerson, WebPerson):
    pass


class MobileUser(GuidePerson, MobilePerson):
    pass
