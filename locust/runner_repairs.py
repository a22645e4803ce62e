"""What Locust's master and workers need to get along. Imported for what it does."""

from locust import runners

# Debian's 2.12 does not know its own version, and a master takes a worker without one for a very old one.
if not runners.__version__:
    runners.__version__ = "unknown"

# Seconds that a worker may be silent. After Locust's 3 a busy one counts as gone, and its users start anew elsewhere.
runners.HEARTBEAT_LIVENESS = 30
