"""What a keeper is to execute: written by `create`, read once by the shim."""

from __future__ import annotations


class Launch:
    """One program. `user` is (uid, gid, groups), None to stay who we are."""

    __slots__ = (
        "argv",
        "cgroup",
        "cwd",
        "env",
        "memory_mb",
        "segment_bytes",
        "segments",
        "uid",
        "user",
    )

    def __init__(
        self,
        *,
        uid: str,
        argv: list[str],
        env: dict[str, str],
        cwd: str,
        user: tuple[int, int, list[int]] | None,
        memory_mb: int,
        segment_bytes: int,
        segments: int,
        cgroup: bool,
    ) -> None:
        self.uid = uid
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.user = user
        self.memory_mb = memory_mb
        self.segment_bytes = segment_bytes
        self.segments = segments
        self.cgroup = cgroup

    def to_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Launch:
        """Raises ValueError when the file is not what `to_json` wrote."""
        match data:
            case {
                "uid": str(uid),
                "argv": [*argv],
                "env": {**env},
                "cwd": str(cwd),
                "user": user,
                "memory_mb": int(memory_mb),
                "segment_bytes": int(segment_bytes),
                "segments": int(segments),
                "cgroup": bool(cgroup),
            }:
                return cls(
                    uid=uid,
                    argv=[str(word) for word in argv],
                    env={str(name): str(value) for name, value in env.items()},
                    cwd=cwd,
                    user=_user(user),
                    memory_mb=memory_mb,
                    segment_bytes=segment_bytes,
                    segments=segments,
                    cgroup=cgroup,
                )
        raise ValueError("not the description of a launch")


def _user(data: object) -> tuple[int, int, list[int]] | None:
    match data:
        case [int(uid), int(gid), [*groups]]:
            return uid, gid, [group for group in groups if isinstance(group, int)]
    return None
