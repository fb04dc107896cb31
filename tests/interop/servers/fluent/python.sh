#!/usr/bin/env bash
# Two records by Python's FluentHandler to port $PORT.
set -euo pipefail
"${CACHE:-${TMPDIR:-/tmp}/strata-servers/fluent}/venv/bin/python" - <<'P'
import logging, os
from fluent import handler

logging.raiseExceptions = True
log = logging.getLogger("shop")
for precise in (False, True):
    h = handler.FluentHandler("app.py", host="127.0.0.1", port=int(os.environ["PORT"]), nanosecond_precision=precise)
    h.setFormatter(handler.FluentRecordFormatter({"level": "%(levelname)s"}))
    log.handlers = [h]
    log.warning("paid %d", 7)
    h.close()
P
