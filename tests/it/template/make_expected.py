"""Formats and records at random, and what CPython's logging.Formatter makes of them: `python3.11 make_expected.py > expected.jsonl`.

The names, numbers and texts are chosen so that every attribute, conversion, flag and mistake comes up."""
import json
import logging
import os
import random
import time

os.environ['TZ'] = 'America/New_York'
time.tzset()
R = random.Random(7)

TEXTS = ['', 'a', 'plain', "it's", '"q"', 'two\nlines', '\t', '\\', 'é', '漢字', '🎉', 'x' * 30, '100%', '{b}', '$d', ' pad ',
         "both ' and \"", '\x1b[31m', '\u2028', '\xa0']
NUMBERS = [0, 1, -1, 7, 42, -7, 255, 1000, 12345, -123456, 10**12, 2**63, -2**63, 10**20,
           0.0, 1.5, -1.5, 0.1, 1e16, 1e15, 123456.789, 1e-5, 0.0001, -0.0, 1e22, 2.5, 3.5, 1e100, 9.9999, 99.95,
           float('inf'), float('-inf'), float('nan'), True, False]
NAMES = ['name', 'levelname', 'levelno', 'pathname', 'filename', 'module', 'lineno', 'funcName', 'created', 'msecs',
         'asctime', 'message', 'msg', 'args', 'exc_info', 'exc_text', 'stack_info', 'threadName',
         'text', 'text', 'number', 'number', 'number', 'other', 'gone']


def pick(*values):
    return R.choice(values)


def percent():
    out = ''
    for _ in range(R.randint(1, 3)):
        conversion = R.choice('ssssddddiuxXoeEfFgGcra%' + ('qy ' if R.random() < .1 else ''))
        spec = ''.join(R.choice('-+ #0') for _ in range(R.choice([0, 0, 1, 1, 2]))) + pick('', '', '5', '12', '30')
        spec += pick('', '', '', '.0', '.2', '.3', '.10', '.')
        out += pick('', '[', 'é', '%%') + '%(' + R.choice(NAMES) + ')' + spec + conversion
    return out + pick('', '', '', '', '', '', '', ']', pick(' 100%', '%s', '%(', '%(x', '%(name)*d'))


def brace():
    out = ''
    for _ in range(R.randint(1, 3)):
        field = '{' + R.choice(NAMES) + pick('', '', '', '', '!r', '!s', '!a', '!x')
        if R.random() < .7:
            spec = pick('', '', '<', '>', '^', '=', '*<', '0>', 'é^', '_=') + pick('', '', '', '+', '-', ' ') + pick('', '', '', '#')
            spec += pick('', '', '', '0') + pick('', '5', '12', '30', '1') + pick('', '', '', '', ',', '_')
            spec += pick('', '', '.0', '.2', '.3', '.10') + pick('', '', 's', 'd', 'f', 'e', 'g', 'x', 'X', 'b', 'o', 'n', 'c', '%', 'E', 'G', 'F', 'q')
            if R.random() < .05:
                spec = pick('{text}', '{other}')
            if R.random() < .05:
                spec = '>{other}'
            field += ':' + spec
        out += pick('', '[', 'é', '{{', '}}') + field + '}'
    return out + pick('', '', '', '', '', '', ']', pick('{', '}', '{x', '{a-b}', '{}', '{0}', '{name!}', '{name!r', '{na{me}', '{name[}'))


def dollar():
    out = ''
    for _ in range(R.randint(1, 3)):
        n = R.choice(NAMES)
        out += pick('', '[', 'é', '$$') + pick('$%s ' % n, '${%s}' % n, '${%s}x' % n)
    return out + pick('', '', '', '$', '$ ', '${', '${a', '$1', '\n $', 'end')


def case():
    style = R.choice('%%{{$')
    fmt = {'%': percent, '{': brace, '$': dollar}[style]()
    if R.random() < .02:
        fmt = pick('', 'plain')
    options = {}
    if R.random() < .3:
        options['datefmt'] = pick('', '%H:%M', '%d/%b/%Y:%H:%M:%S %z', '%a %A %b %B %j %U %W %w %p %I %y %Z', '%G-W%V-%u %C %e|%k|%l', '%c|%x|%X|%D|%T|%R|%F|%r', '%%|%n|%t|100%')
    if R.random() < .2:
        options['defaults'] = {'gone': pick('dflt', 3, 2.5, True), 'text': 'never'}
    if R.random() < .1:
        options['validate'] = False
    if R.random() < .1:
        options['default_msec_format'] = pick(None, '%s.%03d', '%s+%d', '%s %5.1f', '%%%s:%s')
    if R.random() < .1:
        options['default_time_format'] = pick('%H:%M', '%Y', '')
    record = {
        'name': pick('root', 'a', 'a.b.c', 'é'), 'level': pick(10, 20, 30, 40, 50, 0, 5, 25, 35, 60),
        'msg': R.choice(TEXTS), 'path': pick('/srv/app/src/app.rs', 'Makefile', '/x/.hidden', '', 'db.pool.rs', 'C:\\x'), 'line': pick(0, 1, 10, 12345),
        'func': pick('run', '<module>', ''), 'created': R.randint(0, 4 * 10**9) + R.randint(0, 7) / 8,
        'extra': {'text': R.choice(TEXTS), 'number': R.choice(NUMBERS), 'other': R.choice([1, 3, 12])},
        'stack': pick(None, None, None, None, 'Stack (most recent call last):\n  x'),
    }
    return style, fmt, options, record


def play(style, fmt, options, record):
    try:
        kw = {k: options[k] for k in ('defaults',) if k in options}
        f = logging.Formatter(fmt, options.get('datefmt'), style, options.get('validate', True), **kw)
        for k in ('default_msec_format', 'default_time_format'):
            if k in options:
                setattr(f, k, options[k])
        r = logging.LogRecord(record['name'], record['level'], record['path'], record['line'], record['msg'], (), None,
                              record['func'], record['stack'])
        r.created = record['created']
        r.msecs = int((r.created - int(r.created)) * 1000) + 0.0
        r.threadName = 'T'
        r.__dict__.update(record['extra'])
        return {'line': f.format(r)}
    except Exception as e:
        return {'error': str(e.args[0]) if isinstance(e, KeyError) else str(e)}


seen = set()
while len(seen) < 4000:
    c = case()
    if '\\' in c[3]['path']:
        c[3]['path'] = 'a b.rs'
    key = json.dumps(c)
    if key in seen:
        continue
    seen.add(key)
    style, fmt, options, record = c
    extra = {k: repr(v) if isinstance(v, (float, int)) and not isinstance(v, bool) else v for k, v in record['extra'].items()}
    extra = {k: [type(record['extra'][k]).__name__, v] for k, v in extra.items()}
    out = play(*c)
    print(json.dumps(dict({'style': style, 'format': fmt}, **options, record=dict(record, extra=extra), **out), ensure_ascii=True))
