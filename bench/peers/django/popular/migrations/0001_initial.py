import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=200)),
                ("category", models.CharField(db_index=True, max_length=64)),
                ("image_url", models.CharField(max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="Interaction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("viewer", models.CharField(max_length=64)),
                ("type", models.CharField(max_length=16)),
                ("created_at", models.DateTimeField()),
                ("client_id", models.UUIDField()),
                ("recorded_at", models.DateTimeField(null=True)),
                (
                    "item",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="interactions",
                        to="popular.item",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="interaction",
            index=models.Index(fields=["created_at", "item"], name="popular_int_created_bbe4a7_idx"),
        ),
        migrations.AddIndex(
            model_name="interaction",
            index=models.Index(fields=["item", "created_at"], name="popular_int_item_id_2c80c3_idx"),
        ),
    ]
