#!/usr/bin/env bash
# Unpacked, not installed: the package conflicts with rsyslog's.
set -euo pipefail
root=${TMPDIR:-/tmp}/strata-syslog-ng
libs=(libivykis0 libnet1 libjson-c5 libwrap0 libpcre3 openssl)
[ -x "$root/usr/sbin/syslog-ng" ] && dpkg -s "${libs[@]}" >/dev/null 2>&1 && exit 0
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${libs[@]}"
mkdir -p "$root/deb"
(cd "$root/deb" && apt-get -o APT::Sandbox::User=root download syslog-ng-core)
dpkg -x "$root"/deb/syslog-ng-core*.deb "$root"
