"""Django as the guide has it, without what an API of two views does not need: no sessions, admin, templates, or signing."""

import os
from urllib.parse import urlsplit

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "guide.urls"
INSTALLED_APPS = ["popular"]
MIDDLEWARE = []
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def database(url):
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "NAME": parts.path.removeprefix("/"),
        # PgBouncer holds the connections to the primary; those to PgBouncer are kept too, for a new one costs a request 2 ms.
        "CONN_MAX_AGE": None,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


DATABASES = {
    "default": database(os.environ["DATABASE_URL"]),
    "replica": database(os.environ["DATABASE_REPLICA_URL"]),
}
DATABASE_ROUTERS = ["guide.routers.ReadFromReplica"]

CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ["REDIS_URL"],
        "OPTIONS": {"PARSER_CLASS": "redis.connection.HiredisParser"},
    }
}

CELERY_BROKER_URL = os.environ["AMQP_URL"]
CELERY_BROKER_POOL_LIMIT = 10
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# Many short tasks: Celery's own guide to optimizing says 50 to 150.
CELERY_WORKER_PREFETCH_MULTIPLIER = 128
CELERY_WORKER_DISABLE_RATE_LIMITS = True
CELERY_WORKER_SEND_TASK_EVENTS = False

# How long an answer from the cache is fresh, and how long the one before may stand in while one process computes the next.
POPULAR_FRESH_SECONDS = 0.5
POPULAR_STALE_SECONDS = 5
POPULAR_DAYS = 7

LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "WARNING"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
