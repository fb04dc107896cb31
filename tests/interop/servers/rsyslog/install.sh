#!/usr/bin/env bash
set -euo pipefail
command -v rsyslogd >/dev/null && command -v openssl >/dev/null && command -v setpriv >/dev/null \
    && ls /usr/lib/*/rsyslog/lmnsd_gtls.so >/dev/null 2>&1 && exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rsyslog rsyslog-gnutls openssl util-linux iproute2
