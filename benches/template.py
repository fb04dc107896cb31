"""What CPython's logging.Formatter takes for the lines of benches/template.rs, in nanoseconds, one a line."""
import logging
import statistics
import sys
import time

LINES = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000

record = logging.LogRecord('shop.web', 20, '/srv/app/src/app.rs', 10, 'request served', (), None, 'run')
record.created, record.msecs = 1709640000.0625, 62.0
record.user, record.route, record.ms, record.cached, record.client = 4711, '/orders', 12.375, True, '10.1.2.3'

for fmt, style in (
        ('%(message)s', '%'),
        ('%(asctime)s %(levelname)-8s [%(threadName)s] %(name)s:%(lineno)d: %(message)s user=%(user)d '
         'route=%(route)s ms=%(ms).3f cached=%(cached)s client=%(client)s', '%'),
        ('{asctime}|{levelname:>8}|{name:^12}|{message}|{user:06d}|{route:<12}|{ms:8.2f}|{cached}|{client}', '{')):
    formatter = logging.Formatter(fmt, style=style)
    rounds = []
    for _ in range(5):
        start = time.thread_time_ns()
        for _ in range(LINES):
            formatter.format(record)
        rounds.append((time.thread_time_ns() - start) / LINES)
    print(statistics.median(rounds))
