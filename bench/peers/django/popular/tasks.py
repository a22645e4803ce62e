from datetime import datetime, timezone

from celery import shared_task

from popular.models import Interaction


@shared_task
def record(client_id, item, viewer, type, created_at):
    Interaction.objects.create(
        client_id=client_id,
        item_id=item,
        viewer=viewer,
        type=type,
        created_at=datetime.fromtimestamp(created_at, timezone.utc),
        recorded_at=datetime.now(timezone.utc),
    )
