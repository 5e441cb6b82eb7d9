# Validates the JSON document on stdin: validate_json.py <directory of schemas> <schema file>; a line for each violation.
import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")  # later versions of the library resolve references otherwise as well
import jsonschema  # noqa: E402

directory, name = sys.argv[1:]
schemas = {file.name: json.loads(file.read_text()) for file in pathlib.Path(directory).glob("*.schema.json")}
schema = schemas[name]
base = schema["$id"].rsplit("/", 1)[0]
store = {f"{base}/{file}": content for file, content in schemas.items()}
resolver = jsonschema.RefResolver(schema["$id"], schema, store=store)
validator = jsonschema.Draft7Validator(schema, resolver=resolver, format_checker=jsonschema.draft7_format_checker)
for error in validator.iter_errors(json.load(sys.stdin)):
    print("/".join(map(str, error.absolute_path)), error.message[:200].replace("\n", " "))
