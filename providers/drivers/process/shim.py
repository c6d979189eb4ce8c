"""The start of a run, in a process of its own: claim it, execute it, become its keeper.

Its standard output is the way to report to the driver that started it: one JSON object
{"result": "running" | "lost" | "could_not_start" | "no_capacity", "error": …}. The end of
that stream without one means that nobody knows.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import time
from contextlib import suppress

from providers.drivers.process import cgroup, files
from providers.drivers.process.identity import Identity
from providers.drivers.process.journal import JournalWriter
from providers.drivers.process.keeper import Keeper
from providers.drivers.process.launch import Launch

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
NO_ROOM = {errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE, errno.ENOSPC, errno.EDQUOT}


class CouldNotStart(Exception):
    """The program was not executed; `code` is what a shell would exit with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def main(folder: str) -> None:
    """Detach, then start the run of this folder, if it is still to be had."""
    if os.fork():
        os._exit(0)
    os.setsid()
    # The keeper records how a shutdown of the machine ends the program: it must be the last.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        _start(folder)
    except OSError as error:
        _report("no_capacity" if error.errno in NO_ROOM else "failed", str(error))
        raise


def _start(folder: str) -> None:
    wanted = files.read_json(f"{folder}/{files.LAUNCH}")
    me = Identity.of_this_process()
    try:
        won = wanted is not None and files.claim_json(
            f"{folder}/{files.CLAIM}", {"by": "start", "keeper": me.to_json()}
        )
    except FileNotFoundError:
        won = False  # the fencer has taken the whole folder away
    if not won or wanted is None:
        _report("lost", "somebody else has started or fenced it")
        return
    os.unlink(f"{folder}/{files.LAUNCH}")  # the secrets are on the disk no longer
    try:
        keeper, program, started_ns = _launch(folder, Launch.from_json(wanted), me.pid)
    except (CouldNotStart, OSError, ValueError) as error:
        # The run is ours, so its end has to be told, whatever went wrong.
        code = error.code if isinstance(error, CouldNotStart) else 126
        end = {"exit_code": code, "error": str(error), "could_not_start": True}
        files.write_json(f"{folder}/{files.ENDED}", {**end, "finished_ns": time.time_ns()})
        _report("could_not_start", str(error))
        return
    _report("running", "")
    keeper.keep(program, started_ns)


def _launch(folder: str, launch: Launch, me: int) -> tuple[Keeper, int, int]:
    """Execute the program: its keeper, its pid and when it began. Raises CouldNotStart."""
    libc = ctypes.CDLL(None)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    # Orphaned grandchildren become our children, so that none of them gets lost.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    journal = JournalWriter(folder, segment_bytes=launch.segment_bytes, segments=launch.segments)
    group = cgroup.make(launch.uid) if launch.cgroup else ""
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    told_read, told_write = os.pipe()
    keeper = Keeper(folder, me, group, journal, out_read, err_read)
    program = os.fork()
    if program == 0:
        try:
            _execute(libc, me, launch, group, out_write, err_write)
        except CouldNotStart as error:
            os.write(told_write, json.dumps([str(error), error.code]).encode())
        finally:
            os._exit(127)
    started_ns = time.time_ns()
    for fd in (out_write, err_write, told_write):
        os.close(fd)
    # Ends when the program is executed, which closes the other side.
    with os.fdopen(told_read, "rb") as told:
        failure = told.read()
    if failure:
        os.waitpid(program, 0)
        cgroup.remove(group)
        message, code = json.loads(failure)
        raise CouldNotStart(message, code)
    # On a full disk the start time comes late, with the end; the program runs all the same.
    with suppress(OSError):
        files.write_json(
            f"{folder}/{files.STARTED}",
            {"started_ns": started_ns, "pid": program, "cgroup": group},
        )
    return keeper, program, started_ns


def _execute(
    libc: ctypes.CDLL, keeper: int, launch: Launch, group: str, out: int, err: int
) -> None:
    """In the child: become the program. Raises CouldNotStart, and nothing else."""
    step = "prepare the process"
    try:
        for number in signal.valid_signals():
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.umask(0o022)
        null = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        if group:
            cgroup.join(group)
        _limit(launch.memory_mb)
        step = f"use the working directory {launch.cwd}"
        os.chdir(launch.cwd)
        step = "become the user"
        _become(launch)
        # After the change of user, which would clear it: who dies with its keeper cannot
        # run on without a record.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            os._exit(127)
        step = f"execute {launch.argv[0]}"
        os.execvpe(launch.argv[0], launch.argv, launch.env)
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        raise CouldNotStart(
            f"could not {step}: {error.strerror}", 127 if missing else 126
        ) from None
    except Exception as error:
        raise CouldNotStart(f"could not {step}: {error}", 126) from None


def _limit(memory_mb: int) -> None:
    """Per process, as far as rlimits go: private memory, no core files. The kernel's own
    choice of whom to kill when the machine runs out falls on jobs before Gantry."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = memory_mb * 1024 * 1024
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or size < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")


def _become(launch: Launch) -> None:
    if launch.user is None:
        return
    uid, gid, groups = launch.user
    os.setgroups(groups)
    os.setgid(gid)
    os.setuid(uid)


def _report(result: str, error: str) -> None:
    """Tell the driver, and let go of it: the end of the stream is the end of its wait."""
    with suppress(OSError):  # it may be gone; the files tell the same
        os.write(1, json.dumps({"result": result, "error": error}).encode())
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
