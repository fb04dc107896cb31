#!/bin/bash
set -e
command -v rsyslogd >/dev/null && exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rsyslog
