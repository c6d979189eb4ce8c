"""Tokens from the command line, secrets at rest, the instance's identity."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from projects import tokens
from projects.actor import SYSTEM
from projects.errors import Forbidden, NotFound
from projects.secrets import SecretUnreadable, decrypt, encrypt, open_values, seal_values
from projects.selectors import instance_settings, tokens_of
from projects.services import (
    instance_id_renew,
    token_issue,
    token_revoke,
)
from tests.support.builders import make_actor, make_user

pytestmark = pytest.mark.django_db


def test_the_token_command_prints_the_token_alone() -> None:
    user = make_user("ada")
    out, err = StringIO(), StringIO()
    call_command("token", "ada", "--name", "laptop", stdout=out, stderr=err)
    (text,) = out.getvalue().splitlines()
    assert err.getvalue() == ""
    found = tokens.authenticate(text)
    assert found is not None
    assert (found.id, found.name) == (user.pk, "ada")
    assert [token.name for token in tokens_of(make_actor(user))] == ["laptop"]


@pytest.mark.parametrize(("user", "name"), [("nobody", "x"), ("ada", " "), ("ada", "x" * 81)])
def test_the_token_command_says_what_is_wrong(user: str, name: str) -> None:
    make_user("ada")
    with pytest.raises(CommandError):
        call_command("token", user, "--name", name, stdout=StringIO())


def test_people_make_and_revoke_their_own_tokens_only() -> None:
    ada, bob = make_user(), make_user()
    token, text = token_issue(make_actor(ada), user=ada, name="ci")
    with pytest.raises(Forbidden):
        token_issue(make_actor(bob), user=ada, name="ci")
    with pytest.raises(NotFound):
        token_revoke(make_actor(bob), token_id=token.pk)
    assert tokens.authenticate(text) is not None
    token_revoke(make_actor(ada), token_id=token.pk)
    assert tokens.authenticate(text) is None
    assert not tokens_of(make_actor(ada)).exists()


def test_a_sealed_value_opens_only_with_its_key(settings: Any) -> None:
    sealed = encrypt(b"value")
    assert decrypt(sealed) == b"value"
    assert encrypt(b"value") != sealed
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another-key-" * 6
    with pytest.raises(SecretUnreadable, match="another GANTRY_SECRET_KEY"):
        decrypt(sealed)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert decrypt(sealed) == b"value"


def test_a_damaged_secret_is_refused_without_repeating_it() -> None:
    sealed = bytearray(encrypt(b"value"))
    sealed[-1] ^= 1
    with pytest.raises(SecretUnreadable, match="damaged"):
        decrypt(bytes(sealed))
    with pytest.raises(SecretUnreadable, match="format"):
        decrypt(b"value")


def test_named_values_are_sealed_together() -> None:
    assert seal_values({}) is None
    assert open_values(None) == {}
    assert open_values(seal_values({"A": "é", "B": ""})) == {"A": "é", "B": ""}


def test_a_cloned_instance_gets_an_identity_of_its_own() -> None:
    before = instance_settings().instance_id
    out = StringIO()
    call_command("new_instance_id", stdout=out)
    assert out.getvalue().strip() == str(instance_settings().instance_id) != str(before)
    with pytest.raises(Forbidden):
        instance_id_renew(make_actor(make_user()))
    assert instance_id_renew(SYSTEM) != before
