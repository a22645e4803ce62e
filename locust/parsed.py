"""JSON bodies, parsed once each.

Whoever asks for the same list within a second gets the same bytes. Clients would each parse them on a machine of their own;
here all of them share one.
"""

import json
from functools import lru_cache


@lru_cache(maxsize=256)
def parsed(text):
    """The body, to be read only; empty for what is no object."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}
