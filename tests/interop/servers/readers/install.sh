#!/bin/bash
# Readers of logs, and what the file tests need: lnav, jq, zstd, strace, libfaketime.
set -e
need=
for tool in lnav jq zstd strace faketime nsenter unshare; do command -v $tool >/dev/null || need=yes; done
[ -z "$need" ] && exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends lnav jq zstd strace faketime util-linux
