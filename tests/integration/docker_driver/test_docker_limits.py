"""What a container may do is what the engine and the kernel say from inside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from providers.driver import Mount, Rejected
from tests.integration.docker_driver.place import Place

pytestmark = pytest.mark.docker

NET_RAW, MKNOD = 1 << 13, 1 << 27


@pytest.fixture
def sdk() -> Iterator[docker.APIClient]:
    client = docker.APIClient(version="auto")
    yield client
    client.close()


def status_of(place: Place, **fields: Any) -> dict[str, str]:
    """/proc/self/status of a program in a container with these fields."""
    handle = place.shell("cat /proc/self/status", **fields)
    assert place.finish(handle).exit_code == 0
    lines = place.output(handle).decode().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_standard_profile_runs_without_raw_sockets_device_nodes_or_new_privileges(
    place: Place,
) -> None:
    status = status_of(place)
    for kind in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[kind], 16) & (NET_RAW | MKNOD) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"  # a filter is in force


def test_the_restricted_profile_runs_as_nobody_without_any_capability(place: Place) -> None:
    status = status_of(place, profile="restricted")
    assert {status[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0000000000000000"
    }
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65534"}


def test_the_restricted_profile_can_write_to_tmp_only_and_cannot_run_what_it_wrote(
    place: Place,
) -> None:
    script = """
        for at in / /bin /etc /var /root; do touch $at/x 2>/dev/null && echo wrote $at; done
        touch /tmp/x && echo wrote /tmp
        cp /bin/busybox /tmp/run && /tmp/run true || echo not run
    """
    handle = place.shell(script, profile="restricted")
    place.finish(handle)
    assert place.output(handle) == b"wrote /tmp\nnot run\n"


@pytest.mark.parametrize(("given", "uid", "gid"), [("1234", 1234, 1234), ("1234:77", 1234, 77)])
def test_the_restricted_profile_takes_another_user_that_is_not_root(
    place: Place, given: str, uid: int, gid: int
) -> None:
    status = status_of(place, profile="restricted", user=given)
    assert set(status["Uid"].split()) == {str(uid)}
    assert set(status["Gid"].split()) == {str(gid)}


@pytest.mark.parametrize("user", ["root", "0", "00", "0:0", "1000:0", "nobody", "1000:wheel"])
def test_the_restricted_profile_refuses_root_and_names_that_may_mean_it(
    place: Place, user: str
) -> None:
    with pytest.raises(Rejected, match="restricted profile"):
        place.driver.create(place.spec("true", profile="restricted", user=user))
    assert place.driver.list_owned() == []


def test_memory_is_limited_without_swap_and_processes_are_limited(place: Place) -> None:
    script = """
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
        cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null
        ulimit -c
    """
    handle = place.shell(script, memory_mb=48, pids=33)
    place.finish(handle)
    assert place.output(handle).split() == [str(48 * 2**20).encode(), b"33", b"0"]


def test_more_processes_than_allowed_cannot_be_made(place: Place) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; echo all made"
    handle = place.shell(script, pids=6)
    assert place.finish(handle).exit_code != 0
    assert b"all made" not in place.output(handle)


def test_the_engine_is_told_exactly_the_options_that_gantry_means(
    place: Place, sdk: docker.APIClient
) -> None:
    """Whatever else the engine's API offers keeps the value of an empty request."""
    spec = place.spec("true", cpu_cores=0.5, memory_mb=48, pids=33, env={"A": "b"})
    ours = sdk.inspect_container(place.driver.create(spec)["id"])
    plain = sdk.create_container(place.image, ["true"], host_config=sdk.create_host_config())
    try:
        theirs = sdk.inspect_container(plain["Id"])
    finally:
        sdk.remove_container(plain["Id"])
    default = theirs["HostConfig"]
    changed = {k: v for k, v in ours["HostConfig"].items() if v != default.get(k)}
    log = changed.pop("LogConfig")
    assert (log["Type"], log["Config"]["mode"]) == ("local", "blocking")
    assert changed == {
        "CapDrop": ["NET_RAW", "MKNOD"],
        "Init": True,
        "Memory": 48 * 2**20,
        "MemorySwap": 48 * 2**20,
        "NanoCpus": 500_000_000,
        "NetworkMode": "bridge",
        "PidsLimit": 33,
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "SecurityOpt": ["no-new-privileges"],
        "Ulimits": [{"Name": "core", "Hard": 0, "Soft": 0}],
    }
    assert default["Privileged"] is ours["HostConfig"]["Privileged"] is False
    assert ours["HostConfig"]["PortBindings"] in (None, {})


def test_without_a_network_there_is_only_the_loopback(place: Place) -> None:
    script = "ls /sys/class/net"
    with_network, without = place.shell(script), place.shell(script, network="none")
    place.finish(with_network)
    place.finish(without)
    assert b"eth0" in place.output(with_network)
    assert b"eth0" not in place.output(without)


def test_a_mount_is_read_only_unless_said_otherwise(place: Place, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello\n")
    mounts = (Mount(str(tmp_path), "/ro"), Mount(str(tmp_path), "/rw", read_only=False))
    script = "cat /ro/in; touch /ro/x 2>/dev/null || echo refused; touch /rw/y && echo allowed"
    handle = place.shell(script, mounts=mounts)
    place.finish(handle)
    assert place.output(handle) == b"hello\nrefused\nallowed\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "y"]


def test_a_mount_of_what_is_not_there_is_refused_and_makes_nothing(
    place: Place, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(Rejected, match="missing"):
        place.driver.create(place.spec("true", mounts=(Mount(str(missing), "/data"),)))
    assert not missing.exists()


@pytest.mark.parametrize("fields", [{"cpu_cores": 4096.0}, {"memory_mb": 1}, {"image": "BAD:::"}])
def test_what_the_engine_cannot_give_is_refused_in_its_words(
    place: Place, fields: dict[str, Any]
) -> None:
    with pytest.raises(Rejected) as refused:
        place.driver.create(place.spec("true", **fields))
    assert str(refused.value)


def test_a_graphics_card_where_there_is_none_is_refused_and_runs_nothing(place: Place) -> None:
    handle = place.driver.create(place.spec("true", gpus=1))
    with pytest.raises(Rejected) as refused:
        place.driver.start(handle)
    assert refused.value.reason == "could_not_start"


def test_environment_folder_and_arguments_reach_the_program(place: Place) -> None:
    handle = place.begin(
        "sh",
        "-c",
        'echo "$GREETING|$PWD|$*"',
        "sh",
        env={"GREETING": "hello = wörld\nline two"},
        working_dir="/tmp",
        args=("one", "two words"),
    )
    place.finish(handle)
    assert place.output(handle).decode() == "hello = wörld\nline two|/tmp|one two words\n"
