"""Who gets what from every address and websocket topic: the table that the routes obey.

The columns are PEOPLE in their order. `ok` is any answer that does it or shows it; `login`
is the way to a login page; `denied` is the admin's 403, or its way back from what is not
there for this person; another number is that status. The job belongs to a project of which
viewer, submitter, admin and the token's owner are members; the stranger is admin of another
project, and staff is in none.
"""

from __future__ import annotations

import re

PEOPLE = ("anonymous", "stranger", "viewer", "submitter", "admin", "staff", "token")

# --- outcomes that many addresses share: one word for each of PEOPLE --------------------

PUBLIC = "ok    ok    ok    ok    ok    ok    ok"
SIGNED_IN = "login ok    ok    ok    ok    ok    login"
JOB_PAGE = "login 404   ok    ok    ok    404   login"
JOB_ACTION = "login 404   403   ok    ok    404   login"
JOB_FORCE = "login 404   403   403   ok    404   login"
OWN_VIEW = "login 404   404   ok    404   404   login"  # the view is the submitter's
SUBMIT_PAGE = "login ok    403   ok    ok    403   login"
SUBMIT_FORM = "login 422   403   ok    ok    403   login"
SEE_PROVIDER = "login ok    ok    ok    ok    ok    login"
OPERATE_PAGE = "login 403   403   403   403   ok    login"
ADD_PROVIDER = "login 403   403   403   403   ok    login"
REQUEST_PAGE = "login 404   404   404   404   ok    login"
TOKEN_OF_ANOTHER = "login 404   404   404   404   404   login"
ADMIN_SITE = "login login login login login ok    login"
ADMIN_DENIED = "login login login login login denied login"
ADMIN_ABSENT = "login login login login login 404   login"

API = "401   ok    ok    ok    ok    ok    ok"
API_JOB = "401   404   ok    ok    ok    404   ok"
API_JOB_ACTION = "401   404   403   ok    ok    404   ok"
API_JOB_FORCE = "401   404   403   403   409   404   403"  # its job is in sight
API_SUBMIT = "401   422   403   ok    ok    422   ok"
API_PROVIDER = "401   ok    ok    ok    ok    ok    ok"
SHARE_PAGE = "login 404   ok    ok    ok    ok    login"
MAKE_PROJECT = "login 403   403   403   403   422   login"  # an empty form
PAUSE_PAGE = "login 404   403   403   ok    ok    login"
MEMBERS_PAGE = "login 404   403   403   ok    403   login"
LIMITS_PAGE = "login 404   403   403   403   ok    login"
API_SHARE = "401   404   ok    ok    ok    ok    ok"
API_PAUSE = "401   404   403   403   ok    ok    403"
API_LIMITS = "401   404   403   403   403   ok    403"
API_OPERATE = "401   403   403   403   403   ok    403"
API_REQUEST = "401   404   404   404   404   ok    404"
NOWHERE = "404   404   404   404   404   404   404"

ROUTES: dict[tuple[str, str], str] = {
    ("GET", ""): SIGNED_IN,
    ("POST", "hello"): SUBMIT_PAGE,
    ("POST", "seen"): SIGNED_IN,  # a mark of one's own
    ("GET", "_/home/attention"): SIGNED_IN,
    ("GET", "_/home/day"): SIGNED_IN,
    ("GET", "_/home/running"): SIGNED_IN,
    ("GET", "_/home/capacity"): SIGNED_IN,
    ("GET", "_/home/mine"): SIGNED_IN,
    ("GET", "_/home/start"): SIGNED_IN,
    ("GET", "login"): PUBLIC,
    ("POST", "login"): PUBLIC,
    ("PUT", "login"): PUBLIC,  # Django takes it for POST
    ("POST", "logout"): SIGNED_IN,
    ("GET", "health"): PUBLIC,
    ("GET", "ready"): PUBLIC,
    # everybody's own settings
    ("GET", "settings"): SIGNED_IN,
    ("POST", "settings"): SIGNED_IN,
    ("POST", "settings/tokens"): SIGNED_IN,
    ("POST", "settings/tokens/<int:token_id>/revoke"): TOKEN_OF_ANOTHER,
    ("GET", "settings/password"): SIGNED_IN,
    ("POST", "settings/password"): SIGNED_IN,
    ("PUT", "settings/password"): SIGNED_IN,  # Django takes it for POST
    ("POST", "_/preferences"): SIGNED_IN,
    ("GET", "_/palette"): SIGNED_IN,
    # job pages
    ("GET", "jobs"): SIGNED_IN,
    ("GET", "jobs/export"): SIGNED_IN,  # of what one sees
    ("GET", "jobs/bulk"): SIGNED_IN,  # rights are asked for each job
    ("POST", "jobs/bulk"): SIGNED_IN,
    ("GET", "jobs/new"): SUBMIT_PAGE,
    ("POST", "jobs/new"): SUBMIT_FORM,
    ("GET", "jobs/views"): SIGNED_IN,
    ("POST", "jobs/views"): SIGNED_IN,
    ("POST", "jobs/views/<int:view_id>/rename"): OWN_VIEW,
    ("POST", "jobs/views/<int:view_id>/default"): OWN_VIEW,
    ("POST", "jobs/views/<int:view_id>/delete"): OWN_VIEW,
    ("GET", "jobs/<int:job_id>"): JOB_PAGE,
    ("POST", "jobs/<int:job_id>/cancel"): JOB_ACTION,
    ("POST", "jobs/<int:job_id>/force-finish"): JOB_FORCE,
    ("POST", "jobs/<int:job_id>/rerun"): JOB_ACTION,
    ("POST", "jobs/<int:job_id>/hold"): JOB_ACTION,
    ("POST", "jobs/<int:job_id>/release"): JOB_ACTION,
    ("POST", "jobs/<int:job_id>/reprioritise"): JOB_ACTION,
    ("POST", "jobs/<int:job_id>/move"): JOB_ACTION,
    ("POST", "_/jobs/check"): SUBMIT_PAGE,
    ("GET", "_/jobs/rows"): SIGNED_IN,
    ("GET", "_/jobs/counts"): SIGNED_IN,
    ("GET", "_/jobs/<int:job_id>/header"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/attempts"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/waiting"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/use"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/facts"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/events"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/log/<int:number>"): JOB_PAGE,
    ("GET", "_/jobs/<int:job_id>/log/<int:number>/search"): JOB_PAGE,
    # the queue
    ("GET", "queue"): SIGNED_IN,
    ("POST", "queue/<int:job_id>/release"): JOB_ACTION,
    ("GET", "_/queue/head"): SIGNED_IN,
    ("GET", "_/queue/rows"): SIGNED_IN,
    # projects
    ("GET", "projects"): SIGNED_IN,
    ("POST", "projects"): MAKE_PROJECT,
    ("GET", "projects/<slug:slug>"): SHARE_PAGE,
    ("GET", "projects/<slug:slug>/edit"): LIMITS_PAGE,
    ("POST", "projects/<slug:slug>/edit"): LIMITS_PAGE,
    ("POST", "projects/<slug:slug>/pause"): PAUSE_PAGE,
    ("POST", "projects/<slug:slug>/resume"): PAUSE_PAGE,
    ("POST", "projects/<slug:slug>/members"): MEMBERS_PAGE,
    ("POST", "projects/<slug:slug>/members/<int:user_id>/role"): MEMBERS_PAGE,
    ("POST", "projects/<slug:slug>/members/<int:user_id>/remove"): MEMBERS_PAGE,
    ("GET", "_/projects"): SIGNED_IN,
    ("GET", "_/projects/<slug:slug>"): SHARE_PAGE,
    ("POST", "_/projects/<slug:slug>/preview"): LIMITS_PAGE,
    # the activity: everybody sees what is theirs to see
    ("GET", "activity"): SIGNED_IN,
    ("GET", "activity/export"): SIGNED_IN,
    ("GET", "_/activity"): SIGNED_IN,
    # provider pages
    ("GET", "left-overs"): OPERATE_PAGE,
    ("GET", "_/left-overs"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/sweep"): OPERATE_PAGE,
    ("GET", "providers"): SIGNED_IN,
    ("GET", "providers/new"): ADD_PROVIDER,
    ("POST", "providers/new"): ADD_PROVIDER,
    ("GET", "providers/<int:provider_id>"): SEE_PROVIDER,
    ("GET", "providers/<int:provider_id>/setup"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/setup"): OPERATE_PAGE,
    ("GET", "providers/<int:provider_id>/edit"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/edit"): OPERATE_PAGE,
    ("GET", "providers/<int:provider_id>/mode"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/mode"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/test"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/logins"): OPERATE_PAGE,
    ("POST", "providers/<int:provider_id>/logins/<int:login_id>/delete"): OPERATE_PAGE,
    ("GET", "_/providers"): SIGNED_IN,
    ("GET", "_/providers/<int:provider_id>"): SEE_PROVIDER,
    ("GET", "_/providers/<int:provider_id>/mode"): OPERATE_PAGE,
    ("GET", "_/requests/<int:request_id>"): REQUEST_PAGE,
    # API
    ("GET", "api/v1/docs"): SIGNED_IN,
    ("GET", "api/v1/problems"): PUBLIC,
    ("GET", "api/v1/"): API,
    ("GET", "api/v1/whoami"): API,
    ("GET", "api/v1/openapi.json"): API,
    ("GET", "api/v1/jobs"): API,
    ("POST", "api/v1/jobs"): API_SUBMIT,
    ("POST", "api/v1/jobs/bulk"): API_SUBMIT,
    ("GET", "api/v1/jobs/<int:job_id>"): API_JOB,
    ("GET", "api/v1/jobs/<int:job_id>/why"): API_JOB,
    ("POST", "api/v1/jobs/dry-run"): API_SUBMIT,
    ("POST", "api/v1/jobs/<int:job_id>/execute"): API_JOB_ACTION,
    ("POST", "api/v1/jobs/<int:job_id>/hold"): API_JOB_ACTION,
    ("POST", "api/v1/jobs/<int:job_id>/release"): API_JOB_ACTION,
    ("POST", "api/v1/jobs/<int:job_id>/reprioritise"): API_JOB_ACTION,
    ("POST", "api/v1/jobs/<int:job_id>/move"): API_JOB_ACTION,
    ("POST", "api/v1/jobs/<int:job_id>/cancel"): API_JOB_ACTION,
    ("POST", "api/v1/jobs/<int:job_id>/force-finish"): API_JOB_FORCE,
    ("POST", "api/v1/jobs/<int:job_id>/rerun"): API_JOB_ACTION,
    ("GET", "api/v1/jobs/<int:job_id>/attempts"): API_JOB,
    ("GET", "api/v1/jobs/<int:job_id>/events"): API_JOB,
    ("GET", "api/v1/jobs/<int:job_id>/logs"): API_JOB,
    ("GET", "api/v1/jobs/<int:job_id>/stats"): API_JOB,
    ("GET", "api/v1/projects"): API,
    ("POST", "api/v1/projects"): API_OPERATE,
    ("GET", "api/v1/projects/<slug:slug>"): API_SHARE,
    ("PATCH", "api/v1/projects/<slug:slug>/limits"): API_LIMITS,
    ("POST", "api/v1/projects/<slug:slug>/pause"): API_PAUSE,
    ("POST", "api/v1/projects/<slug:slug>/resume"): API_PAUSE,
    ("GET", "api/v1/providers"): API,
    ("POST", "api/v1/providers"): API_OPERATE,
    ("GET", "api/v1/providers/<int:provider_id>"): API_PROVIDER,
    ("PATCH", "api/v1/providers/<int:provider_id>"): API_OPERATE,
    ("DELETE", "api/v1/providers/<int:provider_id>"): API_OPERATE,
    ("POST", "api/v1/providers/<int:provider_id>/activate"): API_OPERATE,
    ("POST", "api/v1/providers/<int:provider_id>/deactivate"): API_OPERATE,
    ("POST", "api/v1/providers/<int:provider_id>/drain"): API_OPERATE,
    ("POST", "api/v1/providers/<int:provider_id>/probe"): API_OPERATE,
    ("POST", "api/v1/providers/<int:provider_id>/sweep"): API_OPERATE,
    ("GET", "api/v1/engine-requests/<int:request_id>"): API_REQUEST,
    ("GET", "api/"): NOWHERE,
    # the admin site itself; its models are below
    ("GET", "admin/"): ADMIN_SITE,
    ("GET", "admin/login/"): PUBLIC,
    ("POST", "admin/logout/"): SIGNED_IN,
    ("GET", "admin/password_change/"): ADMIN_SITE,
    ("GET", "admin/password_change/done/"): ADMIN_SITE,
    ("GET", "admin/autocomplete/"): ADMIN_DENIED,
    ("GET", "admin/jsi18n/"): ADMIN_SITE,
    ("GET", "admin/r/<path:content_type_id>/<path:object_id>/"): ADMIN_ABSENT,
    ("GET", "admin/<app_label>/"): ADMIN_ABSENT,
    ("GET", "admin/<url>"): ADMIN_ABSENT,
}

# Models in the admin. Being staff opens the site, not one model: those need permissions.
ADMIN_MODELS = frozenset(
    {
        "auth/group",
        "auth/user",
        "django_q/failure",
        "django_q/ormq",
        "django_q/schedule",
        "django_q/success",
        "jobs/attempt",
        "jobs/job",
        "jobs/logchunk",
        "jobs/statpage",
        "projects/apitoken",
        "projects/event",
        "projects/instancesettings",
        "projects/project",
        "providers/enginerequest",
        "providers/healthsample",
        "providers/lease",
        "providers/provider",
        "providers/stray",
    }
)
ADMIN_PAGES: dict[str, str] = {
    "": ADMIN_DENIED,
    "add/": ADMIN_DENIED,
    "<path:object_id>/history/": ADMIN_DENIED,
    "<path:object_id>/delete/": ADMIN_DENIED,
    "<path:object_id>/change/": ADMIN_DENIED,
    "<path:object_id>/": ADMIN_SITE,  # leads to change/, which denies
    "<id>/password/": ADMIN_DENIED,
}

TOPICS: dict[str, str] = {
    "job": "no no ok ok ok no no",
    "jobs": "no ok ok ok ok no no",
    "jobs:project": "no no ok ok ok no no",
    "provider": "no ok ok ok ok ok no",
    "providers": "no ok ok ok ok ok no",
    "request": "no no no no no ok no",
    "log": "no no ok ok ok no no",
}

_ADMIN_MODEL = re.compile(r"admin/(?P<model>[a-z_]+/[a-z]+)/(?P<page>.*)")


def row_of(method: str, pattern: str) -> str | None:
    """The outcomes of a route, or None where the table has no row for it."""
    if (method, pattern) in ROUTES:
        return ROUTES[method, pattern]
    found = _ADMIN_MODEL.fullmatch(pattern)
    if found and method == "GET" and found["model"] in ADMIN_MODELS:
        return ADMIN_PAGES.get(found["page"])
    return None
