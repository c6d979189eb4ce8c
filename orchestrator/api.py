"""The JSON API: its authentication, its first-contact answers, its OpenAPI document.

The operations are in `jobs/api.py` and `providers/api.py`; errors are answered by
`orchestrator/problems.py`; the document is completed by `orchestrator/openapi.py`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Router
from ninja.openapi.schema import OpenAPISchema
from pydantic import BaseModel

from jobs.api import router as jobs_router
from jobs.api_why import router as why_router
from orchestrator import openapi, problems
from orchestrator.api_projects import router as projects_router
from orchestrator.auth import BearerToken, SessionCookie
from projects.http import json_reply, request_actor
from projects.selectors import projects_of
from providers.api import router as providers_router

PREFIX = "/api/v1"


class GantryAPI(NinjaAPI):
    """Ninja's API with the parts of the document that it cannot know."""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI 3.1 document; the same for everybody, made once."""
        return openapi.complete(super().get_openapi_schema(path_prefix=f"{PREFIX}/"))

    def get_openapi_schema(self, **_: Any) -> OpenAPISchema:
        """The completed document, for whoever asks ninja for it."""
        return self.document  # type: ignore[return-value]


class Index(BaseModel):
    """Where to go from here."""

    name: str
    version: str
    whoami: str
    jobs: str
    projects: str
    providers: str
    openapi: str
    docs: str


class ProjectRole(BaseModel):
    """A project the caller may see, and the role there."""

    slug: str
    name: str
    role: str


class WhoAmI(BaseModel):
    """Who the caller is to Gantry."""

    user: str
    kind: str
    may_operate: bool
    projects: list[ProjectRole]


root = Router(tags=["First contact"])


@root.get("/", response=Index, operation_id="index")
def index(request: HttpRequest) -> HttpResponse:
    """What there is."""
    return json_reply(
        {
            "name": "Gantry",
            "version": "v1",
            "whoami": f"{PREFIX}/whoami",
            "jobs": f"{PREFIX}/jobs",
            "projects": f"{PREFIX}/projects",
            "providers": f"{PREFIX}/providers",
            "openapi": f"{PREFIX}/openapi.json",
            "docs": f"{PREFIX}/docs",
        }
    )


@root.get("/whoami", response=WhoAmI, operation_id="whoami")
def whoami(request: HttpRequest) -> HttpResponse:
    """Whose token or session this is, and what it may do where."""
    actor = request_actor(request)
    return json_reply(
        {
            "user": actor.name,
            "kind": actor.kind,
            "may_operate": actor.may_operate,
            "projects": [
                {
                    "slug": project.slug,
                    "name": project.name,
                    "role": "admin" if actor.is_superuser else actor.roles[project.pk],
                }
                for project in projects_of(actor)
            ],
        }
    )


@root.get("/openapi.json", include_in_schema=False)
def openapi_document(request: HttpRequest) -> HttpResponse:
    """This API in OpenAPI 3.1."""
    return json_reply(api.document)


def _build() -> GantryAPI:
    made = GantryAPI(
        title="Gantry",
        version="1",
        description="Submit container jobs, follow them, manage the providers they run on.",
        urls_namespace="api",
        openapi_url=None,
        docs_url=None,
        auth=[BearerToken(), SessionCookie(settings.SESSION_COOKIE_NAME)],
    )
    problems.install(made)
    made.add_router("", root)
    made.add_router("", jobs_router)
    made.add_router("", projects_router)
    made.add_router("", why_router)
    made.add_router("", providers_router)
    return made


api = _build()
