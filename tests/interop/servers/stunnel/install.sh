#!/usr/bin/env bash
set -euo pipefail
command -v stunnel4 >/dev/null && command -v openssl >/dev/null && command -v faketime >/dev/null && exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends stunnel4 openssl faketime iproute2
