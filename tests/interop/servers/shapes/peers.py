"""What python-json-logger and ecs-logging make of the records on stdin, one JSON object a line; what logfmtkv reads in lines of logfmt."""
import json, logging, sys

import ecs_logging, logfmtkv
from pythonjsonlogger.json import JsonFormatter

FORMATS = {
    "python": JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="-"),
    "ecs": ecs_logging.StdlibFormatter(exclude_fields=["log.origin", "log.original", "process"]),
}
for line in sys.stdin:
    if sys.argv[1] == "logfmt":
        print(json.dumps([[pair.key, pair.value] for pair in logfmtkv.parse_pairs(line.rstrip("\n"), strict=True)]))
        continue
    spec = json.loads(line)
    record = logging.LogRecord(spec["name"], spec["levelno"], "x.py", 1, spec["message"], None, None)
    record.__dict__.update(spec["extra"])
    print(FORMATS[sys.argv[1]].format(record))
