"""Docker engines: one host reached over its API. The only package that imports the SDK."""

from providers.drivers.docker.driver import DockerDriver

__all__ = ["DockerDriver"]
