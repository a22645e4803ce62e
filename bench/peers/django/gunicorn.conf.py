"""Gunicorn for two cores."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
wsgi_app = "guide.wsgi"
# 2 x cores + 1, as Gunicorn's own documentation says to begin with; threads let one wait for Redis or RabbitMQ.
workers = int(os.environ.get("GUNICORN_WORKERS", "5"))
worker_class = "gthread"
threads = 4
# nginx keeps its connections.
keepalive = 75
backlog = 4096
preload_app = True
worker_tmp_dir = "/dev/shm"
accesslog = None
loglevel = "warning"
