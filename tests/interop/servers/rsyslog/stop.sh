#!/bin/bash
kill $(cat $D/run/pid); for i in $(seq 50); do kill -0 $(cat $D/run/pid) 2>/dev/null || break; sleep .1; done; rm -f $D/run/log.sock
