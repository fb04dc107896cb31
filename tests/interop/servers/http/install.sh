#!/usr/bin/env bash
set -euo pipefail
command -v python3 >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3; }
