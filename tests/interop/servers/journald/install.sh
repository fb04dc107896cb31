#!/usr/bin/env bash
# systemd-journald and journalctl; no system manager is needed.
set -euo pipefail
[ -x /lib/systemd/systemd-journald ] && command -v journalctl >/dev/null && exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends systemd
