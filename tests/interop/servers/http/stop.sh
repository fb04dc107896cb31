#!/usr/bin/env bash
kill "$(cat "$D/pid")"
