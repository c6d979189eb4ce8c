#!/usr/bin/env bash
# Part of test-fresh.sh: in new namespaces, make the Debian root at $ROOT the root of
# everything, and run the steps in it.
set -euo pipefail

mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs dev/shm
mount -t sysfs sysfs sys # of the new network namespace
mount --rbind /sys/fs/cgroup sys/fs/cgroup
mount -t tmpfs tmpfs run
for folder in $PIP_FOLDERS; do
    [ -d "$folder" ] || continue
    mkdir -p "$ROOT$folder"
    mount --bind "$folder" "$ROOT$folder"
done
# A change of root, not a chroot: containers change their own root below it, which the
# kernel refuses to processes in a chroot.
mkdir -p old-root
pivot_root . old-root
umount -l /old-root
exec env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    STEPS="$STEPS" bash /root/gantry/deploy/test-fresh-steps.sh
