"""What CPython 3.13 and PyYAML 6.0.3 read: `python3.13 make_expected.py`, which writes yaml.jsonl, args.jsonl and truths.jsonl.

Each line has what was read (`text`) and what came of it (`value`), or that it was refused (`error`)."""
import copy
import datetime
import itertools
import json
import logging
import logging.config
import logging.handlers
import os
import random
import sys
import tempfile

import yaml

R = random.Random(17)


def plain(value):
    """As JSON has it: keys are texts, dates are printed, what is beyond 64 bits is a float."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value) if -2**63 <= value < 2**63 else float(value)
    if isinstance(value, float):
        return value if abs(value) < float('inf') else None
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return str(value)
    if value in (sys.stdout, sys.stderr):
        return 'ext://sys.' + value.name.strip('<>')
    raise TypeError(type(value))


def write(name, cases, read):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), 'w') as file:
        for text in dict.fromkeys(cases):
            try:
                line = {'text': text, 'value': plain(read(text))}
                json.dumps(line, ensure_ascii=False).encode()
            except Exception as error:
                line = {'text': text, 'error': type(error).__name__}
            file.write(json.dumps(line, ensure_ascii=False) + '\n')


# YAML: scalars.
WORDS = ['yes', 'no', 'on', 'off', 'true', 'false', 'null', 'y', 'n', 't', 'f', 'none', 'inf', 'nan', 'NaN', '~', '=', '<<', '-', '.', '..',
         '+', '_', ':', 'a:b', 'x', '.inf', '.nan', '.NaN', '+.inf', '-.inf', '-.INF', '+.Inf', '.iNf', '-.nan', '~x', 'None', 'True ', 'ja']
words = [form(word) for word in WORDS for form in (str, str.upper, str.title, str.swapcase)] + ['yEs', 'nO', 'tRUE', 'oN', 'oFF', 'nULL']
numbers = [sign + number for sign in ('', '+', '-') for number in '''0 00 000 7 07 017 08 09 0o17 0o8 0x1F 0X1f 0x 0xg 0x_ 0x_F 0xFFFFFFFFFFFFFFFF
    0b11 0b12 0b 0b_ 0b_1 0B1 1_000 10_000_000 1__0 _1 1_ 0_ 0_7 0_8 0__ 1e5 1e+5 1.e5 1.e+5 1.5e5 1.5e+5 1.5E-5 1.5e+ 1.5e+5_0 .5 .5e+3 .5e3 ._5 .5_ . 1.
    1._ 1.5_5 1_0.5 0.0 00.5 08.5 0x1.5 1.2.3 1:30 1:3 1:60 1:59 01:30 0:30 1:30:00 190:20:30 190:20:30.15 1:30.5 1:30. 1:60.5 01:30.5 0:0.5 1_0:30
    1:030 1:30:60 1:-3 1:30.5e+3 1::3 1: :1 9223372036854775807 9223372036854775808 99999999999999999999999 1e400 1.0e+400 12a 1-2 1+2 1,5 ++1 +-1
    0777 0755 640 0o640 0640 1.0 2.50 1e 1e- 1_e+5 0.1 123456789.123456789 5e-324 1.0e-400 1/2 1%2 10MB 10k 1d'''.split()]
dates = '''2001-12-14 2001-12-4 2001-1-1 0000-01-01 2001-02-29 2000-02-29 1900-02-29 2001-13-01 2001-00-10 2001-04-31 99999-01-01 2001-12-14T21:59:43Z
    2001-12-14t21:59:43.10-05:00 2001-12-14T21:59:43+01 2001-12-14T21:59:43+1 2001-12-14T21:59:43+001 2001-1-1T1:02:03 2001-1-1T1:2:03 2001-12-14T24:00:00
    2001-12-14T21:60:00 2001-12-14T21:59:43.123456789 2001-12-14T21:59:43. 2001-12-14T21:59:43-00:00 2001-12-14T21:59:43+99:00 2001-12-14T21:59:43+05:99
    2001-12-14T21:59 2001-12-14T 2001/12/14 12:30 12:30:45 02:30:00 2001-12 20011214 2001-12-14T21:59:43.0+00:00 2001-12-14T21:59:43.50Z'''.split()
dates += ['2001-12-14 21:59:43.10 -5', '2001-12-15 2:59:43.10', '2001-12-14  21:59:43', '2001-12-14 21:59:43 Z', '2001-12-14 x', '2001-12-14 21:59:43 +5:30', '2001-12-14 21']
scalars = words + numbers + dates
scalars += [''.join(R.choice('0123456789_:.+-exb') for _ in range(R.randint(1, 7))) for _ in range(1500)]
scalars += ['%04d-%02d-%02d' % (R.randint(0, 3000), R.randint(0, 13), R.randint(0, 32)) for _ in range(100)]
# As a value, and as a key.
yaml_cases = ['x: ' + scalar for scalar in scalars] + ['%s: x' % word for word in words + numbers[:60] + dates[:5]]
# With tags, and in quotes.
for tag, text in itertools.product(['!!str', '!!int', '!!float', '!!bool', '!!null', '!!timestamp', '!', '!own', '!!python/name:sys', '!!seq', '!!map', '!<tag:yaml.org,2002:int>'],
                                   ['1', "'1'", '0x1F', '1:30', '1.5', '1e5', 'yes', '"YeS"', 'x', '2001-12-14', "''", '~', '017', 'off', '"no"', '[1]', '{a: 1}', '.inf', '-7', '1_0']):
    yaml_cases.append('x: %s %s' % (tag, text))
# Whole documents.
yaml_cases += ['', '# nothing', '~', '--- 1', '%YAML 1.1\n---\nx: yes', '\ufeffx: 1', 'x: 1\n...\n', 'x: 1\n---\ny: 2', '- 1\n- no', 'x:\n  - a\n  -\n  - ~', 'x: |\n  a\n  b\n',
               'x: >-\n  a\n  b\n', 'x: >+\n  a\n\n', "x: 'it''s'", 'x: "a\\tb\\x41\\u00e9"', "x: 'a\n\n  b'", 'x: a\n  b', 'x: a # b', 'x: a#b', 'x: [a, b,]', 'x: {a: 1,}',
               'x: {a: }', 'x: {a}', 'x: [a: 1, b]', 'x: [a:b]', '{"a":1}', '{a:1}', '? a\n: b', '? a', '[a]: b', '{a: 1}: b', 'x: %s', 'x: @s', 'x: `s`', 'x: b: c', 'x: &a', 'x: &a 1\ny: *a',
               'x: *a', 'x: &a [*a]', 'x: &a {y: 1}\nz: *a', '&k a: 1\nb: *k', '&k a: 1\n*k : 2', 
               'b: &b {u: 1, v: 1}\nx: {<<: *b, v: 2}', 'b: &b {u: 1, v: 1}\nx: {v: 2, <<: *b}', 'b: &b {u: 1, v: 1}\nc: &c {u: 2, w: 2}\nx: {<<: [*b, *c]}',
               'b: &b {u: 1, v: 1}\nc: &c {u: 2, w: 2}\nx: {<<: *b, <<: *c}', 'x: {<<: {u: 1}}', 'x: {<<: 1}', 'x: {<<: [1]}', 'x: {<<: ~}', 'x: {<<: []}', "x: {'<<': {u: 1}}", 'x: {!!str <<: {u: 1}}',
               'b: &b {u: 1}\nc: &c {<<: *b, v: 2}\nx: {<<: *c, w: 3}', 'x: <<', '!!str yes: 1', '"yes": 1', '? yes\n: 1', 'x: !!set {a, b}', 'x: !!omap [a: 1]', 'x: !!binary aGk=', '!!map {x: 1}', 'x: !!seq [1]',
               'é: "éééééééé"\ny: |\n  é\nz: 1', 'é: "éééééééé"\ny: |\n  é\n\n', 'y: |\n  é', 'y: >+\n  é\n\n  a', 'x: !own [1]', 'x: !!python/tuple [1]', 'x: !!python/object:os.system x', 'x: !!python/object/apply:os.system [ls]', 'x:\n\ty: 1', 'x: "\\q"', 'x: "a', "x: 'a", 'x: [a', 'x: {a', 'x: a]', '- a\nb: 1',
               'x: - a', 'x: ? a', 'x: ,', 'x: [,]', 'x: a, b', 'x: -1', 'x: - 1', 'x: !!int', 'x: !!str', 'x: ""', 'x: 1 2', 'x: 0640\ny: "0640"', 'x : 1', 'x:1', 'x: :y', 'x: y:', "x: '%(message)s'", 'x: "%(message)s"',
               'x: |\n  %(message)s', 'x: http://a:1/b?c=d#e', 'x: C:\\logs\\a', 'x: ext://sys.stdout', 'x: [1, no, 0x1F, 1:30, ~, 2001-12-14]', 'x: {a: off, b: 1_0}']


def load(text):
    value = yaml.safe_load(text)
    # Our keys stay as they are written.
    if isinstance(value, dict) and len(value) == 1 and not isinstance(next(iter(value)), str):
        return {text.removeprefix('? ').split('\n' if text[0] == '?' else ': ')[0].strip(): next(iter(value.values()))}
    return value


write('yaml.jsonl', yaml_cases, load)

# `args`: constant expressions.
args = r'''1 -1 +1 ~1 - 1 --1 1+2 1-2 2-1 10*1024*1024 2**20 -2**2 (-2)**2 2**-1 2**3**2 1<<20 1024>>3 7//2 -7//2 7//-2 7%3 -7%3 7%-3 7/2 8/2 1|2 6&3 6^3 1+2*3 (1+2)*3 1<<2+1 1|2^3&4
    True+1 True|False True&True True^True ~True -True 1.5+1 1.5*2 7.5//2 -7.5//2 7.5%2 -7.5%2 7.5/2 2**0.5 (-2)**0.5 0**-1 1/0 1//0 1%0 1.0/0 1.5|1 1<<-1 1>>-1 1>>200 1<<100 2**100 2**63 2**63-1 -2**63
    0x1F 0X1f 0o17 0O17 0b11 0B11 017 00 0_0 0 1_000 1__0 _1 1_ 0x_F 0x 1e5 1E5 1e+5 1e-5 1.5e5 .5 5. 1.e3 1._5 1_0.5 1_0e1_0 1j 1l 1a 0xg 0b2 1.2.3
    'a' "a" 'a''b' 'a'"b" 'a'+'b' 'a'*3 3*'a' 'a'*0 'a'*-1 'a'-'b' 'a'+1 'a'*'b' 'a'*1.5 r'a\b' R'a\b' r'a\'' u'a' U'a' b'a' B'a' br'a\b' rb'a\b' Rb'a' ur'a' f'a' f'{1}' rf'a' bu'a' x'a' b'a'+b'b' b'a''b' b'a'+'b' b'\xff' b'\x41' b'\u0041' b'\101'
    '\x41' '\u00e9' '\U0001f389' '\101' '\0' '\7' '\777' '\a\b\f\v' '\q' '\\' '\'' "\"" '\x4' '\xzz' '\ud800' '\U00110000' '\N{BULLET}' '\n\t\r' \'\'\'a\'\'\' """a""" '' "" """a"b""" \'\'\'a\'b\'\'\' 'a "a 'a"
    () (1) (1,) (1,2) (1,2,) (,) (1,,2) (1 [1] [1,] [] [1 [1,2]+[3] (1,)+(2,) (1,)+[2] {} {'a':1} {'a':1,} {'a':1,'b':[2]} {'a'} {'a':} {1:2} {'a':1}+{} (1)+(2) ((1)) ((1),) ('a') ('a',)
    None True False none true None+1 not(True) DEBUG INFO WARNING WARN ERROR CRITICAL FATAL NOTSET DEBUG+5 10*INFO -DEBUG handlers.DEFAULT_TCP_LOGGING_PORT handlers.DEFAULT_TCP_LOGGING_PORT+1
    handlers.SysLogHandler.LOG_USER handlers.SysLogHandler.LOG_LOCAL0|1 handlers.SYSLOG_UDP_PORT sys.maxsize sys.stdout sys.stderr handlers.socket.SOCK_STREAM handlers.socket.SOCK_DGRAM
    1if(True)else(2) 1<2 1==1 [1][0] 'a'[0] 'a'.upper 'a'%1 lambda:1 1;2 1=2 a:=1 *1 **1 @ $ ! ? ` \ # '''.replace("\\'\\'\\'", "'''").replace("\\'b", "'b").split()
args += ["('a', 'b') # comment", "# comment", "('a', # comment\n'b')", "('a',\n 'b',\n)", "\n('a',)", "('a',)\n", "('a',)\n+('b',)", "1 +\n2", "(1 +\n2)", "1 \\\n+ 2", "'a' \\\n'b'", "('a'\n'b')", "'''a\nb'''", "'a\\\nb'",
         "'a\nb'", "1 + 2 - 3 * 4", "( 'logs/' + 'x.log', 'a', 10 * 1024 ** 2, 5 )", "('x.log', 'a', 10*1024*1024, 5)", "(r'x.log', 'a', 1000, 5)", "(('localhost', 514), handlers.SysLogHandler.LOG_USER)",
         "('localhost', handlers.DEFAULT_TCP_LOGGING_PORT + 1)", "(10, ERROR)", "(10, WARNING + 5)", "('a' 'b' r'\\c',)", "('a' b'b',)", "('a',) # (", "('#',)", "('a'#b\n,)", "('é', '漢')", "('%s' % 'a',)", "{'delay': True, 'maxBytes': 1 << 20}",
         "dict(a=1)", "open('x')", "__import__('os')", "('a').upper()", "  ('a',)", "\t('a',)", "('a',) 1", "('a',) ('b',)", "'a' 1", "1 'a'", "(1 2)", "['a' 'b', 'c']", "1 if True else 2", "not True", "True and False", "1 or 2", "1 < 2",
         "'logs' + os.sep + 'x.log'", "os.path.sep", "os.devnull", "os.pardir * 2", "os.linesep", "os.nothing", "(sys.stdout,)", "(sys.stdout)", "-'a'", "~1.5", "+'a'", "-None", "'a' + None", "[1] + (2,)", "1 and", "1 +", "* 2", "((((((1))))))", "[[[[1]]]]", "{'a': {'b': {}}}", "{'a': 1, 'a': 2}", "{'a' 'b': 1}", "{'a' + 'b': 1}"]
FLAT = ['1', '2', '3', '10', '1.5', '0.5', '-2', "'a'", "'bc'", 'True', '(4)', '0x10', "b'x'", '(1,)', '[2]', 'None', 'DEBUG']
for _ in range(700):
    text = R.choice(FLAT)
    for _ in range(R.randint(1, 4)):
        text += R.choice(['', ' ']) + R.choice(['+', '-', '*', '//', '/', '%', '**', '<<', '>>', '|', '&', '^']) + R.choice(['', ' ', '-', '~', '+']) + R.choice(FLAT)
        if R.random() < .2:
            text = '(' + text + ')'
    # Towers would keep CPython busy.
    if text.count('**') < 2 and '[2]' not in text:
        args.append(text)
LETTERS = ['a', '\\', 'x4', "'", '"', 'n', '0', '1', 'u00e9', ' ', '\n', '#', 'é', '\\\\', 'r', 'b']
for _ in range(500):
    quote = R.choice(["'", '"', "'''", '"""'])
    args.append(R.choice(['', '', 'r', 'b', 'u', 'Br']) + quote + ''.join(R.choice(LETTERS) for _ in range(R.randint(0, 5))) + quote)


def evaluate(text):
    value = eval(text, dict(vars(logging)))
    if isinstance(value, (complex, set)) or callable(value):
        raise TypeError('nothing that a configuration has')
    return plain(value)


import warnings
warnings.simplefilter('ignore')
# What an INI file cannot say is left out: blanks at the ends of lines, and lines that begin as comments do.
sayable = [text for text in args if all(line == line.strip() and not line.startswith(('#', ';')) for line in text.split('\n')[1:])]
write('args.jsonl', [text.strip(' \t') for text in sayable], evaluate)


# What dictConfig takes for true, for a level, for a version: the value of a key, and what came of it.
def configured(text):
    """`KEY: VALUE`; gives what is set, in the words of our test."""
    key = text.split(':')[0]
    logging.root.manager.loggerDict.clear()
    logging._handlers.clear()
    base = {'version': 1, 'handlers': {'h': {'class': 'logging.NullHandler'}}, 'loggers': {'l': {}}, 'root': {'handlers': ['h']}}
    value = yaml.safe_load(text)[key]
    directory = tempfile.mkdtemp()
    if key in ('propagate', 'level'):
        base['loggers']['l'][key] = value
    elif key == 'handler_level':
        base['handlers']['h']['level'] = value
    elif key == 'delay':
        base['handlers']['h'] = {'class': 'logging.FileHandler', 'filename': directory + '/x', 'delay': value}
    elif key == 'validate':
        base['formatters'] = {'f': {'format': 'no field', 'validate': value}}
    elif key == 'version':
        base['version'] = value
    elif key == 'incremental':
        base = {'version': 1, 'incremental': value, 'handlers': {'nobody': {'class': 'logging.NullHandler'}}}
    logging.config.dictConfig(copy.deepcopy(base))
    logger = logging.getLogger('l')
    if key == 'propagate':
        return bool(logger.propagate)
    if key == 'level':
        return int(logger.level)
    if key == 'handler_level':
        return int(logging.root.handlers[0].level)
    if key == 'delay':
        return not os.path.exists(directory + '/x')
    return True


TRUTHS = ['yes', 'no', 'on', 'off', 'Off', 'true', 'False', '"no"', '"false"', '""', '"0"', '0', '1', '2', '-1', '0.0', '1.0', '0.5', '[]', '[0]', '{}', '{a: 1}', '~', 'x', '1_0', '"1"', '"1.0"', '1:30']
truths = ['%s: %s' % pair for pair in itertools.product(['propagate', 'delay', 'validate', 'incremental', 'version', 'level', 'handler_level'], TRUTHS)]
truths += ['%s: %s' % pair for pair in itertools.product(['level', 'handler_level'], ['INFO', 'info', '20', '0x14', '024', '10_0', '15', '"20"', 'NOTSET', 'LOUD', '20.0', '2001-12-14'])]
write('truths.jsonl', truths, configured)
