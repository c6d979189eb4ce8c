from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """The control loop and the composition of all apps."""

    name = "orchestrator"
