#!/usr/bin/env bash
# KEEP=1: what it has stored stays, for a restart.
NS=${NS:-strata-it}
pid=$(cat "$D/pid")
kill "$pid"
for _ in $(seq 100); do
    kill -0 "$pid" 2>/dev/null || break
    sleep .1
done
rm -rf "/run/systemd/journal.$NS"
[ -n "${KEEP:-}" ] || rm -rf "/etc/systemd/journald@$NS.conf" /run/log/journal/*."$NS"
