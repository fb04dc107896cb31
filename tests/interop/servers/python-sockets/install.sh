#!/usr/bin/env bash
command -v python3 >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3
