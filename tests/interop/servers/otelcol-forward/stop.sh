#!/usr/bin/env bash
P=$(cat "$D/pid")
kill "$P"
for _ in $(seq 100); do kill -0 "$P" 2>/dev/null || exit 0; sleep .1; done
kill -9 "$P"
