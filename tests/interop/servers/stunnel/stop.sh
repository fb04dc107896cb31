#!/bin/bash
P=$(cat $D/run/pid); kill $P; for i in $(seq 80); do kill -0 $P 2>/dev/null || break; sleep .1; done
