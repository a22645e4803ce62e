from django.urls import path

from popular.views import get_popular_items, record_interaction

urlpatterns = [
    path("interactions/", record_interaction),
    path("popular/", get_popular_items),
]
