"""What a job wants of a plain process: taken over, or refused by name."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Mapping
from typing import Any

from providers.driver import Rejected, RunSpec
from providers.drivers.process.journal import SEGMENT_BYTES, SEGMENTS
from providers.drivers.process.launch import Launch
from providers.drivers.process.tree import COOKIE

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def launch_of(spec: RunSpec, options: Mapping[str, Any]) -> Launch:
    """The launch of this job. Raises Rejected for what a process cannot give."""
    if not spec.entrypoint:
        raise _refusal("a process needs a command; it has no image to take one from")
    if spec.network != "bridge":
        raise _refusal("a process has the machine's network; it cannot be taken away")
    if spec.profile != "standard":
        raise _refusal(f"a process cannot have the profile {spec.profile}: nothing isolates it")
    if spec.gpus:
        raise _refusal("GPUs cannot be given to a process")
    if spec.mounts:
        raise _refusal("a process has the machine's own files; nothing can be mounted for it")
    user = _user(spec.user)
    env = {"PATH": PATH} | dict(spec.env) | {COOKIE: spec.uid}
    if user is not None:
        env.setdefault("HOME", _home(user[0]))
    launch = Launch(
        uid=spec.uid,
        argv=[*spec.entrypoint, *spec.args],
        env=env,
        # Another user cannot enter the data folder, so its scratch folder is no use to it.
        cwd=spec.working_dir or (_home(user[0]) if user is not None else ""),
        user=user,
        memory_mb=spec.memory_mb,
        segment_bytes=int(options.get("log_segment_bytes", SEGMENT_BYTES)),
        segments=SEGMENTS,
        cgroup=bool(options.get("cgroup", True)),
    )
    _check_texts(launch)
    return launch


def _check_texts(launch: Launch) -> None:
    for text in (*launch.argv, *launch.env, *launch.env.values(), launch.cwd):
        if "\0" in text:
            raise _refusal("commands, variables and paths cannot hold a NUL character")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _refusal("commands, variables and paths must be valid Unicode") from None
    for name in launch.env:
        if not name or "=" in name:
            raise _refusal(f"{name!r} cannot be the name of a variable")


def _user(wanted: str) -> tuple[int, int, list[int]] | None:
    """`name`, `uid`, `name:group` or `uid:gid`; None for the user that we are."""
    if not wanted:
        return None
    name, _, group = wanted.partition(":")
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        uid, gid, login = entry.pw_uid, entry.pw_gid, entry.pw_name
    except (KeyError, OverflowError):
        if not name.isdigit():
            raise _refusal(f"this machine has no user {name!r}") from None
        uid, gid, login = int(name), int(name), ""
    try:
        if group:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise _refusal(f"this machine has no group {group!r}") from None
    if os.geteuid() != 0:
        raise _refusal("only a Gantry that runs as root can run a process as another user")
    return uid, gid, os.getgrouplist(login, gid) if login else [gid]


def _home(uid: int) -> str:
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"
    return home if os.path.isdir(home) else "/"


def _refusal(message: str) -> Rejected:
    return Rejected("rejected", message)
