from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    """The control loop and the composition of all apps."""

    name = "orchestrator"

    def ready(self) -> None:
        """Registers the system checks."""
        from orchestrator import checks  # noqa: F401
