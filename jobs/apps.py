from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs, attempts, logs."""

    name = "jobs"
