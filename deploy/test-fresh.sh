#!/usr/bin/env bash
# Prove `make up` and `make test` on a machine where nothing was installed by hand: a bare
# Debian 12 root with python3, git and make, and a clone of HEAD in it.
#
#   deploy/test-fresh.sh              all steps: up user test
#   STEPS="up" deploy/test-fresh.sh   some of them
#
# The root gets namespaces of its own (mounts, processes, network), so that the engine it
# installs and everything else in it ends with this script and never meets the host's
# engine. It takes from the host: the package sources, pip's configuration, certificates.
# Needs root, debootstrap and iproute2 (installed when missing).
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm
include=python3,git,make
name=gantryfresh$$
link=gf$$
subnet=10.213.$(($$ % 250))

say() { printf '\n== %s\n' "$*"; }

[ "$(id -u)" = 0 ] || { echo "make test-fresh needs root: it makes a Debian root" >&2; exit 1; }
for program in debootstrap:debootstrap ip:iproute2 iptables:iptables; do
    command -v "${program%%:*}" >/dev/null ||
        DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "${program##*:}" >/dev/null
done

root=$(mktemp -d "${TMPDIR:-/var/tmp}/gantry-fresh.XXXXXX")
chmod 755 "$root" # it becomes somebody's /

clean_up() {
    # The namespaces are gone by now, and with them every mount and process.
    iptables -t nat -D POSTROUTING -s "$subnet.0/30" -j MASQUERADE 2>/dev/null || true
    iptables -D FORWARD -i "$link" -j ACCEPT 2>/dev/null || true
    iptables -D FORWARD -o "$link" -j ACCEPT 2>/dev/null || true
    ip link del "$link" 2>/dev/null || true
    ip netns del "$name" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap clean_up EXIT

say "Making a Debian $suite root with $include"
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk -v suite="$suite" '$2 == suite { print $1; exit }')
[ -n "$mirror" ] || { echo "no $suite source is configured for apt on this machine" >&2; exit 1; }
debootstrap --variant=minbase --include="$include" "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; exit 1; }
rm -f "$root.log"

say "Giving it the package sources, pip configuration and certificates of this machine"
rm -f "$root/etc/apt/sources.list"
for path in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/auth.conf.d \
    /etc/apt/keyrings /usr/share/keyrings /etc/pip.conf /etc/resolv.conf /etc/hosts; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    cp -aLT "$path" "$root$path"
done
# Folders of packages that pip is told to look in, if any.
pip_folders=$(python3 -m pip config list 2>/dev/null | grep -oE "(file://|=')?/[^' ]+" |
    sed -E "s,^(file://|='),," | grep -v '^/etc/' | sort -u || true)
# The environment of package clients; nothing else of ours goes in. The certificates get a
# place of their own: the root makes its usual one anew when it installs its own package.
env | grep -E '^(PIP_|https?_proxy=|no_proxy=|HTTPS?_PROXY=|NO_PROXY=)' | grep -v '^PIP_CERT=' |
    sed 's/^/export /; s/=\(.*\)$/='"'"'\1'"'"'/' >"$root/etc/client-environment" || true
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/host-certificates.crt"
    echo 'export PIP_CERT=/etc/host-certificates.crt' >>"$root/etc/client-environment"
fi

say "Cloning HEAD into it"
git clone --quiet --no-local "file://$PWD" "$root/root/gantry"

say "Making its network"
ip netns add "$name"
ip link add "$link" type veth peer name eth0 netns "$name"
ip addr add "$subnet.1/30" dev "$link"
ip link set "$link" up
ip -n "$name" addr add "$subnet.2/30" dev eth0
ip -n "$name" link set lo up
ip -n "$name" link set eth0 up
ip -n "$name" route add default via "$subnet.1"
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -t nat -A POSTROUTING -s "$subnet.0/30" -j MASQUERADE
iptables -I FORWARD -i "$link" -j ACCEPT
iptables -I FORWARD -o "$link" -j ACCEPT

say "Going in"
export ROOT=$root PIP_FOLDERS=$pip_folders STEPS=${STEPS:-up user test}
# Not `ip netns exec`: that hides the control groups, which the engine needs.
nsenter --net="/run/netns/$name" unshare --mount --pid --fork --kill-child --propagation private \
    bash "$root/root/gantry/deploy/test-fresh-enter.sh"
say "All of it passed: $STEPS"
