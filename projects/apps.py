from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    """The ground floor."""

    name = "projects"
