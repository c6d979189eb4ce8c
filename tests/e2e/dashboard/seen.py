"""What the tests of the dashboard look at and do."""

from __future__ import annotations

import json

from django.db import transaction
from playwright.sync_api import Page

from jobs.models import Job
from projects.actor import Actor
from projects.notify import JobChange, notify_jobs
from projects.preferences import preferences_chosen
from tests.support.waiting import wait_until

DARK, LIGHT = "rgb(14, 17, 22)", "rgb(255, 255, 255)"


def root(page: Page) -> dict[str, str]:
    """What stands at the page's root: theme, density, keys, zone."""
    return dict(json.loads(page.evaluate("JSON.stringify(document.documentElement.dataset)")))


def background(page: Page) -> str:
    """The colour of the ground; the admin's stands on its body."""
    script = """[document.documentElement, document.body]
      .map((el) => getComputedStyle(el).backgroundColor)
      .find((colour) => colour !== "rgba(0, 0, 0, 0)")"""
    return str(page.evaluate(script))


def saved(actor: Actor, name: str, value: str) -> None:
    """Waits until the server keeps that."""
    person = actor.id or 0
    wait_until(lambda: preferences_chosen(person).get(name) == value, 10, f"{name} is {value}")


def touch(job: Job) -> None:
    """Tells the browsers that a job has changed."""
    with transaction.atomic():
        job.rev += 1
        job.save(update_fields=["rev"])
        notify_jobs([JobChange(job.pk, job.rev, job.project_id)])
