"""Kind → driver. Drivers are imported when first asked for, so an SDK that is not
installed disturbs nobody who does not use it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from providers.driver import Driver, ProviderConfig

FACTORIES = {
    "docker": "providers.drivers.docker:DockerDriver",
    "process": "providers.drivers.process.driver:ProcessDriver",
    "fake": "providers.drivers.fake:FakeDriver",
}


def build_driver(kind: str, config: ProviderConfig) -> Driver:
    """The driver of one provider. Raises LookupError for a kind that nobody registered."""
    try:
        module_name, class_name = FACTORIES[kind].split(":")
    except KeyError:
        known = ", ".join(sorted(FACTORIES))
        raise LookupError(f"no driver for kind {kind!r}; known kinds: {known}") from None
    factory = getattr(import_module(module_name), class_name)
    return cast(Driver, factory(config))
