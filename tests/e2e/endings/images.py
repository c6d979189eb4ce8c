"""Ends before the program: images that cannot be had, and jobs that a provider refuses."""

from __future__ import annotations

from tests.e2e.endings.case import Case, Scene, command

TRUE = command("true")
FETCH = "The image … could not be fetched from its registry: …"
TRIES = 4
"""A registry that fails is tried again for nothing so often, whatever the job's retries."""


def _ends(how: str, image: str, reason: str, words: str) -> Case:
    return Case(
        how=how,
        spec=TRUE | {"image": image},
        reason=reason,
        words=words,
        starts=0,
    )


def _tried(how: str, image: str, words: str = FETCH, **fields: object) -> Case:
    return Case(
        how=how,
        spec=TRUE | {"image": image} | fields,
        reason="registry_unreachable",
        words=words,
        attempts=TRIES,
        charged=0,
        starts=0,
    )


NOT_FOUND = "The image … was not found: …"
DENIED = "Access to the image … was denied: …"

PULLS = [
    Case(
        how="the image is pulled from an open registry",
        spec=TRUE | {"image": "{open}/team/tool:1"},
        state="completed",
        reason="succeeded",
        exit_code=0,
        words="Finished with exit code 0.",
    ),
    Case(
        how="the image is pulled from a registry that wants a login, with it",
        spec=TRUE | {"image": "{closed}/team/tool:1", "provider": "with-login"},
        state="completed",
        reason="succeeded",
        exit_code=0,
        words="Finished with exit code 0.",
    ),
    _ends("the registry has no such tag", "{open}/team/tool:2", "image_not_found", NOT_FOUND),
    _ends("the registry has no such image", "{open}/team/no:1", "image_not_found", NOT_FOUND),
    _ends(
        "the registry has the image for another processor only",
        "{odd}/foreign/image:1",
        "image_not_found",
        "The image … was not found: no matching manifest for …",
    ),
    _ends(
        "the registry has the manifest, and not what it names",
        "{odd}/hollow/image:1",
        "image_not_found",
        NOT_FOUND,
    ),
    _ends(
        "the registry wants a login, and there is none",
        "{closed}/team/tool:2",
        "image_denied",
        DENIED,
    ),
    Case(
        how="the registry wants a login, and it is a wrong one",
        spec=TRUE | {"image": "{closed}/team/tool:2", "provider": "wrong-login"},
        reason="image_denied",
        words=DENIED,
        starts=0,
    ),
    _ends("the registry refuses", "{odd}/refusing/image:1", "image_denied", DENIED),
    _tried("nobody listens at the registry's address", "{dead}/team/tool:1"),
    _tried("the registry's name is unknown", "registry.invalid/team/tool:1"),
    _tried("the registry answers with an error of its own (500)", "{odd}/failing/image:1"),
    _tried("the registry has too much to do (429)", "{odd}/busy/image:1"),
    _tried("the registry sends a manifest that is none", "{odd}/garbled/image:1"),
    _tried("the registry sends other bytes than its manifest names", "{odd}/forged/image:1"),
    _tried(
        "the registry does not answer for longer than the provider's limit",
        "{odd}/slow/image:1",
        provider="impatient",
    ),
    _tried(
        "the pull takes longer than the provider's limit", "{odd}/cut/image:2", provider="short"
    ),
    Case(
        how="nobody listens at the registry's address, of a job that retries its own failures",
        spec=TRUE
        | {"image": "{dead}/team/tool:2", "retry": {"max_attempts": 2, "backoff_seconds": 1}},
        reason="registry_unreachable",
        words=FETCH,
        attempts=TRIES,
        charged=0,
    ),
]


def _damage(scene: Scene) -> bool:
    if scene.reason != "held":
        return False
    scene.damage_secrets()
    scene.release()
    return True


REFUSED = "The provider refused the job: "
REFUSALS = [
    Case(
        how="the working directory is a file, which the engine calls its own failure (500)",
        spec=TRUE | {"working_dir": "/etc/passwd"},
        reason="engine_failed",
        words="The provider's engine could not make its container: … /etc/passwd is not a "
        "directory",
        attempts=5,
        charged=0,
    ),
    Case(
        how="a mounted folder is not there",
        spec=TRUE
        | {"provider": "local", "mounts": [{"source": "/nowhere/at/all", "target": "/mnt"}]},
        reason="rejected",
        words=f"{REFUSED}…/nowhere/at/all",
        starts=0,
    ),
    Case(
        how="root in the restricted profile",
        spec=TRUE | {"profile": "restricted", "user": "0:0"},
        reason="rejected",
        words=f"{REFUSED}the restricted profile does not run as root",
        starts=0,
    ),
    Case(
        how="its secrets cannot be opened any more",
        spec=TRUE | {"secret_env": {"TOKEN": "hidden"}, "hold": True},
        reason="secrets_unreadable",
        charged=0,
        words="Its secrets cannot be opened: …",
        hand=_damage,
        starts=0,
    ),
]

CASES = [*PULLS, *REFUSALS]
