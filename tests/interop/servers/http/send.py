"""Sends records as Python's own HTTPHandler does: send.py HOST URL METHOD RECORDS"""
import json
import logging
import logging.handlers
import sys


class Handler(logging.handlers.HTTPHandler):
    def mapLogRecord(self, record):
        # Since 3.12; ours has it only where it is set.
        return {name: value for name, value in super().mapLogRecord(record).items() if name != "taskName"}

    def handleError(self, record):
        raise


host, url, method, records = sys.argv[1:]
handler = Handler(host, url, method, credentials=("user", "pä:ss"))
for attributes in json.load(open(records, encoding="utf-8")):
    # In its order.
    attributes.update(attributes.pop("extra"))
    attributes["args"] = ()
    handler.emit(logging.makeLogRecord(attributes))
