"""load.toml, with what LOAD_CONFIG replaces in it."""

import os
import tomllib
from pathlib import Path


def merged(below, above):
    """`above` over `below`: tables key by key, everything else as a whole."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: merged(below.get(key), value) for key, value in above.items()}


def load(path):
    return tomllib.loads(Path(path).read_text(encoding="utf-8"))


CONFIG = load(Path(__file__).with_name("load.toml"))
if "LOAD_CONFIG" in os.environ:
    CONFIG = merged(CONFIG, load(os.environ["LOAD_CONFIG"]))
