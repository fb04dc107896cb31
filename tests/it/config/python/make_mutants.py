"""What CPython 3.13 and PyYAML 6.0.3 make of the mutants that are taken here: `python3.13 make_mutants.py < candidates`.

`STRATA_TEST_MUTANTS=candidates cargo test --all-features --test it config::bad_input` writes the candidates. Each line of
mutants.jsonl has the case's name, the text, and the error if it was refused."""
import io
import json
import logging.config
import os
import sys
import tempfile

import yaml


def configure(name, text):
    if name.endswith('.ini'):
        # It closes files and streams of the process.
        logging.config.fileConfig(io.StringIO(text))
    elif name.endswith('.json'):
        logging.config.dictConfig(json.loads(text))
    else:
        logging.config.dictConfig(yaml.safe_load(text))


def play(line):
    case = json.loads(line)
    reader, writer = os.pipe()
    if os.fork() == 0:
        with tempfile.TemporaryDirectory() as here:
            os.chdir(here)
            try:
                configure(case['name'], case['text'])
                error = None
            except BaseException as failed:
                error = f'{type(failed).__name__}: {failed}'
        os.write(writer, json.dumps(error and error[:400]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        error = json.loads(told.read())
    os.wait()
    if error is not None:
        case['error'] = error
    return case


here = os.path.dirname(os.path.abspath(__file__))
played = {line: play(line) for line in sys.stdin}
with open(os.path.join(here, 'mutants.jsonl'), 'w') as file:
    for case in played.values():
        file.write(json.dumps(case, ensure_ascii=False) + '\n')
refused = [case for case in played.values() if 'error' in case]
print(len(played), 'of which', len(refused), 'refused', file=sys.stderr)
