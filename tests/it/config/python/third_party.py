"""What third-party classes of logging write: `python3.13 third_party.py [FOLDER]`, which writes third_party.jsonl.

FOLDER (or a temporary one) gets two virtual environments with the packages at fixed versions; a second run uses them again.
What a line has, and what each class does, is in third_party.md. The two journal classes are played only as root, where
`systemd-python` can be built (it needs the headers of libsystemd) and nothing else reads the journal's socket."""
import json
import os
import subprocess
import sys
import tempfile

PACKAGES = '''uvicorn==0.54.0 python-json-logger==4.2.0 ecs-logging==2.3.0 colorlog==6.12.0 coloredlogs==15.0.1 humanfriendly==10.0
    structlog==26.1.0 asgi-correlation-id==5.0.1 django==6.1.3 celery==5.7.0 gunicorn==27.0.1 rich==15.0.0 concurrent-log-handler==0.9.31
    graypy==2.1.0 python-logstash==0.4.8 python-logstash-async==4.1.0 cysystemd==2.0.5'''.split()
# What cannot be installed everywhere.
OPTIONAL = ['systemd-python==235']
# The last before the module was moved; what most configurations were written for.
OLD = ['python-json-logger==2.0.7']
HERE = os.path.dirname(os.path.abspath(__file__))


def prepare():
    folder = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else tempfile.mkdtemp()
    lines = []
    for name, packages, optional in (('venv', PACKAGES, OPTIONAL), ('venv-old', OLD, [])):
        venv = os.path.join(folder, name)
        python = os.path.join(venv, 'bin', 'python')
        if not os.path.exists(python):
            subprocess.check_call([sys.executable, '-m', 'venv', venv])
        subprocess.check_call([python, '-m', 'pip', 'install', '-q', '--disable-pip-version-check', *packages])
        for package in optional:
            subprocess.call([python, '-m', 'pip', 'install', '-q', '--disable-pip-version-check', package])
        # Sets are walked through in the order of the hashes; nothing of the surroundings decides over colours.
        env = {'PATH': os.environ['PATH'], 'PYTHONHASHSEED': '0', 'TZ': 'UTC', 'LC_ALL': 'C.UTF-8', 'THIRD_PARTY': name}
        lines += subprocess.check_output([python, os.path.abspath(__file__)], env=env, text=True).splitlines()
    with open(os.path.join(HERE, 'third_party.jsonl'), 'w') as file:
        file.writelines(line + '\n' for line in lines)
    print(len(lines), 'lines')


if 'THIRD_PARTY' not in os.environ:
    prepare()
    sys.exit()

import configparser
import contextlib
import copy
import functools
import gzip
import importlib.metadata
import io
import logging
import logging.config
import logging.handlers
import platform
import random
import re
import shutil
import socket
import struct
import threading
import time
import traceback
import types
import warnings
import zlib

warnings.simplefilter('ignore')
OUT = sys.stdout
IS_OLD = os.environ['THIRD_PARTY'] == 'venv-old'
socket.gethostname = lambda: 'shop-1'
socket.getfqdn = lambda name='': 'shop-1.example.org'

# ---------------------------------------------------------------- records

# The file is not there: a traceback has the places, and no lines of source.
SOURCE = '''
def pay(total):
    raise ValueError("bad total %s" % total)
def look(prices):
    return prices["pear"]
def checkout(kind):
    if kind == "value":
        pay(-3)
    if kind == "cause":
        try:
            look({})
        except KeyError as error:
            raise RuntimeError("no price") from error
    if kind == "lines":
        raise OSError(2, "gone:\\n  'a'")
'''
SHOP = {}
exec(compile(SOURCE, '/srv/app/shop.py', 'exec'), SHOP)


@functools.cache
def raised(kind):
    if kind == 'bare':
        return (ValueError, ValueError('never raised'), None)
    try:
        SHOP['checkout'](kind)
    except Exception as error:
        # From the file's own frame on.
        return (type(error), error, error.__traceback__.tb_next)


def rec(msg, *args, level=20, name='shop.cart', extra=None, exc=None, stack=None, created=1700000000.25, line=42, func='checkout', thread='MainThread'):
    return {'level': level, 'name': name, 'msg': msg, 'args': args[0] if len(args) == 1 and isinstance(args[0], dict) else list(args), 'extra': extra or {},
            'exc': exc, 'stack': stack, 'created': created, 'pathname': '/srv/app/shop.py', 'lineno': line, 'funcName': func, 'process': 4242,
            'processName': 'MainProcess', 'thread': 140000000000001, 'threadName': thread}


def make(given):
    args = given['args'] if isinstance(given['args'], dict) else tuple(given['args'])
    record = logging.LogRecord(given['name'], given['level'], given['pathname'], given['lineno'], copy.deepcopy(given['msg']), (), raised(given['exc']) if given['exc'] else None,
                               given['funcName'], given['stack'])
    record.args = args
    record.created = given['created']
    record.msecs = int((record.created - int(record.created)) * 1000) + 0.0
    record.relativeCreated = 1500.25
    for key in ('process', 'processName', 'thread', 'threadName'):
        setattr(record, key, given[key])
    for key, value in given['extra'].items():
        setattr(record, key, copy.deepcopy(value))
    return record


def told(given):
    """As the line has it: of the exception also its texts."""
    if not given['exc']:
        return given
    kind, value, trace = raised(given['exc'])
    return dict(given, exc={'type': kind.__name__, 'message': str(value), 'repr': repr(value),
                            'text': ''.join(traceback.format_exception(kind, value, trace)).rstrip('\n'),
                            # Each entry of it ends in a line feed.
                            'entries': traceback.format_exception(kind, value, trace),
                            'frames': traceback.format_tb(trace)})


EVERY = {'text': 'a "b"\n\\ é漢🎉', 'whole': 7, 'big': 2**70, 'negative': -1, 'fraction': 2.5, 'round': 3.0, 'small': 1e-7, 'large': 1e16, 'yes': True, 'no': False, 'nothing': None,
         'list': [1, 'a', None, [True]], 'empty': [], 'map': {'b': 1, 'a': {'c': [2]}}, 'none': {}}
STACK = 'Stack (most recent call last):\n  File "/srv/app/shop.py", line 5, in checkout\n    look({})'
PLAIN = rec('hello %s, %d items', 'Ann', 3)
LEVELS = [rec('at %d', level, level=level) for level in (5, 10, 20, 25, 30, 40, 50, 60)]
FIVE = [rec('at %d', level, level=level) for level in (10, 20, 30, 40, 50)]
EXTRA = rec('order placed', extra=EVERY)
FEW = rec('order placed', extra={'order': 17, 'user': 'ann lee', 'paid': True})
ERROR = rec('payment failed', level=40, exc='value', line=7)
CAUSE = rec('no price for %s', 'pear', level=40, exc='cause', func='<module>')
BARE = rec('bare', level=40, exc='bare')
STACKED = rec('where', level=30, stack=STACK)
BOTH = rec('both', level=40, exc='value', stack=STACK, extra={'order': 17})
ODD = rec('é "q" \\ \n\t漢🎉 \x1b[31mred\x1b[0m \u2028 \x7f', name='root', created=1719835200.0, thread='worker 1')
EMPTY = rec('', name='')
MAPPED = rec('%(who)s buys %(what)s', {'who': 'Ann', 'what': 'pears'})
DICT = rec({'event': 'sold', 'n': 2, 'deep': {'a': [1, None]}})
WRONG = rec('%d items', 'three')
USUAL = [PLAIN, FEW, ERROR, ODD]

# ---------------------------------------------------------------- playing

CASES = []


def case(cls, package, records=None, **given):
    """`formatter`, `handler`, `filter`: the sections. `zone`: TZ. `terminal`: the standard streams say that they are terminals. `width`: of the console.
    `settings`: Django's. `task`: the one that runs. `correlation_id`: the one of the request. `ini`: the section is one of an INI file. Nested `()` are objects made before, as a program in Python
    gives them, unless `as_read` is true."""
    CASES.append(dict({'class': cls, 'package': package}, **given, records=records if records is not None else USUAL))


def ready(value):
    """Makes the nested objects."""
    if isinstance(value, list):
        return [ready(item) for item in value]
    if isinstance(value, str) and value.startswith('ext://'):
        return logging.config.BaseConfigurator({}).convert(value)
    if not isinstance(value, dict):
        return value
    made = {key: ready(item) for key, item in value.items()}
    if '()' in made:
        return logging.config.BaseConfigurator({}).resolve(made.pop('()'))(**made)
    return made


def section(given, as_read):
    if as_read or given is None:
        return copy.deepcopy(given)
    return {key: value if key in ('()', 'class') else ready(value) if isinstance(value, (dict, list)) else value for key, value in copy.deepcopy(given).items()}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Failed(Exception):
    pass


def said(error):
    return '%s: %s' % (type(error).__name__, error)


@contextlib.contextmanager
def put(target, name, value):
    old = getattr(target, name)
    setattr(target, name, value)
    try:
        yield
    finally:
        setattr(target, name, old)


class Clock:
    """The module `time` at the time of the record."""
    def __init__(self):
        self.at = 0.0

    def time(self):
        return self.at

    def time_ns(self):
        return int(self.at * 1e9)

    def __getattr__(self, name):
        return getattr(time, name)


def stamped_datetime(clock):
    import datetime

    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.fromtimestamp(clock.at, tz)
    return types.SimpleNamespace(datetime=Frozen, timezone=datetime.timezone)


CLOCK = Clock()


class Receiver:
    """What arrives on a socket of the loopback."""
    def __init__(self, kind):
        self.is_tcp = kind == 'tcp'
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if self.is_tcp else socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.got = []
        if self.is_tcp:
            self.socket.listen()
            self.thread = threading.Thread(target=self.serve, daemon=True)
            self.thread.start()

    def serve(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                while data := connection.recv(1 << 20):
                    self.got.append(data)

    def datagrams(self):
        self.socket.settimeout(.2)
        with contextlib.suppress(TimeoutError):
            while True:
                self.got.append(self.socket.recv(1 << 16))
        return self.got

    def stream(self):
        seen = -1
        while seen != len(self.got):
            seen = len(self.got)
            time.sleep(.2)
        self.socket.close()
        return b''.join(self.got)


JOURNAL = '/run/systemd/journal/socket'


def fields(datagram):
    """Of the journal's own protocol."""
    found = []
    while datagram:
        line, _, rest = datagram.partition(b'\n')
        name, equals, value = line.partition(b'=')
        if not equals:
            length, = struct.unpack('<Q', rest[:8])
            value, rest = rest[8:8 + length], rest[9 + length:]
        found.append([name.decode(), value.decode()])
        datagram = rest
    return found


def files():
    found = {}
    for name in sorted(os.listdir('.')):
        with (gzip.open if name.endswith('.gz') else open)(name, 'rt', newline='') as file:
            found[name] = file.read()
    return found


def fail(record):
    raise Failed(said(sys.exc_info()[1])) from sys.exc_info()[1]


def configure(given, handler, stream):
    as_read = given.get('as_read', False)
    config = {'version': 1, 'disable_existing_loggers': False, 'handlers': {'h': handler}, 'root': {'handlers': ['h'], 'level': 'NOTSET'}}
    if given.get('ini'):
        text = '[loggers]\nkeys=root\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nlevel=NOTSET\nhandlers=h\n'
        text += '[handler_h]\nclass=StreamHandler\nformatter=f\nargs=(sys.stdout,)\n[formatter_f]\n'
        text += ''.join('%s=%s\n' % pair for pair in given['formatter'].items())
        parser = configparser.RawConfigParser()
        parser.read_string(text)
        with put(sys, 'stdout', stream):
            logging.config.fileConfig(parser)
        made, = logging.getLogger().handlers
        made.handleError = fail
        return made
    if stream is not None:
        config['handlers']['h'] = {'class': 'logging.StreamHandler', 'stream': stream}
    if given.get('formatter') is not None:
        config['formatters'] = {'f': section(given['formatter'], as_read)}
        config['handlers']['h']['formatter'] = 'f'
    if given.get('filter') is not None:
        config['filters'] = {'x': section(given['filter'], as_read)}
        config['handlers']['h']['filters'] = ['x']
    logging.config.dictConfig(config)
    made, = logging.getLogger().handlers
    made.handleError = fail
    return made


def run(given, made, emitted):
    results = []
    for one in given['records']:
        record = make(one)
        CLOCK.at = record.created
        try:
            if given.get('direct'):
                # Through the logger that the class is.
                result = given['direct'](one)
            else:
                result = emitted(record) if made.handle(record) else None
        except Failed as error:
            result = {'error': str(error)}
        except Exception as error:
            # Of a filter, or of a handler that does not catch it: the program that logs gets it.
            result = {'raised': said(error)}
        results.append(result)
    return results


def forget():
    # What a constructor gave up half-made is in the list, too, and would fail at the next configuration.
    logging._handlers.clear()
    logging._handlerList.clear()
    logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})


def play(given):
    os.environ['TZ'] = given.get('zone', 'UTC')
    time.tzset()
    with contextlib.ExitStack() as stack:
        stack.enter_context(put(sys, 'argv', ['shop.py']))
        stack.enter_context(put(sys, 'executable', '/usr/bin/python3'))
        if given.get('terminal'):
            stack.enter_context(put(sys, 'stdout', Terminal()))
            stack.enter_context(put(sys, 'stderr', Terminal()))
        if 'settings' in given:
            from django.conf import settings
            for name, value in given['settings'].items():
                stack.enter_context(put(settings, name, value))
        if given['class'].startswith('django') and given.get('terminal'):
            from django.core.management import color
            stack.enter_context(put(color, 'supports_color', lambda: True))
        if 'task' in given:
            import celery.app.log

            class Task:
                name = given['task']['name']

                class request:
                    id = given['task']['id']
            stack.enter_context(put(celery.app.log, 'get_current_task', lambda: Task))
        if 'correlation_id' in given:
            from asgi_correlation_id import correlation_id
            token = correlation_id.set(given['correlation_id'])
            stack.callback(correlation_id.reset, token)
        if given['class'].startswith('structlog'):
            import structlog.processors
            stack.enter_context(put(structlog.processors, 'datetime', stamped_datetime(CLOCK)))
            stack.enter_context(put(structlog.processors, 'time', CLOCK))
        handler = section(given.get('handler'), given.get('as_read'))
        name = (handler or {}).get('class', '')
        stack.callback(forget)
        if handler is None:
            stream = io.StringIO()

            def emitted(record):
                text = stream.getvalue()
                stream.seek(0)
                stream.truncate()
                return text.removesuffix('\n')
            return {'expected': run(given, configure(given, handler, stream), emitted)}
        if name.startswith('rich'):
            import rich.logging
            from rich.console import Console
            out = io.StringIO()
            console = Console(file=out, width=given['width'], color_system=None, legacy_windows=False, _environ={})
            stack.enter_context(put(rich.logging, 'get_console', lambda: console))

            def emitted(record):
                text = out.getvalue()
                out.seek(0)
                out.truncate()
                return text
            return {'expected': run(given, configure(given, handler, None), emitted)}
        if 'Concurrent' in name:
            import concurrent_log_handler
            folder = tempfile.mkdtemp()
            stack.callback(shutil.rmtree, folder)
            stack.callback(os.chdir, os.getcwd())
            os.chdir(folder)
            for module in (concurrent_log_handler, logging.handlers):
                stack.enter_context(put(module, 'time', CLOCK))
            CLOCK.at = given['records'][0]['created'] if given['records'] else 1700000000.0
            made = configure(given, handler, None)
            results = run(given, made, lambda record: None)
            made.close()
            out = {'files': files()}
            if any(results):
                out['failed'] = results
            return out
        if 'ournal' in name:
            os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
            server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            server.bind(JOURNAL)
            stack.callback(os.unlink, JOURNAL)
            stack.callback(server.close)
            server.settimeout(2)
            return {'expected': run(given, configure(given, handler, None), lambda record: fields(server.recv(1 << 20)))}
        # What is sent over the network.
        is_async = 'Asynchronous' in name
        seen = [0]
        is_udp = 'UDP' in name or name.endswith('LogstashHandler') and name == 'logstash.LogstashHandler' or 'Udp' in str(handler.get('transport'))
        receiver = Receiver('udp' if is_udp else 'tcp')
        handler['port'] = receiver.port
        stack.enter_context(put(random, 'randint', lambda low, high: 0x0102030405060708))
        if is_async:
            from logstash_async.constants import constants
            constants.QUEUE_CHECK_INTERVAL = .05
        made = configure(given, handler, None)

        def arrived(record):
            # One by one: the worker sends what it has in no order.
            if not is_async:
                return None
            before = seen[0]
            made.flush()
            until = time.monotonic() + (2 if handler.get('enable', True) and not is_udp else .2)
            while len(receiver.got) == before and time.monotonic() < until:
                time.sleep(.02)
            if is_udp:
                return None
            time.sleep(.03)
            seen[0] = len(receiver.got)
            return b''.join(receiver.got[before:]).decode() if seen[0] > before else None
        results = run(given, made, arrived)
        made.close()
        if is_async and not is_udp:
            receiver.socket.close()
            return {'expected': results}

        def each(parts):
            # In its place also what failed.
            parts = iter(parts)
            return [result or next(parts) for result in results]
        if not is_udp:
            end = b'\0' if 'GELF' in name else b'\n'
            return {'expected': each(part.decode() + end.decode() for part in receiver.stream().split(end)[:-1])}
        got = receiver.datagrams()
        receiver.socket.close()
        if got and got[0].startswith(b'\x1e\x0f'):
            return {'expected': [b''.join(part[12:] for part in got).decode()], 'headers': [part[:12].hex() for part in got], 'lengths': [len(part) for part in got]}
        is_compressed = bool(got) and got[0][:1] == b'\x78'
        return {'expected': each((zlib.decompress(part) if is_compressed else part).decode() for part in got), 'zlib': is_compressed}


def write(given):
    try:
        out = play(given)
    except Exception as error:
        # dictConfig says only of what section; the reason is behind it.
        while error.__cause__ is not None:
            error = error.__cause__
        out = {'error': said(error)}
    name, _, version = given['package'].partition('==')
    line = {'class': given['class'], 'package': '%s==%s' % (name, version or importlib.metadata.version(name)), 'python': platform.python_version()}
    line.update((key, value) for key, value in given.items() if key not in ('class', 'package', 'records', 'direct'))
    line['records'] = [told(one) for one in given['records']]
    line.update(out)
    # Where an object was in memory.
    print(re.sub(r'object at 0x[0-9a-f]+', 'object at 0x7f0000000000', json.dumps(line, ensure_ascii=True)), file=OUT, flush=True)


# ---------------------------------------------------------------- cases: python-json-logger

def json_cases(cls, package):
    def c(records=None, key='()', **section):
        case(cls, package, records, formatter=dict({key: cls}, **section))
    all_fields = ' '.join('%%(%s)s' % name for name in '''asctime created filename funcName levelname levelno lineno module msecs message name pathname process
        processName relativeCreated thread threadName'''.split())
    c([PLAIN, FEW, ERROR, EMPTY])
    c([PLAIN, EXTRA, ERROR, CAUSE, BARE, STACKED, BOTH, ODD, MAPPED, DICT, WRONG], fmt='%(asctime)s %(levelname)s %(name)s %(message)s')
    c([PLAIN, ERROR], fmt=all_fields)
    # `format` is tried, refused, and given as `fmt`.
    c([PLAIN], format='%(levelname)s %(message)s')
    c([PLAIN, FEW], key='class', format='%(asctime)s %(levelname)s %(message)s', datefmt='%Y-%m-%dT%H:%M:%S%z')
    # With `class`, what else there is goes nowhere.
    c([PLAIN], key='class', format='%(levelname)s %(message)s', rename_fields={'levelname': 'severity'}, timestamp=True)
    c([PLAIN, FEW], fmt='{asctime} {levelname:<8} {message!r}', style='{')
    c([PLAIN, FEW], fmt='$asctime ${levelname} $message $$x', style='$')
    c([PLAIN], fmt='levelname,message, name,', style=',')
    c([PLAIN], fmt=['levelname', 'message', 'nothing'])
    c([PLAIN], fmt='no field at all')
    c([PLAIN], fmt='no field at all', validate=False)
    c([PLAIN], fmt='%(levelname)s %(levelname)s %(message)-20s %(nothing)s %(order)d')
    c([FEW], fmt='%(order)s %(message)s')
    c([PLAIN], fmt='%(asctime)s', datefmt='%d.%m. %H:%M')
    c([PLAIN], fmt='%(asctime)s', datefmt='')
    c([PLAIN, FEW, ERROR], fmt='%(asctime)s %(levelname)s %(name)s %(message)s', rename_fields={'levelname': 'severity', 'asctime': 'time'}, static_fields={'app': 'shop'}, timestamp=True)
    rename = {'levelname': 'severity', 'asctime': 'timestamp', 'message': 'msg', 'order': 'nr', 'exc_info': 'trace', 'gone': 'away', 'shop': 'where'}
    c([PLAIN, FEW, ERROR, DICT], fmt='%(asctime)s %(levelname)s %(name)s %(message)s', rename_fields=rename)
    c([PLAIN, FEW], fmt='%(levelname)s %(message)s', rename_fields=rename, static_fields={'shop': 'north', 'n': 1, 'deep': {'a': [None]}}, timestamp='time')
    c([PLAIN], fmt='%(levelname)s %(message)s', rename_fields=rename, rename_fields_keep_missing=True)
    # Two to one name; one to another that is there.
    c([PLAIN], fmt='%(levelname)s %(name)s %(message)s', rename_fields={'levelname': 'x', 'name': 'x'})
    c([PLAIN], fmt='%(levelname)s %(name)s %(message)s', rename_fields={'levelname': 'name'})
    c([FEW], fmt='%(message)s', static_fields={'order': 0, 'message': 'never?', 'user': None})
    c([PLAIN, FEW], fmt='%(message)s', timestamp=True)
    c([rec('exact', created=1700000000.0), rec('micro', created=1700000000.000125)], fmt='%(message)s', timestamp=True)
    c([PLAIN], fmt='%(message)s', timestamp=True, rename_fields={'timestamp': '@timestamp'})
    c([PLAIN], fmt='%(message)s', timestamp='@timestamp', static_fields={'@timestamp': 'x'})
    c([FEW, PLAIN], fmt='%(message)s', reserved_attrs=[])
    c([FEW], fmt='%(message)s', reserved_attrs=['order', 'args', 'msg', 'taskName'])
    c([rec('hidden', extra={'_private': 1, '__x': 2, 'seen_': 3})], fmt='%(message)s')
    c([PLAIN, ERROR], fmt='%(message)s', prefix='@cee: ')
    c([FEW, EXTRA], fmt='%(message)s', json_indent=2)
    c([FEW], fmt='%(message)s', json_indent=0)
    c([FEW], fmt='%(message)s', json_indent='\t')
    c([ODD, EXTRA], fmt='%(message)s', json_ensure_ascii=False)
    c([PLAIN, FEW], fmt='%(message)s %(order)s', defaults={'order': 'none', 'app': 'shop'})
    c([FEW], fmt='%(message)s', defaults={'app': 'shop', 'message': 'm', 'z': None}, rename_fields={'app': 'service'}, static_fields={'s': 1})
    c([ERROR, BOTH, STACKED], fmt='%(message)s', exc_info_as_array=True, stack_info_as_array=True)
    c([ERROR], fmt='%(message)s %(exc_info)s')
    c([DICT, rec({'message': 'mine', 'levelname': 'X'}), rec({'exc_info': 'own', 'stack_info': ''}, exc='value', stack=STACK)], fmt='%(levelname)s %(message)s')
    c([rec(17), rec(None), rec([1, 2]), rec(True)], fmt='%(message)s')
    c([PLAIN], fmt='%(message)s', style='#')
    c([PLAIN], fmt='%(message)s', nonsense=1)
    c([PLAIN], fmt='%(message)s', json_default=None, json_encoder=None)
    case(cls, package, [PLAIN], formatter={'()': cls, 'fmt': '%(message)s', 'json_serializer': 'ext://json.dumps'})
    case(cls, package, [PLAIN, rec('summer', created=1719835200.0)], zone='America/New_York',
         formatter={'()': cls, 'fmt': '%(asctime)s %(message)s', 'timestamp': True, 'datefmt': '%Y-%m-%dT%H:%M:%S%z %Z'})


if IS_OLD:
    json_cases('pythonjsonlogger.jsonlogger.JsonFormatter', 'python-json-logger')
    for one in CASES:
        write(one)
    sys.exit()

# Without Rich, as structlog's tracebacks are then plain.
hidden = {name: None for name in ('rich', 'rich.console', 'rich.traceback', 'better_exceptions', 'colorama')}
sys.modules.update(hidden)
import structlog
import structlog.dev
for name in hidden:
    del sys.modules[name]
from django.conf import settings
settings.configure(DEBUG=False)

JSONF, OLDJSON = 'pythonjsonlogger.json.JsonFormatter', 'pythonjsonlogger.jsonlogger.JsonFormatter'
json_cases(JSONF, 'python-json-logger')
case('pythonjsonlogger.jsonlogger.JsonFormatter', 'python-json-logger', [PLAIN, FEW, ERROR],
     formatter={'()': 'pythonjsonlogger.jsonlogger.JsonFormatter', 'fmt': '%(asctime)s %(levelname)s %(message)s', 'rename_fields': {'levelname': 'severity'}})
case('pythonjsonlogger.jsonlogger.JsonFormatter', 'python-json-logger', [PLAIN],
     formatter={'class': 'pythonjsonlogger.jsonlogger.JsonFormatter', 'format': '%(asctime)s %(levelname)s %(message)s'})
case('pythonjsonlogger.JsonFormatter', 'python-json-logger', [PLAIN], formatter={'()': 'pythonjsonlogger.JsonFormatter', 'fmt': '%(message)s'})

# ---------------------------------------------------------------- uvicorn

DEFAULT = 'uvicorn.logging.DefaultFormatter'
ACCESS = 'uvicorn.logging.AccessFormatter'
COLOURFUL = rec('Uvicorn running on %s://%s:%d', 'http', '127.0.0.1', 8000, name='uvicorn.error', extra={'color_message': 'Uvicorn running on \x1b[1m%s://%s:%d\x1b[0m'})


def requests():
    for status in (200, 204, 302, 404, 418, 500, 103, 299, 999, 99, '201'):
        yield rec('%s - "%s %s HTTP/%s" %d' if status != '201' else '%s - "%s %s HTTP/%s" %s', '127.0.0.1:5001', 'GET', '/a?b=%20c', '1.1', status, name='uvicorn.access')


REQUESTS = list(requests())
for colors in (True, False, None):
    for terminal in ((False, True) if colors is None else (False,)):
        more = {'terminal': True} if terminal else {}
        case(DEFAULT, 'uvicorn', LEVELS + [COLOURFUL, ERROR, STACKED, ODD], formatter={'()': DEFAULT, 'fmt': '%(levelprefix)s %(message)s', 'use_colors': colors}, **more)
        case(ACCESS, 'uvicorn', REQUESTS, formatter={'()': ACCESS, 'fmt': '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s', 'use_colors': colors}, **more)
case(DEFAULT, 'uvicorn', [PLAIN, ERROR], formatter={'()': DEFAULT})
case(DEFAULT, 'uvicorn', [PLAIN, ERROR], formatter={'()': DEFAULT, 'fmt': '%(asctime)s | %(levelprefix)s | %(levelname)s | %(name)s | %(message)s', 'datefmt': '%Y-%m-%d %H:%M:%S', 'use_colors': True})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'format': '%(levelprefix)-12s|%(message)s', 'use_colors': True})
case(DEFAULT, 'uvicorn', FIVE, formatter={'()': DEFAULT, 'fmt': '{levelprefix:<10}{message}', 'style': '{', 'use_colors': True})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': '$levelprefix $message', 'style': '$', 'use_colors': False})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'class': DEFAULT, 'format': '%(levelprefix)s %(message)s', 'use_colors': True})
case(DEFAULT, 'uvicorn', [PLAIN], terminal=True, formatter={'class': DEFAULT, 'format': '%(levelprefix)s %(message)s', 'use_colors': False})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': '%(levelprefix)s', 'use_colors': 'yes'})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': '%(levelprefix)s', 'use_colors': 1})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': '%(levelprefix)s', 'validate': False})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': '%(levelprefix)s', 'defaults': {}})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': '%(nothing)s %(levelprefix)s'})
case(DEFAULT, 'uvicorn', [PLAIN], formatter={'()': DEFAULT, 'fmt': 'no field'})
case(DEFAULT, 'uvicorn', [rec('x', extra={'color_message': 'y'}), rec('a %s', 1, extra={'color_message': 'b %s %s'})], formatter={'()': DEFAULT, 'fmt': '%(levelprefix)s %(message)s', 'use_colors': True})
case('uvicorn.logging.ColourizedFormatter', 'uvicorn', FIVE, formatter={'()': 'uvicorn.logging.ColourizedFormatter', 'fmt': '{levelprefix} {message}', 'style': '{', 'use_colors': True})
case(ACCESS, 'uvicorn', REQUESTS[:2], formatter={'()': ACCESS, 'fmt': '%(asctime)s %(levelprefix)s %(client_addr)s %(request_line)s %(status_code)s %(message)s', 'use_colors': True})
case(ACCESS, 'uvicorn', [PLAIN, rec('no args'), rec('%s %s %s %s %s', 'a', 'GET', '/', '1.1', 'x')], formatter={'()': ACCESS, 'fmt': '%(levelprefix)s %(message)s'})
case(ACCESS, 'uvicorn', [REQUESTS[0]], zone='America/New_York', formatter={'()': ACCESS, 'format': '%(asctime)s %(levelprefix)s "%(request_line)s" %(status_code)s', 'datefmt': '%Y-%m-%dT%H:%M:%S%z', 'use_colors': False})
case('logging.Formatter', 'uvicorn', [PLAIN], formatter={'class': 'logging.Formatter', 'format': '%(levelprefix)s %(message)s'})

# ---------------------------------------------------------------- ECS

ECS = 'ecs_logging.StdlibFormatter'
case(ECS, 'ecs-logging', [PLAIN, EXTRA, ERROR, CAUSE, BARE, STACKED, BOTH, ODD, MAPPED, EMPTY, WRONG, *LEVELS], formatter={'()': ECS})
case(ECS, 'ecs-logging', [PLAIN], formatter={'class': ECS})
case(ECS, 'ecs-logging', [PLAIN], formatter={'class': ECS, 'format': '%(message)s', 'datefmt': '%H', 'style': '%'})
case(ECS, 'ecs-logging', [PLAIN, rec('summer', created=1719835200.0)], zone='America/New_York', formatter={'()': ECS, 'datefmt': '%H'})
for excluded in (['error.stack_trace'], ['error'], ['log'], ['log.level'], ['log.origin', 'process'], ['@timestamp', 'message', 'ecs.version'], ['ecs'], ['log.original', 'nothing'], ['map.a', 'list'],
                 ['log.level', 'log.logger', 'log.origin', 'log.original'], []):
    case(ECS, 'ecs-logging', [PLAIN, BOTH, rec('x', extra={'map': {'a': 1, 'b': 2}, 'list': [1], 'log.x': 1})], formatter={'()': ECS, 'exclude_fields': excluded})
for limit in (0, 1, 2, -1, 'two', 1.5, None, True):
    case(ECS, 'ecs-logging', [ERROR, CAUSE, STACKED], formatter={'()': ECS, 'stack_trace_limit': limit})
case(ECS, 'ecs-logging', [PLAIN, FEW], formatter={'()': ECS, 'extra': {'service.name': 'shop', 'labels': {'a': 1}, 'labels.b': 'x', 'n': 1.5, 'event.dataset': None}})
case(ECS, 'ecs-logging', [FEW, rec('x', extra={'order': 18})], formatter={'()': ECS, 'extra': {'order': 1}})
case(ECS, 'ecs-logging', [ODD, EXTRA], formatter={'()': ECS, 'ensure_ascii': False})
for exclude in ('error', 7, [1], {'error': 1}):
    case(ECS, 'ecs-logging', [PLAIN], formatter={'()': ECS, 'exclude_fields': exclude})
case(ECS, 'ecs-logging', [
    rec('x', extra={'http.request.method': 'GET', 'http.response': {'status_code': 200}, 'url': {'path': '/', 'query': {'a': [1]}}}),
    rec('x', extra={'trace.id': 't', 'elasticapm_trace_id': 'e', 'elasticapm_span_id': 's', 'elasticapm_transaction_id': 'x', 'elasticapm_service_name': 'n', 'elasticapm_labels': {'a': 1}}),
    rec('x', extra={'log': 'own'}), rec('x', extra={'log.level': 'own'}), rec('x', extra={'message': 'own'}), rec('x', extra={'a': {'b': 1}, 'a.b': 2}),
    rec('x', extra={'a.b': 1, 'a.c': 2}), rec('x', extra={'error.type': 'E'}), rec('x', level=40, exc='value', extra={'error.type': 'E'}), rec('x', extra={'service': {'name': 'n'}, 'tags': ['a', 'b']}),
    rec('x', extra={'@timestamp': 1}), rec('x', extra={'process': 7}), rec('x', extra={'empty': {}, 'z': '', 'none': None, '': 1, '.': 2})], formatter={'()': ECS})
case(ECS, 'ecs-logging', [PLAIN], formatter={'()': ECS, 'validate': True, 'fmt': 'none'})
case(ECS, 'ecs-logging', [PLAIN], formatter={'()': ECS, 'nonsense': 1})

# ---------------------------------------------------------------- colorlog

COLOR = 'colorlog.ColoredFormatter'
case(COLOR, 'colorlog', LEVELS + [ERROR, CAUSE, STACKED, ODD], formatter={'()': COLOR, 'fmt': '%(log_color)s%(levelname)-8s%(reset)s %(blue)s%(message)s'})
case(COLOR, 'colorlog', FIVE + [rec('x', level=25)], formatter={'()': COLOR})
for style in '{$':
    case(COLOR, 'colorlog', FIVE, formatter={'()': COLOR, 'style': style})
case(COLOR, 'colorlog', FIVE, formatter={'()': COLOR, 'format': '%(log_color)s%(levelname)s:%(name)s:%(message)s', 'log_colors': {
    'DEBUG': 'cyan', 'INFO': 'bold_green', 'WARNING': 'bg_yellow,black', 'ERROR': 'thin_red', 'CRITICAL': 'bold_red,bg_white'}})
case(COLOR, 'colorlog', LEVELS, formatter={'()': COLOR, 'format': '%(log_color)s%(levelname)s %(message_log_color)s%(message)s', 'log_colors': {'INFO': 'fg_202,bg_17', 'Level 25': 'purple'},
     'secondary_log_colors': {'message': {'ERROR': 'red', 'CRITICAL': 'light_red', 'INFO': ''}}})
case(COLOR, 'colorlog', [PLAIN], formatter={'()': COLOR, 'log_colors': {'INFO': 'pink'}})
case(COLOR, 'colorlog', [PLAIN], formatter={'()': COLOR, 'log_colors': {'INFO': 'red, bold'}})
case(COLOR, 'colorlog', FIVE, formatter={'()': COLOR, 'log_colors': {}})
case(COLOR, 'colorlog', [PLAIN, ERROR], formatter={'()': COLOR, 'reset': False})
case(COLOR, 'colorlog', [PLAIN, ERROR], formatter={'()': COLOR, 'fmt': '%(log_color)s%(message)s%(reset)s'})
case(COLOR, 'colorlog', [PLAIN, ERROR], formatter={'()': COLOR, 'no_color': True})
case(COLOR, 'colorlog', [PLAIN], formatter={'()': COLOR, 'no_color': True, 'force_color': True})
case(COLOR, 'colorlog', [PLAIN], formatter={'()': COLOR, 'stream': 'ext://sys.stderr'})
case(COLOR, 'colorlog', [PLAIN], terminal=True, formatter={'()': COLOR, 'stream': 'ext://sys.stderr'})
case(COLOR, 'colorlog', [PLAIN], formatter={'class': COLOR, 'format': '%(log_color)s%(message)s', 'log_colors': {'INFO': 'red'}, 'reset': False})
case(COLOR, 'colorlog', [PLAIN], formatter={'class': COLOR, 'format': '{log_color}{message}', 'style': '{', 'datefmt': '%H'})
case(COLOR, 'colorlog', [PLAIN], formatter={'class': COLOR})
case(COLOR, 'colorlog', [PLAIN], formatter={'class': COLOR, 'format': '%(log_color)s%(message)s', 'validate': True})
case(COLOR, 'colorlog', [PLAIN], formatter={'()': COLOR, 'fmt': '%(log_color)s%(asctime)s %(app)s %(message)s', 'datefmt': '%d/%m %H:%M', 'defaults': {'app': 'shop'}})
case(COLOR, 'colorlog', [PLAIN], zone='America/New_York', formatter={'()': COLOR, 'fmt': '%(log_color)s%(asctime)s', 'datefmt': '%H:%M %Z'})
names = 'reset bold thin black red green yellow blue purple cyan white light_black light_white bold_red thin_red fg_red fg_bold_red fg_thin_red bg_red bg_light_red bg_bold_red fg_0 fg_255 bg_9 bold_light_red'.split()
case(COLOR, 'colorlog', [PLAIN], formatter={'()': COLOR, 'fmt': ''.join('%%(%s)s' % name for name in names) + '%(message)s'})
case(COLOR, 'colorlog', [rec('red', extra={'red': 'mine', 'log_color': 'mine'})], formatter={'()': COLOR, 'fmt': '%(red)s%(log_color)s%(message)s'})
case('colorlog.formatter.ColoredFormatter', 'colorlog', [PLAIN], formatter={'()': 'colorlog.formatter.ColoredFormatter'})
case('colorlog.TTYColoredFormatter', 'colorlog', [PLAIN], formatter={'()': 'colorlog.TTYColoredFormatter', 'fmt': '%(log_color)s%(message)s', 'stream': 'ext://sys.stdout'})
case('colorlog.LevelFormatter', 'colorlog', LEVELS, formatter={'()': 'colorlog.LevelFormatter', 'fmt': {'DEBUG': '%(log_color)s%(message)s d', 'WARNING': '%(log_color)sW %(message)s', 'DEFAULT': 'other %(message)s'}})
case('colorlog.LevelFormatter', 'colorlog', LEVELS[2:4], formatter={'()': 'colorlog.LevelFormatter', 'fmt': {'DEBUG': 'd %(message)s'}, 'log_colors': {'INFO': 'red'}})

# ---------------------------------------------------------------- coloredlogs

CLOGS = 'coloredlogs.ColoredFormatter'
case(CLOGS, 'coloredlogs', LEVELS + [ERROR, STACKED, MAPPED], formatter={'()': CLOGS, 'fmt': '%(asctime)s %(name)s[%(process)d] %(levelname)s %(message)s'})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS})
case(CLOGS, 'coloredlogs', [rec('x', extra={'hostname': 'shop-1'})], formatter={'()': CLOGS})
case(CLOGS, 'coloredlogs', [PLAIN, ERROR], formatter={'class': CLOGS, 'format': '[%(asctime)s] %(levelname)s: %(message)s', 'datefmt': '%H:%M:%S.%f'})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'format': '%(asctime)s,%(msecs)03d %(levelname)-8s[%(name)s:%(lineno)d] %(message)s', 'datefmt': '%d.%m.'})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'fmt': '{asctime} [{levelname:>8}] {name}:{lineno} {message}', 'style': '{'})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'fmt': '$asctime ${levelname} $name: $message', 'style': '$'})
case(CLOGS, 'coloredlogs', FIVE + [rec('x', level=25)], formatter={'()': CLOGS, 'fmt': '%(levelname)s %(message)s', 'level_styles': {
    'debug': {'color': 'white', 'faint': True}, 'INFO': {'color': 202}, 'warn': {'color': 'yellow', 'bright': True, 'bold': True}, 'error': {'background': 'red', 'color': 'black'}, 'fatal': {
        'color': [1, 2, 3], 'underline': True, 'italic': True, 'inverse': True, 'strike_through': True}}, 'field_styles': {}})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'fmt': '(%(asctime)s) %(name)s/%(funcName)s <%(levelname)s> %(message)s', 'field_styles': {
    'asctime': {'color': 'cyan', 'bright': True}, 'name': {'color': 'blue'}, 'funcName': {'background': 7}, 'message': {'color': 144}, 'levelname': {'bold': False}}})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'fmt': '%(message)s', 'level_styles': {'info': {'color': 'pink'}}})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'fmt': '%(name)s', 'field_styles': {'name': {'color': 'pink'}}})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'()': CLOGS, 'fmt': '%(message)s', 'style': '#'})
case(CLOGS, 'coloredlogs', [rec('50%', level=30), rec('%s', level=30)], formatter={'()': CLOGS, 'fmt': '%(message)s'})
case(CLOGS, 'coloredlogs', [rec(17, level=30)], formatter={'()': CLOGS, 'fmt': '%(message)s'})
case(CLOGS, 'coloredlogs', [PLAIN], zone='America/New_York', formatter={'()': CLOGS, 'fmt': '%(asctime)s %(message)s', 'datefmt': '%H:%M %z'})
case(CLOGS, 'coloredlogs', [PLAIN], formatter={'class': CLOGS, 'format': '%(message)s', 'validate': True})
case('coloredlogs.BasicFormatter', 'coloredlogs', [PLAIN], formatter={'()': 'coloredlogs.BasicFormatter', 'fmt': '%(asctime)s %(message)s', 'datefmt': '%f|%f'})

# ---------------------------------------------------------------- structlog

PF = 'structlog.stdlib.ProcessorFormatter'
META = 'ext://structlog.stdlib.ProcessorFormatter.remove_processors_meta'
JSON, CONSOLE, KEYS, LOGFMT = ({'()': 'structlog.' + name} for name in ('processors.JSONRenderer', 'dev.ConsoleRenderer', 'processors.KeyValueRenderer', 'processors.LogfmtRenderer'))
CHAIN = ['ext://structlog.stdlib.add_log_level', 'ext://structlog.stdlib.add_logger_name']
ADD = {'()': 'structlog.stdlib.ExtraAdder'}
STRUCT = [PLAIN, FEW, EXTRA, ODD, MAPPED, STACKED]


def s(records, as_read=None, **given):
    more = {'as_read': True} if as_read else {}
    case(PF, 'structlog', records, formatter=dict({'()': PF}, **given), **more)


for renderer in (JSON, dict(CONSOLE, colors=False), CONSOLE, KEYS, LOGFMT):
    s(STRUCT, processor=renderer)
    s(STRUCT + LEVELS[:4], processor=renderer, foreign_pre_chain=CHAIN + [ADD])
    s([ERROR, BOTH], processor=renderer, foreign_pre_chain=CHAIN + ['ext://structlog.processors.format_exc_info'])
    s([PLAIN, FEW], processors=[META, renderer], foreign_pre_chain=CHAIN + [ADD, {'()': 'structlog.processors.TimeStamper', 'fmt': 'iso'}])
s([ERROR, CAUSE, BOTH, BARE], processor=dict(CONSOLE, colors=False), foreign_pre_chain=CHAIN)
s([ERROR, CAUSE], processor=CONSOLE, foreign_pre_chain=CHAIN)
# What is rendered when nothing took the exception out.
s([ERROR, BARE], processor=JSON)
s([ERROR], processor=LOGFMT, foreign_pre_chain=CHAIN)
s([ERROR], processor=KEYS, foreign_pre_chain=CHAIN)
for options in ({'sort_keys': True}, {'indent': 2}, {'ensure_ascii': False}, {'separators': [',', ':']}):
    s([FEW, ODD, EXTRA], processor=dict(JSON, **options), foreign_pre_chain=CHAIN + [ADD])
for options in ({'pad_event_to': 10}, {'pad_event': 0}, {'sort_keys': False}, {'repr_native_str': True}, {'pad_level': False}, {'event_key': 'message'}, {'level_styles': {'info': '\x1b[35m'}}, {'timestamp_key': 'ts'}):
    s([FEW, PLAIN], processor=dict(CONSOLE, **options), foreign_pre_chain=CHAIN + [ADD, {'()': 'structlog.processors.TimeStamper', 'fmt': '%H:%M', 'key': 'timestamp'}])
s([FEW, EXTRA], processor=dict(CONSOLE, colors=False, sort_keys=False), foreign_pre_chain=CHAIN + [ADD])
s(LEVELS, processor=CONSOLE, foreign_pre_chain=CHAIN)
for options in ({'sort_keys': True}, {'key_order': ['event', 'level', 'gone']}, {'key_order': ['level', 'gone'], 'drop_missing': True}, {'key_order': ['event'], 'sort_keys': True}):
    for renderer in (KEYS, LOGFMT):
        s([FEW, EXTRA], processor=dict(renderer, **options), foreign_pre_chain=CHAIN + [ADD])
s([FEW, ODD], processor=dict(KEYS, repr_native_str=False), foreign_pre_chain=CHAIN + [ADD])
s([FEW], processor=dict(LOGFMT, bool_as_flag=False), foreign_pre_chain=CHAIN + [ADD])
s([rec('a=b "c" d\\e'), rec('back\\slash'), rec('a\\ b'), rec('q"q'), rec('two\nlines'), rec(''), rec('x', extra={'a b': 1}), rec('x', extra={'a"b': 'tab\there'})], processor=LOGFMT, foreign_pre_chain=[ADD])
for stamp in ({}, {'fmt': 'iso'}, {'fmt': 'ISO', 'utc': False}, {'fmt': '%Y-%m-%d %H:%M:%S'}, {'fmt': '%H:%M:%S.%f %z', 'utc': False}, {'fmt': 'iso', 'key': '@timestamp'}, {'utc': False}):
    try:
        ready(dict({'()': 'structlog.processors.TimeStamper'}, **stamp))
    except ValueError:
        continue
    case(PF, 'structlog', [PLAIN, rec('exact', created=1719835200.0)], zone='America/New_York', formatter={'()': PF, 'processor': JSON, 'foreign_pre_chain': [dict({'()': 'structlog.processors.TimeStamper'}, **stamp)]})
s([PLAIN, MAPPED], processor=JSON, pass_foreign_args=True)
s([PLAIN], processor=JSON, use_get_message=False)
s([PLAIN], processor=JSON, fmt='%(levelname)s [%(name)s] %(message)s')
s([rec('100% %s')], processor=KEYS)
s([ERROR], processor=LOGFMT, keep_exc_info=True, foreign_pre_chain=['ext://structlog.processors.format_exc_info'])
s([STACKED], processor=dict(CONSOLE, colors=False), keep_stack_info=True)
s([PLAIN], processor=JSON, processors=[META, JSON])
s([PLAIN])
s([PLAIN], processors=[JSON])
s([PLAIN], processors=[META])
s([PLAIN], processor=JSON, foreign_pre_chain=[{'()': 'structlog.stdlib.ExtraAdder', 'allow': ['order', 'gone']}])
s([FEW], processor=JSON, foreign_pre_chain=[{'()': 'structlog.stdlib.ExtraAdder', 'allow': ['order', 'gone']}, {'()': 'structlog.processors.EventRenamer', 'to': 'message'}])
s([PLAIN, LEVELS[3]], processor=JSON, foreign_pre_chain=['ext://structlog.stdlib.add_log_level_number'])
for name in 'PATHNAME FILENAME MODULE FUNC_NAME LINENO THREAD THREAD_NAME PROCESS PROCESS_NAME'.split():
    s([PLAIN], processor=JSON, foreign_pre_chain=[{'()': 'structlog.processors.CallsiteParameterAdder', 'parameters': ['ext://structlog.processors.CallsiteParameter.' + name]}])
s([PLAIN], processor=JSON, foreign_pre_chain=['ext://structlog.contextvars.merge_contextvars', {'()': 'structlog.processors.UnicodeDecoder'}, {'()': 'structlog.stdlib.PositionalArgumentsFormatter'}])
# As a file can say it: what is written, and what comes of it.
for text in ('structlog.processors.JSONRenderer', 'structlog.dev.ConsoleRenderer', 'structlog.processors.JSONRenderer()', 'structlog.dev.ConsoleRenderer(colors=True)',
             'ext://structlog.processors.JSONRenderer', 'ext://structlog.dev.ConsoleRenderer', 'ext://structlog.processors.KeyValueRenderer', 'ext://structlog.processors.LogfmtRenderer',
             'ext://structlog.processors.JSONRenderer()', {'()': 'structlog.processors.JSONRenderer'}, {'()': 'structlog.dev.ConsoleRenderer', 'colors': False}, ''):
    s([PLAIN], as_read=True, processor=text)
for chain in (['structlog.stdlib.add_log_level'], ['ext://structlog.stdlib.add_log_level'], 'ext://structlog.stdlib.add_log_level'):
    s([PLAIN], as_read=True, processors=['ext://structlog.stdlib.ProcessorFormatter.remove_processors_meta', 'ext://structlog.processors.JSONRenderer'], foreign_pre_chain=chain)
case(PF, 'structlog', [PLAIN], as_read=True, formatter={'class': PF})
case(PF, 'structlog', [PLAIN], as_read=True, formatter={'class': PF, 'processor': 'structlog.processors.JSONRenderer', 'format': '%(message)s'})

# ---------------------------------------------------------------- filters

CID = 'asgi_correlation_id.CorrelationIdFilter'
FMT = {'format': '[%(correlation_id)s] %(message)s'}
for given in ({}, {'uuid_length': 8}, {'uuid_length': 32, 'default_value': '-'}, {'uuid_length': 0}, {'uuid_length': -4}, {'default_value': 'none at all', 'uuid_length': 4}, {'name': 'other'}, {'name': 'shop'}):
    case(CID, 'asgi-correlation-id', [PLAIN], filter=dict({'()': CID}, **given), formatter=FMT)
    case(CID, 'asgi-correlation-id', [PLAIN], filter=dict({'()': CID}, **given), formatter=FMT, correlation_id='0123456789abcdef0123456789abcdef')
case(CID, 'asgi-correlation-id', [PLAIN, rec('mine', extra={'correlation_id': 'own'})], filter={'()': CID, 'uuid_length': 32}, formatter={'()': 'pythonjsonlogger.json.JsonFormatter', 'fmt': '%(message)s'})
case(CID, 'asgi-correlation-id', [PLAIN], filter={'()': CID, 'uuid_length': '8'}, formatter=FMT, correlation_id='0123456789')
case(CID, 'asgi-correlation-id', [PLAIN], filter={'()': CID, 'nonsense': 1}, formatter=FMT)
case('asgi_correlation_id.log_filters.CorrelationIdFilter', 'asgi-correlation-id', [PLAIN], filter={'()': 'asgi_correlation_id.log_filters.CorrelationIdFilter', 'default_value': '-'}, formatter=FMT)
case('asgi_correlation_id.CorrelationIDFilter', 'asgi-correlation-id', [PLAIN], filter={'()': 'asgi_correlation_id.CorrelationIDFilter'}, formatter=FMT)

for name in ('RequireDebugFalse', 'RequireDebugTrue'):
    for debug in (False, True):
        case('django.utils.log.' + name, 'django', [PLAIN, ERROR], filter={'()': 'django.utils.log.' + name}, formatter={'format': '%(message)s'}, settings={'DEBUG': debug})
case('django.utils.log.RequireDebugFalse', 'django', [PLAIN], filter={'()': 'django.utils.log.RequireDebugFalse', 'name': 'other'}, formatter={'format': '%(message)s'}, settings={'DEBUG': False})
case('django.utils.log.CallbackFilter', 'django', [PLAIN], filter={'()': 'django.utils.log.CallbackFilter', 'callback': 'shop.decide'}, formatter={'format': '%(message)s'}, as_read=True)
case('django.utils.log.CallbackFilter', 'django', [PLAIN, STACKED], filter={'()': 'django.utils.log.CallbackFilter', 'callback': 'ext://builtins.bool'}, formatter={'format': '%(message)s'}, as_read=True)
case('django.utils.log.CallbackFilter', 'django', [PLAIN], filter={'()': 'django.utils.log.CallbackFilter'}, formatter={'format': '%(message)s'})

# ---------------------------------------------------------------- Django's server

SERVER = 'django.utils.log.ServerFormatter'


def served():
    for status in (200, 204, 101, 302, 304, 404, 400, 500, 503, 600, 0, None):
        extra = {'server_time': '14/Nov/2023 22:13:20'} if status == 204 else {}
        yield rec('"%s" %s %s', 'GET / HTTP/1.1', str(status), '12', name='django.server', level=20, extra=dict(extra, **({} if status is None else {'status_code': status})))


for more in ({}, {'terminal': True}):
    case(SERVER, 'django', list(served()) + [ERROR], formatter={'()': SERVER, 'format': '[{server_time}] {message}', 'style': '{'}, **more)
case(SERVER, 'django', [PLAIN], formatter={'()': SERVER, 'format': '[%(server_time)s] %(message)s'})
case(SERVER, 'django', [PLAIN, rec('x', extra={'server_time': 'now'})], formatter={'()': SERVER, 'fmt': '[{server_time}] {message}', 'style': '{', 'datefmt': '%H:%M'})
case(SERVER, 'django', [PLAIN], formatter={'class': SERVER, 'format': '[{server_time}] {message}', 'style': '{'})
case(SERVER, 'django', [PLAIN], formatter={'()': SERVER, 'format': '{asctime} {message}', 'style': '{'})
case(SERVER, 'django', [PLAIN], formatter={'()': SERVER})
case(SERVER, 'django', [PLAIN], formatter={'()': SERVER, 'format': '[{server_time:>30}] {message}', 'style': '{'})
case(SERVER, 'django', [PLAIN], formatter={'()': SERVER, 'format': '[${server_time}] $message', 'style': '$'})
case(SERVER, 'django', [PLAIN], zone='America/New_York', formatter={'()': SERVER, 'format': '[{server_time}] {message}', 'style': '{'})

# ---------------------------------------------------------------- Celery

TASK, CCOLOR = 'celery.app.log.TaskFormatter', 'celery.utils.log.ColorFormatter'
TASKFMT = '[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s'
case(TASK, 'celery', FIVE + [ERROR, ODD, rec('x', level=40, extra={'task_name': 'own', 'task_id': 'i'})], formatter={'()': TASK, 'fmt': TASKFMT})
case(TASK, 'celery', FIVE, formatter={'()': TASK, 'fmt': TASKFMT, 'use_color': False})
case(TASK, 'celery', [PLAIN, rec('x', extra={'task_name': 'own'})], task={'name': 'shop.pay', 'id': '7f3a'}, formatter={'()': TASK, 'format': TASKFMT, 'use_color': False})
case(TASK, 'celery', [PLAIN, ERROR], formatter={'class': TASK, 'format': TASKFMT})
case(TASK, 'celery', [PLAIN, ERROR], formatter={'class': TASK, 'format': TASKFMT, 'datefmt': '%H:%M'})
case(TASK, 'celery', [PLAIN], formatter={'()': TASK, 'fmt': TASKFMT, 'style': '%'})
case(TASK, 'celery', [PLAIN], formatter={'()': TASK})
case(CCOLOR, 'celery', LEVELS + [ERROR], formatter={'()': CCOLOR, 'fmt': '%(levelname)s %(message)s'})
case(CCOLOR, 'celery', [ERROR], formatter={'()': CCOLOR, 'fmt': '%(asctime)s %(message)s', 'datefmt': '%H:%M', 'use_color': False}, zone='America/New_York')

# ---------------------------------------------------------------- Gunicorn

GENERIC = {'format': '%(asctime)s [%(process)d] [%(levelname)s] %(message)s', 'datefmt': '[%Y-%m-%d %H:%M:%S %z]', 'class': 'logging.Formatter'}
for zone in ('UTC', 'America/New_York'):
    case('logging.Formatter', 'gunicorn', [PLAIN, ERROR, rec('summer', created=1719835200.0)], formatter=GENERIC, zone=zone)


def access(line_format, drop=(), **atoms):
    given = {'h': '127.0.0.1', 'l': '-', 'u': '-', 't': '[14/Nov/2023:22:13:20 +0000]', 'r': 'GET /a?b=1 HTTP/1.1', 's': '200', 'm': 'GET', 'U': '/a', 'q': 'b=1', 'H': 'HTTP/1.1', 'b': '12', 'B': 12,
             'f': '-', 'a': 'curl "x"', 'T': 0, 'D': 1500, 'M': 1, 'L': '0.001500', 'p': '<4242>', '{host}i': 'shop', '{x-id}o': 'a"b', '{wsgi.url_scheme}e': 'http'}
    given = {key: value for key, value in dict(given, **atoms).items() if key not in drop}
    return rec(line_format, given, name='gunicorn.access')


def through_atoms(one):
    from gunicorn.glogging import SafeAtoms
    try:
        return one['msg'] % SafeAtoms(one['args'])
    except Exception as error:
        raise Failed(said(error)) from error


COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
case('gunicorn.glogging.Logger', 'gunicorn', [access(COMBINED), access(COMBINED, drop=('f', 'a', 'b')), access('%({Host}i)s %({X-Id}o)s %({gone}i)s %({wsgi.url_scheme}e)s %(L)s %(D)d %(B)d %(p)s %(zz)s'),
                                              access('%(D)s %(M)d %(T)d %(gone)d'), access('100%')], direct=through_atoms, formatter={'format': '%(message)s'})

# ---------------------------------------------------------------- Rich

RICH = 'rich.logging.RichHandler'
TALK = [PLAIN, rec('again'), rec('later', created=1700000001.5), *FIVE, rec('GET /a 200 in 3.5s [bold]x[/bold] {"a": 1} ' + 'long words ' * 9, level=30), rec('two\nlines', line=0), rec('漢字🎉 wide ' * 8), rec('x' * 100)]
for width in (80, 120):
    case(RICH, 'rich', TALK + [ERROR], handler={'class': RICH}, width=width)
    case(RICH, 'rich', TALK, handler={'class': RICH, 'markup': True, 'show_time': False}, formatter={'format': '%(name)s: %(message)s'}, width=width)
for given in ({'show_path': False}, {'show_level': False}, {'omit_repeated_times': False}, {'log_time_format': '%H:%M:%S'}, {'show_time': False, 'show_level': False, 'show_path': False}, {'level': 'ERROR'},
              {'enable_link_path': False, 'keywords': ['x']}, {'rich_tracebacks': True}, {'nonsense': 1}, {'tracebacks_suppress': ['x'], 'locals_max_length': 1}):
    case(RICH, 'rich', TALK[:8], handler=dict({'class': RICH}, **given), width=80)
case(RICH, 'rich', [PLAIN, ERROR], handler={'class': RICH, 'rich_tracebacks': True}, formatter={'format': '%(message)s', 'datefmt': '[%X]'}, width=80)
case(RICH, 'rich', [PLAIN, rec('again')], handler={'class': RICH}, formatter={'format': '%(message)s', 'datefmt': '[%X]'}, width=80)
case(RICH, 'rich', [PLAIN], handler={'class': RICH}, width=80, zone='America/New_York')
case(RICH, 'rich', [rec('[/x] wrong', level=30), rec('[red]m[/red]', extra={'markup': True})], handler={'class': RICH, 'markup': True}, width=80)

# ---------------------------------------------------------------- concurrent-log-handler

CRF, CTF = 'concurrent_log_handler.ConcurrentRotatingFileHandler', 'concurrent_log_handler.ConcurrentTimedRotatingFileHandler'
TEN = [rec('record %d', i, created=1700000000.25 + i) for i in range(10)]
for given in ({}, {'maxBytes': 20}, {'maxBytes': 20, 'backupCount': 3}, {'maxBytes': 18, 'backupCount': 3}, {'maxBytes': 20, 'backupCount': 2, 'use_gzip': True}, {'maxBytes': 20, 'backupCount': 1, 'mode': 'w'},
              {'maxBytes': 20, 'backupCount': 1, 'delay': True}, {'maxBytes': 20, 'backupCount': 1, 'delay': False}, {'maxBytes': '20', 'backupCount': 1}, {'mode': 'w'}, {'terminator': '\r\n', 'newline': ''}, {'terminator': '\r\n'},
              {'terminator': ''}, {'encoding': 'ascii', 'unicode_error_policy': 'replace'}, {'encoding': 'ascii'}, {'encoding': 'ascii', 'unicode_error_policy': 'strict'}, {'encoding': 'ascii', 'unicode_error_policy': 'x'},
              {'lock_file_directory': 'locks'}, {'keep_file_open': False, 'maxBytes': 20, 'backupCount': 2}, {'chmod': 0o600}, {'nonsense': 1}, {'errors': 'replace'}):
    if 'lock_file_directory' in given:
        continue
    records = [rec('é %d', 1), rec('plain')] if 'encoding' in given else TEN
    case(CRF, 'concurrent-log-handler', records, handler=dict({'class': CRF, 'filename': 'c.log'}, **given))
case(CRF, 'concurrent-log-handler', TEN[:4], handler={'class': CRF, 'filename': 'plain', 'maxBytes': 8, 'backupCount': 9})
case(CRF, 'concurrent-log-handler', TEN[:4], handler={'class': 'logging.handlers.ConcurrentRotatingFileHandler', 'filename': 'c.log', 'maxBytes': 8, 'backupCount': 1})
case(CRF, 'concurrent-log-handler', [WRONG, PLAIN], handler={'class': CRF, 'filename': 'c.log'})
case(CRF, 'concurrent-log-handler', [], handler={'class': CRF, 'filename': 'c.log'})
HOURS = [rec('record %d', i, created=1700000000.25 + 1800 * i) for i in range(8)]
for given in ({}, {'when': 'h', 'backupCount': 2}, {'when': 'H', 'interval': 2, 'use_gzip': True, 'backupCount': 5}, {'when': 'midnight', 'backupCount': 2}, {'when': 'S', 'backupCount': 3}, {'when': 'M', 'utc': True, 'backupCount': 3},
              {'when': 'H', 'maxBytes': 8, 'backupCount': 9}, {'when': 'd', 'mode': 'w'}, {'when': 'X'}, {'when': 'W0'}, {'nonsense': 1}):
    case(CTF, 'concurrent-log-handler', HOURS, handler=dict({'class': CTF, 'filename': 'c.log'}, **given))
case(CTF, 'concurrent-log-handler', HOURS, handler={'class': CTF, 'filename': 'c.log', 'when': 'midnight'}, zone='America/New_York')

# ---------------------------------------------------------------- GELF

UDP, TCP = 'graypy.GELFUDPHandler', 'graypy.GELFTCPHandler'
SENT = [PLAIN, EXTRA, ERROR, CAUSE, BARE, STACKED, BOTH, ODD, MAPPED, rec('x', extra={'_private': 1, 'id': 5, 'ok': 1}), *LEVELS]
case(UDP, 'graypy', SENT, handler={'class': UDP, 'host': '127.0.0.1', 'port': 12201})
case(TCP, 'graypy', SENT, handler={'class': TCP, 'host': '127.0.0.1', 'port': 12201})
for given in ({'debugging_fields': False}, {'extra_fields': False}, {'debugging_fields': False, 'extra_fields': False}, {'fqdn': True}, {'localname': 'here'}, {'localname': ''}, {'fqdn': True, 'localname': 'here'}, {'facility': 'billing'},
              {'facility': ''}, {'level_names': True}, {'compress': False}, {'nonsense': 1}):
    case(UDP, 'graypy', [FEW, ERROR, LEVELS[3]], handler=dict({'class': UDP, 'host': '127.0.0.1', 'port': 12201}, **given))
case(UDP, 'graypy', [FEW, ERROR], handler={'class': UDP, 'host': '127.0.0.1', 'port': 12201, 'compress': False}, formatter={'format': '%(levelname)s %(message)s'})
case(UDP, 'graypy', [rec('x' * 3000)], handler={'class': UDP, 'host': '127.0.0.1', 'port': 12201, 'compress': False})
case(TCP, 'graypy', [FEW], handler={'class': TCP, 'host': '127.0.0.1', 'port': 12201, 'compress': False})
case(TCP, 'graypy', [FEW, WRONG, FEW], handler={'class': TCP, 'host': '127.0.0.1', 'port': 12201, 'localname': 'here', 'facility': 'f'})
case('graypy.GELFHandler', 'graypy', [FEW], handler={'class': 'graypy.GELFHandler', 'host': '127.0.0.1', 'port': 12201})
case('graypy.handler.GELFUDPHandler', 'graypy', [FEW], handler={'class': 'graypy.handler.GELFUDPHandler', 'host': '127.0.0.1', 'port': 12201})

# ---------------------------------------------------------------- Logstash

LTCP, LUDP, V1 = 'logstash.TCPLogstashHandler', 'logstash.UDPLogstashHandler', 'logstash.LogstashFormatterVersion1'
LOGS = [PLAIN, EXTRA, ERROR, CAUSE, STACKED, BOTH, ODD, MAPPED, rec('x', extra={'_private': 1, 'id': 5, 'password': 'p', 'auth_token': 't', 'host': 'own'})]
for version in (None, 0, 1, '1', 2):
    given = {} if version is None else {'version': version}
    case(LTCP, 'python-logstash', LOGS if version in (None, 1) else LOGS[:1], handler=dict({'class': LTCP, 'host': '127.0.0.1', 'port': 5959}, **given))
case(LUDP, 'python-logstash', LOGS[:3], handler={'class': LUDP, 'host': '127.0.0.1', 'port': 5959, 'version': 1})
case('logstash.LogstashHandler', 'python-logstash', LOGS[:1], handler={'class': 'logstash.LogstashHandler', 'host': '127.0.0.1', 'port': 5959})
case(LTCP, 'python-logstash', [FEW, ERROR], handler={'class': LTCP, 'host': '127.0.0.1', 'port': 5959, 'version': 1, 'message_type': 'django', 'fqdn': False, 'tags': ['django', 'é']})
case(LTCP, 'python-logstash', [FEW], handler={'class': LTCP, 'host': '127.0.0.1', 'port': 5959, 'message_type': 'django', 'fqdn': True, 'tags': ['a']})
# A formatter takes the place of the handler's own, and has to give bytes.
case(LTCP, 'python-logstash', [FEW], handler={'class': LTCP, 'host': '127.0.0.1', 'port': 5959, 'version': 1}, formatter={'format': '%(message)s'})
case(LTCP, 'python-logstash', [FEW], handler={'class': LTCP, 'host': '127.0.0.1', 'port': 5959}, formatter={'()': V1, 'message_type': 't', 'tags': ['x'], 'fqdn': False})
case(LTCP, 'python-logstash', [FEW], handler={'class': LTCP, 'host': '127.0.0.1', 'port': 5959}, formatter={'class': V1, 'format': 'f'})
case(V1, 'python-logstash', [FEW], formatter={'()': V1})
LA, LF = 'logstash_async.handler.AsynchronousLogstashHandler', 'logstash_async.formatter.LogstashFormatter'
for form in (None, {'()': LF}, {'()': LF, 'message_type': 'django', 'tags': ['a', 'b'], 'fqdn': True, 'extra_prefix': 'x', 'extra': {'app': 'shop', 'order': 0}, 'metadata': {'beat': 'm'}}, {'()': LF, 'extra_prefix': None}, {'()': LF, 'extra_prefix': ''},
             {'()': LF, 'ensure_ascii': False}, {'class': LF}, {'format': '%(levelname)s %(message)s'}, {'()': 'logstash_async.formatter.LogstashEcsFormatter'}):
    more = {} if form is None else {'formatter': form}
    case(LA, 'python-logstash-async', LOGS if form is None else [FEW, ODD, ERROR], handler={'class': LA, 'host': '127.0.0.1', 'port': 5959, 'database_path': None}, **more)
for given in ({'transport': 'logstash_async.transport.UdpTransport'}, {'transport': 'logstash_async.transport.TcpTransport', 'ssl_enable': False, 'ssl_verify': False}, {'enable': False}, {'event_ttl': 30}, {'nonsense': 1}, {'encoding': 'latin-1'}):
    case(LA, 'python-logstash-async', [FEW], handler=dict({'class': LA, 'host': '127.0.0.1', 'port': 5959, 'database_path': None}, **given))
case(LA, 'python-logstash-async', [FEW], handler={'class': LA, 'host': '127.0.0.1', 'port': 5959})
case('logstash_async.handler.SynchronousLogstashHandler', 'python-logstash-async', [FEW, ERROR], handler={'class': 'logstash_async.handler.SynchronousLogstashHandler', 'host': '127.0.0.1', 'port': 5959})
case(LF, 'python-logstash-async', [FEW, EXTRA, ERROR, CAUSE, BARE, STACKED, BOTH, rec('x', extra={'message': 'own', 'host': 'h', 'level': 'l', 'tags': [1], 'line': 7}), rec('x', extra={'extra': {'a': 1}, 'b': 2}), rec('x', extra={'extra': 'text'})], formatter={'()': LF})
case(LF, 'python-logstash-async', [FEW], zone='America/New_York', formatter={'class': LF, 'format': '%(message)s', 'datefmt': '%H', 'tags': ['a']})

# ---------------------------------------------------------------- INI files

for cls, package, line_format in ((JSONF, 'python-json-logger', '%(asctime)s %(levelname)s %(message)s'), (OLDJSON, 'python-json-logger', '%(asctime)s %(levelname)s %(message)s'),
                                  (DEFAULT, 'uvicorn', '%(levelprefix)s %(message)s'), (ACCESS, 'uvicorn', '%(levelprefix)s %(request_line)s'), (ECS, 'ecs-logging', ''),
                                  (COLOR, 'colorlog', '%(log_color)s%(levelname)s:%(reset)s %(message)s'), (CLOGS, 'coloredlogs', '%(asctime)s %(levelname)s %(message)s'),
                                  (TASK, 'celery', '%(asctime)s %(task_name)s %(message)s'), (SERVER, 'django', '[%(server_time)s] %(message)s'), (V1, 'python-logstash', '%(message)s')):
    case(cls, package, [PLAIN], ini=True, formatter=dict({'class': cls}, **({'format': line_format} if line_format else {})))
case(SERVER, 'django', [PLAIN], ini=True, formatter={'class': SERVER, 'format': '[{server_time}] {message}', 'style': '{'})
case(JSONF, 'python-json-logger', [PLAIN], ini=True, formatter={'class': JSONF, 'format': '%(levelname)s %(order)s', 'datefmt': '%H', 'defaults': "{'order': 7, 'app': 'shop'}"})

# ---------------------------------------------------------------- the journal

JH, CJH = 'systemd.journal.JournalHandler', 'cysystemd.journal.JournaldLogHandler'


def can_have_journal():
    if os.getuid() != 0 or os.path.exists(JOURNAL):
        return False
    try:
        import systemd.journal  # noqa
        import cysystemd.journal  # noqa
    except ImportError:
        return False
    return True


JOURNALED = [PLAIN, FEW, ERROR, BOTH, ODD, MAPPED, rec('x', extra={'MESSAGE_ID': 'ab' * 16, 'USER_FIELD': 'u', 'list': [1]}), rec('x', extra={'PRIORITY': 1}), *LEVELS]
if can_have_journal():
    case(JH, 'systemd-python', JOURNALED, handler={'class': JH})
    case(JH, 'systemd-python', [FEW, ERROR], handler={'class': JH, 'SYSLOG_IDENTIFIER': 'shop', 'UNIT': 'u', 'level': 'INFO'}, formatter={'format': '%(levelname)s %(message)s'})
    case(JH, 'systemd-python', [FEW], handler={'class': JH, 'lower': 1})
    case('systemd.journal.JournaldLogHandler', 'systemd-python', [FEW], handler={'class': 'systemd.journal.JournaldLogHandler'})
    case(CJH, 'cysystemd', JOURNALED, handler={'class': CJH})
    case(CJH, 'cysystemd', [FEW], handler={'class': CJH, 'identifier': 'shop', 'facility': 16}, formatter={'format': '%(levelname)s %(message)s'})
    case(CJH, 'cysystemd', [FEW], handler={'class': CJH, 'nonsense': 1})
else:
    print('the journal was not played', file=sys.stderr)

for one in CASES:
    write(one)
