"""What only a Docker engine does to a run, and how the driver tells; the rest is in the
contract suite."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import docker
import pytest

from providers.driver import EngineFault, Handle, Rejected, RunState, SupportsStats
from tests.integration.docker_driver.place import Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.docker


def test_a_probe_tells_the_images_by_every_name(place: Place) -> None:
    images = place.driver.probe().images
    assert images is not None
    image = place.spec("true").image
    assert {image, image.removesuffix(":latest")} <= images


def test_a_name_that_is_taken_by_another_uid_is_refused(place: Place) -> None:
    spec = place.spec("true")
    place.driver.create(spec)
    with pytest.raises(Rejected):
        place.driver.create(replace(spec, uid=spec.uid[:8] + "-another"))


def test_a_program_past_its_memory_is_told_as_out_of_memory(place: Place) -> None:
    script = "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done"
    seen = place.finish(place.shell(script, memory_mb=16))
    assert (seen.exit_code, seen.oom_killed) == (137, True)


@pytest.mark.parametrize(
    ("command", "code", "why"),
    [
        ("nosuchcmd", 127, "No such file or directory"),
        ("/etc/passwd", 126, "Permission denied"),
        ("/etc", 126, "Permission denied"),
    ],
)
def test_a_program_that_was_never_executed_is_told_from_one_that_failed(
    place: Place, command: str, code: int, why: str
) -> None:
    seen = place.finish(place.begin(command))
    assert (seen.exit_code, seen.could_not_start) == (code, True)
    assert command in seen.error
    assert why in seen.error


@pytest.mark.parametrize("script", ["exit 127", "nosuchcmd", "echo '[FATAL tini (7)]'; exit 126"])
def test_a_program_that_returns_126_or_127_itself_did_start(place: Place, script: str) -> None:
    seen = place.finish(place.shell(script))
    assert seen.exit_code in (126, 127)
    assert not seen.could_not_start


def test_a_start_that_the_engine_refuses_is_told_and_stays_visible(place: Place) -> None:
    handle = place.driver.create(place.spec("true", user="nosuchuser"))
    with pytest.raises(Rejected, match="nosuchuser") as refused:
        place.driver.start(handle)
    assert refused.value.reason == "could_not_start"
    seen = place.driver.observe(handle)
    assert (seen.state, seen.could_not_start) == (RunState.CREATED, True)
    assert "nosuchuser" in seen.error


def test_an_image_that_is_not_there_is_told_at_create(place: Place) -> None:
    with pytest.raises(Rejected) as refused:
        place.driver.create(place.spec("true", image="gantry-test/nosuch:1"))
    assert refused.value.reason == "image_not_found"


def test_a_program_without_a_handler_ends_at_sigterm_without_waiting_for_the_grace(
    place: Place,
) -> None:
    handle = place.begin("sleep", "1000")
    with closing(docker.APIClient(version="auto")) as client:
        # Until its init has made it, a signal goes nowhere: the kernel spares a first process.
        wait_until(lambda: "sleep 1000" in commands(client, handle), 10, "the program runs")
    begun = time.monotonic()
    place.driver.stop(handle, 20)
    assert time.monotonic() - begun < 10
    assert place.finish(handle).exit_code == 143


def commands(client: docker.APIClient, handle: Handle) -> list[str]:
    """The command lines of what runs in a container."""
    return [row[-1] for row in client.top(handle["id"], "-o pid,args")["Processes"]]


def test_removals_at_the_same_time_all_succeed(place: Place) -> None:
    handle = place.shell("exit 0")
    place.finish(handle)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(place.driver.remove, handle, force=False) for _ in range(4)]:
            done.result()
    assert place.driver.observe(handle).state is RunState.GONE


def test_only_the_engine_that_made_a_container_tells_that_it_is_gone(place: Place) -> None:
    place.driver.probe()
    handle = place.shell("exit 0")
    place.finish(handle)
    elsewhere = {**handle, "engine": "ANOTHER"}
    assert place.driver.observe(elsewhere).exit_code == 0  # what is there is seen
    place.driver.remove(handle, force=False)
    assert place.driver.observe(handle).state is RunState.GONE
    with pytest.raises(EngineFault, match="another Docker engine answers at"):
        place.driver.observe(elsewhere)
    assert place.driver.observe({"v": 1, "id": handle["id"]}).state is RunState.GONE  # of old


def test_a_container_that_only_borrows_the_instances_label_is_not_listed(place: Place) -> None:
    client = docker.APIClient(version="auto")
    labels = {"gantry.instance": place.instance, "gantry.job": "many"}
    made = client.create_container(place.image, "true", labels=labels)
    try:
        assert place.driver.list_owned() == []
    finally:
        client.remove_container(made["Id"])
        client.close()


def test_a_busy_program_uses_about_the_cores_that_it_was_given(place: Place) -> None:
    handle = place.shell("while :; do :; done", cpu_cores=0.3)
    driver: SupportsStats = place.driver
    driver.stats(handle)
    samples = []

    def settled() -> bool:
        sample = driver.stats(handle)
        assert sample is not None
        samples.append(sample)
        return 0.1 < sample.cpu_cores < 0.5

    wait_until(settled, 20, "the program uses about 0.3 cores")
    assert 0 < samples[-1].memory_bytes < 64 * 2**20
    place.driver.stop(handle, 0)
    wait_until(lambda: driver.stats(handle) is None, 10, "there are no statistics of a dead one")
