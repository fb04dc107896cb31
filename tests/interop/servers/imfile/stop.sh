#!/bin/bash
D=${D:?}
kill "$(cat "$D/run/pid")"
for _ in $(seq 50); do kill -0 "$(cat "$D/run/pid")" 2>/dev/null || break; sleep .1; done
exit 0
