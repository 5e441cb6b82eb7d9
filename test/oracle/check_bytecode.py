"""Run by the Python of a prefix that condense has made: whether the bytecode in it is what that Python makes of the sources.
Reads {"prefix", "bytecode": [paths], "each": n} on stdin and writes the problems (JSON) to stdout. Each file's header is
looked at; of every n-th the code is compiled anew and compared, since compiling all would take as long as installing."""

import importlib.util
import json
import marshal
import os
import sys

request = json.load(sys.stdin)
problems = []
for number, name in enumerate(request["bytecode"]):
    pyc = os.path.join(request["prefix"], name)
    source = importlib.util.source_from_cache(pyc)
    with open(source, "rb") as file:
        text = file.read()
    try:
        with open(pyc, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        try:
            compile(text, source, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        problems.append(f"{name} is missing")
        continue
    # PEP 552: magic number, flags (0: by time), the time and the size of the source.
    at = os.stat(source)
    header = importlib.util.MAGIC_NUMBER + b"".join(
        value.to_bytes(4, "little") for value in (0, int(at.st_mtime), at.st_size)
    )
    if data[:16] != header:
        problems.append(f"{name} is not for its source")
    elif number % request["each"] == 0:
        code = marshal.loads(data[16:])
        if code != compile(text, source, "exec", dont_inherit=True) or code.co_filename != source:
            problems.append(f"{name} is other code")
json.dump(problems, sys.stdout)
