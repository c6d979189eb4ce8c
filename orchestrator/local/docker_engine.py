"""The Docker engine of this machine: the one that answers, or one that we start.

An engine that we start is detached: it outlives Ctrl-C, and so do the jobs on it. Its
number is noted in the data folder, so that `manage.py down` ends that one and no other.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from orchestrator.local import apt
from orchestrator.local.processes import ProcessMark
from providers.driver import Health, Probe, ProviderConfig
from providers.registry import build_driver

NOTE = "dockerd.json"
LOG = "dockerd.log"
ANSWER_SECONDS = 60  # a first start makes networks, firewall rules and a store
SETTLE_SECONDS = 5  # a package's own service may start the engine after its installation
STOP_SECONDS = 30  # the engine gives its containers ten seconds before it kills them
PROGRAMS = f"/usr/sbin:/usr/bin:/sbin:/bin:{os.environ.get('PATH', '')}"


class EngineUnavailable(RuntimeError):
    """No Docker engine answers and none could be started; the message says why."""


class EngineSilent(RuntimeError):
    """The engine that DOCKER_HOST names does not answer; starting another is not our call."""


def probe_engine() -> Probe:
    """Ask the engine that this environment means (DOCKER_HOST, context, local socket)."""
    driver = build_driver("docker", ProviderConfig(name="local", instance=""))
    try:
        return driver.probe()
    finally:
        driver.close()


def ensure_engine(data_dir: Path, say: Callable[[str], None]) -> Probe:
    """The engine's probe, after installing and starting one if none answers and we are root.

    Raises EngineSilent for an engine that was named, EngineUnavailable where none can be
    started, AptFailed where installing one went wrong.
    """
    probe = probe_engine()
    if probe.health is not Health.UNREACHABLE:
        return probe
    if address := os.environ.get("DOCKER_HOST"):
        raise EngineSilent(f"DOCKER_HOST names {address}, which does not answer: {probe.detail}")
    if os.geteuid() != 0:
        raise EngineUnavailable(f"no Docker engine answers ({probe.detail}), and not root")
    if shutil.which("dockerd", path=PROGRAMS) is None:
        if not apt.can_install():
            raise EngineUnavailable("no Docker engine answers, and there is no apt to install one")
        apt.install(["docker.io"], say)
        probe = _wait_for_answer(SETTLE_SECONDS, lambda: True)
    return _start(data_dir, say) if probe.health is Health.UNREACHABLE else probe


def started_engine(data_dir: Path) -> ProcessMark | None:
    """The engine that an `up` on this data folder started, if it still lives."""
    try:
        mark = ProcessMark(**json.loads((data_dir / NOTE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return mark if mark.alive() else None


def stop_engine(data_dir: Path) -> bool:
    """End the engine that we started; whether it ended in time. Its containers end too."""
    mark = started_engine(data_dir)
    if mark is not None:
        mark.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while mark.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
    (data_dir / NOTE).unlink(missing_ok=True)
    return True


def _start(data_dir: Path, say: Callable[[str], None]) -> Probe:
    say("Starting a Docker engine (dockerd) …")
    log = data_dir / LOG
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": PROGRAMS},
            cwd="/",
            start_new_session=True,
        )
    # Another starter's engine may win the race for the socket; then ours gives up, and the
    # one that answers is not ours to end.
    mark = ProcessMark.of_child(process.pid)
    probe = _wait_for_answer(ANSWER_SECONDS, mark.alive)
    if mark.alive():
        (data_dir / NOTE).write_text(json.dumps(asdict(mark)))
    if probe.health is Health.UNREACHABLE:
        words = log.read_text(errors="replace").strip(". \n").rpartition("\n")[2]
        raise EngineUnavailable(f"dockerd does not answer: {words} (all of it: {log})")
    return probe


def _wait_for_answer(seconds: float, alive: Callable[[], bool]) -> Probe:
    """Probe until the engine answers, the time is over, or nobody is left to answer."""
    deadline = time.monotonic() + seconds
    while True:
        last = not alive() or time.monotonic() > deadline
        probe = probe_engine()
        if last or probe.health is not Health.UNREACHABLE:
            return probe
        time.sleep(0.2)
