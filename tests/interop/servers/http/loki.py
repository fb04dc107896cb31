"""Logs records as a program of Python's does: loki.py CONFIG RECORDS"""
import json
import logging.config
import sys

config, records = sys.argv[1:]
config = json.loads(config)
for handler in config["handlers"].values():
    # A list, as JSON has it, is no user and password to the package.
    handler["auth"] = tuple(handler["auth"])
logging.config.dictConfig(config)


def fail(self, record):
    raise


logging.Handler.handleError = fail
for name, level, message in json.load(open(records, encoding="utf-8")):
    logging.getLogger(name).log(level, message)
