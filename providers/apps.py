from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Where attempts run."""

    name = "providers"
