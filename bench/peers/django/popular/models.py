from django.db import models


class Item(models.Model):
    id = models.CharField(primary_key=True, max_length=64)
    title = models.CharField(max_length=200)
    category = models.CharField(max_length=64, db_index=True)
    image_url = models.CharField(max_length=200)


class Interaction(models.Model):
    item = models.ForeignKey(Item, models.CASCADE, related_name="interactions", db_index=False)
    viewer = models.CharField(max_length=64)
    type = models.CharField(max_length=16)
    created_at = models.DateTimeField()
    # Not of the guide: by these the load test finds what it sent, and how long that took.
    client_id = models.UUIDField()
    recorded_at = models.DateTimeField(null=True)

    class Meta:
        # All that the popular items are computed from, so that no row is read.
        indexes = [
            models.Index(fields=["created_at", "item"]),
            models.Index(fields=["item", "created_at"]),
        ]
