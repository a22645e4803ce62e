import json
import time
from datetime import timedelta

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from popular.models import Interaction, Item
from popular.tasks import record

TYPES = {"VIEW", "LIKE", "SAVE", "SHARE", "COMMENT", "PURCHASE", "UNLIKE", "UNSAVE"}
REQUIRED = {"id", "item", "viewer", "type"}


@csrf_exempt
@require_POST
def record_interaction(request):
    """Hands the interaction to a worker, and answers."""
    try:
        body = json.loads(request.body)
        known = REQUIRED.issubset(body) and body["type"] in TYPES
    except (TypeError, ValueError):
        known = False
    if not known:
        return JsonResponse({"error": "not an interaction"}, status=400)
    record.delay(body["id"], body["item"], body["viewer"], body["type"], time.time())
    return JsonResponse({"status": "accepted"}, status=202)


@require_GET
def get_popular_items(request):
    """From the cache; what has become old is computed anew by one process, while the others go on with it."""
    category = request.GET.get("category", "")
    limit = 50 if request.GET.get("limit") == "50" else 20
    key = f"popular:{limit}:{category}"
    fresh_until, body = cache.get(key) or (0, None)
    if fresh_until < time.time() and (body is None or cache.add(f"{key}:lock", 1, timeout=5)):
        body = json.dumps(popular_items(category, limit)).encode()
        cache.set(key, (time.time() + settings.POPULAR_FRESH_SECONDS, body), timeout=settings.POPULAR_STALE_SECONDS)
        cache.delete(f"{key}:lock")
    return HttpResponse(body, content_type="application/json")


def popular_items(category, limit):
    """One aggregate over an index, then the items of the answer in one query."""
    interactions = Interaction.objects.filter(created_at__gte=timezone.now() - timedelta(days=settings.POPULAR_DAYS))
    if category:
        interactions = interactions.filter(item__category=category)
    counts = interactions.values_list("item_id").annotate(count=Count("*")).order_by("-count", "item_id")[:limit]
    counts = list(counts)
    items = Item.objects.in_bulk([item for item, _ in counts])
    return {"items": [described(items[item], count) for item, count in counts]}


def described(item, count):
    return {
        "id": item.id,
        "title": item.title,
        "category": item.category,
        "imageUrl": item.image_url,
        "interactions": count,
    }
