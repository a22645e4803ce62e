"""What was sent and what became of it, as JSON lines, to be compared with the database later.

`sent` comes before the first attempt and says all of an interaction, `accepted` or `refused` after the answer, with the
id alone. Sent, and nothing more: nobody knows, so it may be recorded, and once at most.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Interaction:
    id: str
    item: str
    type: str
    retraction: bool = False


class Ledger:
    """One file per process, so lines never mix. Each line leaves the process at once, whatever ends it later."""

    def __init__(self, folder):
        self.folder = folder
        self.file = None

    def sent(self, viewer, interactions):
        self.write({"state": "sent", "viewer": viewer, **vars(each)} for each in interactions)

    def answered(self, accepted, interactions):
        self.write({"state": "accepted" if accepted else "refused", "id": each.id} for each in interactions)

    def write(self, entries):
        if not self.folder:
            return
        if self.file is None:
            path = Path(self.folder) / f"ledger-{os.getpid()}.ndjson"
            self.file = path.open("a", buffering=1, encoding="utf-8")
        for entry in entries:
            self.file.write(json.dumps(entry, separators=(",", ":")) + "\n")


LEDGER = Ledger(os.environ.get("LOAD_OUTPUT"))
