"""The web process: pages and API over HTTP, live signals and logs over one websocket.

Only this process pools its database connections (qcluster forks, orchestrate keeps one for
each of its threads), so the default for that stands here, before the settings are read.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
os.environ.setdefault("GANTRY_DB_POOL", "8")
os.environ.setdefault("GANTRY_PROCESS", "gantry-web")

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import get_resolver, path, re_path


def _application() -> ProtocolTypeRouter:
    django.setup(set_prefix=False)  # what is imported below needs that
    from orchestrator.admission import Admission
    from orchestrator.consumers import live_socket, no_socket
    from orchestrator.garbage import settle
    from orchestrator.refusal import Refusal
    from orchestrator.relay import relay
    from orchestrator.web_handler import WebHandler
    from projects.hub import hub

    hub.start_with(relay.ensure_running)
    sockets = [
        path("ws/live", live_socket),  # type: ignore[arg-type]  # ASGI, as URLRouter wants it
        re_path("", no_socket),  # type: ignore[arg-type]
    ]
    web = Admission(WebHandler(), Refusal())
    get_resolver().url_patterns  # noqa: B018  # loads the views, which the first request would
    settle()
    return ProtocolTypeRouter({"http": web, "websocket": URLRouter(sockets)})


application = _application()
