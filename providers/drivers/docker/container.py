"""RunSpec → the engine's words. Built from typed fields only: nothing is passed through."""

from __future__ import annotations

from typing import Any

from providers.driver import Mount, Rejected, RunSpec

NOBODY = "65534"
MIB = 1024 * 1024

LOG_FILE_BYTES, LOG_FILES = 32 * MIB, 4
"""What the engine keeps of one container's output: as much as Gantry stores of an attempt
by default, for a reader that is behind."""


def container_name(spec: RunSpec) -> str:
    """The name of this attempt's container; the engine refuses a second one."""
    return f"gantry-{spec.instance[:8]}-{spec.job}-a{spec.attempt}-{spec.uid[:8]}"


def container_body(spec: RunSpec) -> dict[str, Any]:
    """The body of `POST /containers/create`. Raises Rejected for what the profile forbids."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Labels": spec.labels(),
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "User": _user(spec),
        "WorkingDir": spec.working_dir,
        # An image's health check would run programs beside the job for nobody.
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(spec),
    }
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.args:
        body["Cmd"] = list(spec.args)
    return body


def _host_config(spec: RunSpec) -> dict[str, Any]:
    memory = spec.memory_mb * MIB
    config: dict[str, Any] = {
        "Init": True,
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Privileged": False,
        "IpcMode": "private",
        "NetworkMode": spec.network,
        "NanoCpus": round(spec.cpu_cores * 1_000_000_000),
        "Memory": memory,
        "MemorySwap": memory,  # the sum of both: no swap
        "PidsLimit": spec.pids,
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "CapDrop": ["NET_RAW", "MKNOD"],
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": _log_config(),
        "Mounts": [_mount(mount) for mount in spec.mounts],
    }
    if spec.profile == "restricted":
        config["CapDrop"] = ["ALL"]
        config["ReadonlyRootfs"] = True
        # Counted in the job's memory, hence no more than half of it.
        size = max(1, spec.memory_mb // 2)
        config["Tmpfs"] = {"/tmp": f"rw,nosuid,nodev,noexec,mode=1777,size={size}m"}
    if spec.gpus:
        config["DeviceRequests"] = [{"Count": spec.gpus, "Capabilities": [["gpu"]]}]
    return config


def _log_config() -> dict[str, Any]:
    """`local` is the one log driver that keeps bytes exactly; blocking, so that a slow disk
    slows the job instead of losing lines."""
    sizes = {"max-size": f"{LOG_FILE_BYTES // 1024}k", "max-file": str(LOG_FILES)}
    return {"Type": "local", "Config": {"mode": "blocking", "compress": "false"} | sizes}


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        # Engines before 25 leave file systems mounted below a read-only bind writable.
        "BindOptions": {"Propagation": "rprivate", "NonRecursive": mount.read_only},
    }


def _user(spec: RunSpec) -> str:
    """Who runs the program. The restricted profile takes a number other than 0 only: a
    name means whatever the image's passwd says, root included."""
    if spec.profile != "restricted":
        return spec.user
    if not spec.user:
        return f"{NOBODY}:{NOBODY}"
    uid, _, gid = spec.user.partition(":")
    if not uid.isdecimal() or (gid and not gid.isdecimal()):
        raise Rejected("rejected", "the restricted profile needs a numeric user, such as 1000:1000")
    if int(uid) == 0 or (gid and int(gid) == 0):
        raise Rejected("rejected", "the restricted profile does not run as root")
    return f"{uid}:{gid or uid}"  # a number unknown to the image would get the group root
