#!/usr/bin/env bash
# systemd-journald as a plain process in a journal namespace of its own (root is needed for /run and /etc only).
# Its socket: /run/systemd/journal.$NS/socket
set -euo pipefail
NS=${NS:-strata-it}
[ -s /etc/machine-id ] || systemd-machine-id-setup
mkdir -p "$D" "/run/systemd/journal.$NS" /run/log/journal
# A MaxRetentionSec of more than 30 s switches off the end after idling that namespaces have.
cat >"/etc/systemd/journald@$NS.conf" <<EOF
[Journal]
Storage=volatile
RuntimeMaxUse=256M
RateLimitIntervalSec=0
RateLimitBurst=0
MaxRetentionSec=1day
SyncIntervalSec=1s
ForwardToSyslog=no
ForwardToWall=no
EOF
RUNTIME_DIRECTORY=/run/systemd/journal.$NS SYSTEMD_LOG_TARGET=console \
    /lib/systemd/systemd-journald "$NS" >"$D/journald.log" 2>&1 &
echo $! >"$D/pid"
for _ in $(seq 100); do
    [ -S "/run/systemd/journal.$NS/socket" ] && break
    sleep .1
done
kill -0 "$(cat "$D/pid")"
[ -S "/run/systemd/journal.$NS/socket" ]
