"""People who are signed in, by session key."""

from __future__ import annotations

from itertools import count

from django.contrib.auth.models import User
from django.test import Client

from projects.models import Membership, Project, Role

_numbers = count(1)


def make_person(
    *projects: Project, role: Role = Role.VIEWER, staff: bool = False, superuser: bool = False
) -> User:
    """A user with that role in these projects."""
    user = User.objects.create_user(
        f"person-{next(_numbers)}", is_staff=staff, is_superuser=superuser
    )
    for project in projects:
        Membership.objects.create(project=project, user=user, role=role)
    return user


def sign_in(user: User) -> str:
    """A new session of that user; its key."""
    client = Client()
    client.force_login(user)
    key = client.session.session_key
    assert key is not None
    return key
