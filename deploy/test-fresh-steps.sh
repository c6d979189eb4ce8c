#!/usr/bin/env bash
# Part of test-fresh.sh: what a person would do on the new machine.
set -euo pipefail
. /etc/client-environment
cd /root/gantry

say() { printf '\n== %s\n' "$*"; }

# Start Gantry in the folder we are in, run a job, end Gantry:
# run_first_job SECONDS PROVIDER [COMMAND THAT CHANGES THE USER]
run_first_job() {
    local most=$1 provider=$2 begun=$SECONDS up log token
    shift 2
    log=$(mktemp)
    chmod 666 "$log"
    "$@" make up >"$log" 2>&1 &
    up=$!
    until grep -q "Gantry is ready" "$log"; do
        if ! kill -0 "$up" 2>/dev/null || [ $((SECONDS - begun)) -gt "$most" ]; then
            cat "$log"
            say "make up was not ready in $most s"
            return 1
        fi
        sleep 0.5
    done
    cat "$log"
    say "ready after $((SECONDS - begun)) s"
    token=$("$@" .venv/bin/python manage.py token admin --name first)
    GANTRY_TOKEN=$token python3 deploy/first_job.py http://127.0.0.1:8000 "$provider"
    begun=$SECONDS
    # As Ctrl-C would: make passes it on.
    kill -TERM "$up"
    wait "$up" || true
    say "ended after $((SECONDS - begun)) s"
    "$@" make down
    rm "$log"
}

for step in $STEPS; do
    case $step in
    up)
        say "make up, as root: installs an engine, runs a job in a container"
        run_first_job 180 local
        say "make up again"
        run_first_job 10 local
        ;;
    user)
        say "make up, as somebody who may install nothing: plain processes, and it says so"
        useradd --create-home person
        git clone --quiet /root/gantry /home/person/gantry
        chown -R person: /home/person/gantry
        (
            cd /home/person/gantry
            run_first_job 180 local-process setpriv --reuid=person --regid=person --clear-groups \
                env HOME=/home/person
        )
        ;;
    test)
        say "make test"
        make test
        ;;
    esac
done
