"""Prefix replacement alone: reads [{"mode", "data" (base64), "placeholder", "prefix"}] and writes the results, null where
the prefix does not fit."""

import base64
import importlib.util
import json
import os
import sys

spec = importlib.util.spec_from_file_location("install", os.path.join(os.path.dirname(__file__), "install.py"))
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)

results = []
for case in json.load(sys.stdin):
    try:
        data = base64.b64decode(case["data"])
        replaced = install.replace_prefix(case["mode"], data, case["placeholder"], case["prefix"])
        results.append(base64.b64encode(replaced).decode())
    except ValueError:
        results.append(None)
json.dump(results, sys.stdout)
