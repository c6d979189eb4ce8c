"""The options that are stored are the ones that drivers read."""

from __future__ import annotations

from dataclasses import fields

from providers.drivers.docker.options import DockerOptions
from providers.options import DockerOptionsIn


def test_a_docker_providers_options_and_their_defaults_are_the_drivers_own() -> None:
    stored = {name: field.default for name, field in DockerOptionsIn.model_fields.items()}
    assert stored == {field.name: field.default for field in fields(DockerOptions)}
