"""An installer of conda packages that shares nothing with condense: what test/integration/conda/oracle*.test.ts compares
our prefixes with. Written from the CEPs and from conda's own source, each named where it is followed; standard library only.

Reads a request (JSON) on stdin, makes the prefix, and writes what it did (JSON) to stdout:
  {"packages": [{"archive", "channel", "subdir", "url", "sha256"}, ...],
   "prefix_on_disk", "prefix_inside", "specs": [...]}
  -> {"clobbers": [{"path", "packages"}], "bytecode": [paths that python is to compile],
      "rewritten": [paths whose bytes the prefix changed], "python": "3.11" or null}

It compiles no bytecode and runs no script: what a Python of the environment does is for the environment's Python.
"""

import hashlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# conda/base/constants.py PREFIX_PLACEHOLDER, in two parts as there: this file is text like any other.
DEFAULT_PLACEHOLDER = "/opt/anaconda1anaconda2" + "anaconda3"
# conda/core/portability.py: binfmt_script reads 127 bytes of a first line, see execve(2).
MAX_SHEBANG = 127
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


def main():
    request = json.load(sys.stdin)
    prefix = request["prefix_on_disk"]
    make_directory(prefix)
    with tempfile.TemporaryDirectory() as cache:
        packages = link_order([Package(p, os.path.join(cache, str(n))) for n, p in enumerate(request["packages"])])
        python = python_of(packages)
        owners = {}
        # conda/core/link.py _execute: every package is linked, then entry points are made, then records are written.
        for package in packages:
            package.link(prefix, request["prefix_inside"], python, owners)
        for package in packages:
            package.make_entry_points(prefix, request["prefix_inside"], python, owners)
        for package in packages:
            package.write_record(prefix, request["specs"], owners)
    clobbers = [{"path": path, "packages": names} for path, names in owners.items() if len(names) > 1]
    bytecode = sorted({path for package in packages for path in package.bytecode})
    rewritten = sorted({path for package in packages for path in package.rewritten})
    result = {"clobbers": clobbers, "bytecode": bytecode, "rewritten": rewritten}
    json.dump({**result, "python": python and python["version"]}, sys.stdout)


def link_order(packages):
    """conda/models/prefix_graph.py _toposort: again and again the package with the fewest parents not yet taken, of several
    such the first by its distribution string. Constraints on what is there count as dependencies (combined_depends)."""
    by_name = {package.index["name"]: package for package in packages}
    parents = {}
    for package in packages:
        specs = package.index.get("depends", []) + package.index.get("constrains", [])
        names = {re.match(r"(?:.*::)?([A-Za-z0-9_.-]+)", spec).group(1).lower() for spec in specs}
        if package.index["name"] == "python":
            names.discard("pip")
        parents[package] = {by_name[name] for name in names if name in by_name and by_name[name] is not package}
    ordered = []
    while parents:
        taken = min(parents, key=lambda package: (len(parents[package]), package.full_name()))
        del parents[taken]
        for others in parents.values():
            others.discard(taken)
        ordered.append(taken)
    return ordered


def python_of(packages):
    """conda/core/link.py _get_python_version; CEP 17 for python_site_packages_path."""
    for package in packages:
        if package.index["name"] == "python":
            version = ".".join(package.index["version"].split(".")[:2])
            site = package.index.get("python_site_packages_path") or f"lib/python{version}/site-packages"
            return {"version": version, "site_packages": site.rstrip("/")}
    return None


class Package:
    def __init__(self, request, directory):
        self.request = request
        self.directory = directory
        self.dist = re.sub(r"\.(conda|tar\.bz2)$", "", os.path.basename(request["archive"]))
        extract(request["archive"], directory)
        self.index = self.read_json("index.json")
        self.noarch, self.entry_points = self.read_noarch()
        self.paths = self.read_paths()
        self.files = []
        self.records = []
        self.bytecode = []
        self.rewritten = []

    def full_name(self):
        return f"{self.request['channel']}/{self.request['subdir']}::{self.dist}"

    def info(self, name):
        return os.path.join(self.directory, "info", name)

    def read_json(self, name):
        with open(self.info(name), encoding="utf-8") as file:
            return json.load(file)

    def read_noarch(self):
        """CEP 34 link.json; conda/gateways/disk/read.py read_package_metadata for the older name of it."""
        for name in ("link.json", "package_metadata.json"):
            if os.path.isfile(self.info(name)):
                metadata = self.read_json(name)
                assert metadata["package_metadata_version"] == 1
                noarch = metadata.get("noarch") or {}
                kind = self.index.get("noarch")
                return kind, (noarch.get("entry_points") or []) if kind == "python" else []
        return self.index.get("noarch"), []

    def read_paths(self):
        """CEP 34: paths.json, and files, has_prefix and no_link where it is absent (read.py read_paths_json)."""
        if os.path.isfile(self.info("paths.json")):
            document = self.read_json("paths.json")
            assert document["paths_version"] == 1
            return document["paths"]
        prefixes = {}
        for line in self.lines("has_prefix"):
            parts = [part.strip("\"'") for part in shlex.split(line, posix=False)]
            if len(parts) == 1:
                parts = [DEFAULT_PLACEHOLDER, "text", parts[0]]
            placeholder, mode, path = parts
            prefixes[path] = {"prefix_placeholder": placeholder, "file_mode": mode}
        no_link = {*self.lines("no_link"), *self.lines("no_softlink")}
        return [
            {
                "_path": path,
                "path_type": "softlink" if os.path.islink(os.path.join(self.directory, path)) else "hardlink",
                **prefixes.get(path, {}),
                **({"no_link": True} if path in no_link else {}),
            }
            for path in self.lines("files")
        ]

    def lines(self, name):
        """read.py yield_lines"""
        if not os.path.isfile(self.info(name)):
            return []
        with open(self.info(name), encoding="utf-8") as file:
            stripped = [line.strip() for line in file]
        return [line for line in stripped if line and not line.startswith("#")]

    def target(self, path, python):
        """conda/common/path get_python_noarch_target_path"""
        if self.noarch == "python":
            if path.startswith("site-packages/"):
                return python["site_packages"] + path[len("site-packages") :]
            if path.startswith("python-scripts/"):
                return "bin" + path[len("python-scripts") :]
        return path

    def link(self, prefix, prefix_inside, python, owners):
        linked = {}
        for entry in self.paths:
            path = entry["_path"]
            target = self.target(path, python)
            source, destination = os.path.join(self.directory, path), os.path.join(prefix, target)
            record = {**entry, "_path": target}
            if entry.get("path_type") == "directory":
                # CEP 34 has these; conda makes none and records none.
                make_directory(destination)
                continue
            owners.setdefault(target, []).append(self.dist)
            make_directory(os.path.dirname(destination))
            # conda/gateways/disk/create.py create_link: what is there is clobbered, so the last in link order stays.
            if os.path.lexists(destination):
                os.unlink(destination)
            self.files.append(target)
            self.records.append(record)
            if os.path.islink(source):
                # CEP 34 and rattler: the link itself, whatever its target. path_actions.py: no placeholder in it.
                os.symlink(os.readlink(source), destination)
                continue
            with open(source, "rb") as file:
                data = file.read()
            verify(entry, data)
            found = os.lstat(source)
            if entry.get("prefix_placeholder"):
                mode = entry.get("file_mode") or "text"
                replaced = replace_prefix(mode, data, entry["prefix_placeholder"], prefix_inside)
                if replaced != data:
                    self.rewritten.append(target)
                data = replaced
            elif found.st_ino in linked and not entry.get("no_link"):
                # Hard links of one archive are so in the cache, and stay so in the prefix.
                os.link(linked[found.st_ino], destination)
                record["sha256_in_prefix"] = hashlib.sha256(data).hexdigest()
                continue
            elif not entry.get("no_link"):
                linked[found.st_ino] = destination
            record["sha256_in_prefix"] = hashlib.sha256(data).hexdigest()
            write_file(destination, data, found.st_mode)
        if self.noarch == "python":
            self.plan_bytecode(python)

    def plan_bytecode(self, python):
        """conda/core/path_actions.py CompileMultiPycAction, conda/common/path pyc_path"""
        for entry in self.paths:
            if re.match(r"^site-packages[/\\][^\t\n\r\f\v]+\.py$", entry["_path"]):
                directory, name = os.path.split(self.target(entry["_path"], python))
                pyc = f"{directory}/__pycache__/{name[:-3]}.cpython-{python['version'].replace('.', '')}.pyc"
                self.bytecode.append(pyc)
                if pyc not in self.files:
                    self.files.append(pyc)
                    self.records.append({"_path": pyc, "path_type": "pyc_file"})

    def make_entry_points(self, prefix, prefix_inside, python, owners):
        """conda/core/path_actions.py CreatePythonEntryPointAction, create.py create_python_entry_point"""
        for definition in self.entry_points:
            command_and_module, function = definition.rsplit(":", 1)
            command, module = command_and_module.rsplit("=", 1)
            command, module, function = command.strip(), module.strip(), function.strip()
            path = f"bin/{command}"
            owners.setdefault(path, []).append(self.dist)
            executable = f"{prefix_inside}/bin/python{python['version']}"
            shebang = f"#!{executable}\n"
            if len(shebang) > MAX_SHEBANG or " " in executable:
                # portability.py generate_shebang_for_entry_point
                shebang = f"#!/bin/sh\n'''exec' \"{executable}\" \"$0\" \"$@\" #'''\n"
            script = (
                "# -*- coding: utf-8 -*-\n"
                "import re\n"
                "import sys\n"
                "\n"
                f"from {module} import {function.split('.')[0]}\n"
                "\n"
                "if __name__ == '__main__':\n"
                r"    sys.argv[0] = re.sub(r'(-script\.pyw?|\.exe)?$', '', sys.argv[0])" "\n"
                f"    sys.exit({function}())\n"
            )
            destination = os.path.join(prefix, path)
            make_directory(os.path.dirname(destination))
            if os.path.lexists(destination):
                os.unlink(destination)
            write_file(destination, (shebang + script).encode(), 0o755)
            # Of a script of this package with the same name nothing is left.
            self.files = [other for other in self.files if other != path] + [path]
            self.records = [record for record in self.records if record["_path"] != path]
            self.records.append({"_path": path, "path_type": "unix_python_entry_point"})

    def write_record(self, prefix, specs, owners):
        """CEP 32 conda-meta/{name}-{version}-{build}.json; conda/core/path_actions.py CreatePrefixRecordAction"""
        fields = ("name", "version", "build", "build_number", "depends", "constrains", "license", "timestamp",
                  "noarch", "track_features", "features", "python_site_packages_path", "arch", "platform")
        record = {field: self.index[field] for field in fields if field in self.index}
        request = self.request
        record.update({field: request[field] for field in ("channel", "subdir", "url", "sha256")})
        record["fn"] = os.path.basename(request["archive"])
        record["files"] = self.files
        for entry in self.records:
            # "As installed in the target prefix": says nothing of what another package has clobbered.
            if owners.get(entry["_path"], [self.dist])[-1] != self.dist:
                entry.pop("sha256_in_prefix", None)
        record["paths_data"] = {"paths_version": 1, "paths": self.records}
        asked = [spec for spec in specs if re.match(r"[A-Za-z0-9_.-]+", spec).group().lower() == record["name"]]
        record["requested_specs"] = asked
        directory = os.path.join(prefix, "conda-meta")
        make_directory(directory)
        write_file(os.path.join(directory, f"{self.dist}.json"), json.dumps(record, indent=2).encode(), 0o644)


def extract(archive, directory):
    """CEP 35: a .conda is a zip of two zstandard-compressed tars, the older format one bzip2-compressed tar."""
    os.mkdir(directory)
    if archive.endswith(".tar.bz2"):
        tars = [tarfile.open(archive, "r:bz2")]
    else:
        tars = []
        with zipfile.ZipFile(archive) as container:
            for name in container.namelist():
                if name.endswith(".tar.zst"):
                    data = subprocess.run(["zstd", "-dcq"], input=container.read(name), stdout=subprocess.PIPE, check=True).stdout
                    tars.append(tarfile.open(fileobj=io.BytesIO(data)))
    for tar in tars:
        with tar:
            tar.extractall(directory)


def verify(entry, data):
    """path_actions.py LinkPathAction.verify. paths.json may give 0 or nothing for either."""
    if entry.get("sha256"):
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["_path"]
    if entry.get("size_in_bytes"):
        assert len(data) == entry["size_in_bytes"], entry["_path"]


def replace_prefix(mode, data, placeholder, prefix):
    """conda/core/portability.py update_prefix"""
    for encoding in ENCODINGS:
        old, new = placeholder.encode(encoding), prefix.encode(encoding)
        if mode == "binary":
            data = replace_in_strings(data, old, new, "\0".encode(encoding))
            continue
        # conda does so only where the first line ends; rattler, and sense, also where it is the last.
        first, newline, rest = data.partition(b"\n")
        escaped = f"#!{prefix}".replace(" ", "\\ ").encode(encoding)
        data = first.replace(f"#!{placeholder}".encode(encoding), escaped) + newline + rest
        data = data.replace(old, new)
    return data if mode == "binary" else shorten_shebang(data)


def replace_in_strings(data, old, new, zero):
    def replace(match):
        padding = (len(old) - len(new)) * match.group().count(old)
        if padding < 0:
            raise ValueError("the placeholder is shorter than the prefix")
        return match.group().replace(old, new) + b"\0" * padding

    pattern = re.compile(re.escape(old) + b"(?:(?!(?:" + re.escape(zero) + b")).)*" + re.escape(zero), flags=re.DOTALL)
    return pattern.sub(replace, data)


def shorten_shebang(data):
    """portability.py SHEBANG_REGEX, replace_long_shebang"""
    match = re.match(rb"^(#!(?:[ ]*)(/(?:\\ |[^ \n\r\t])*)(.*))$", data, re.MULTILINE)
    if match:
        whole, executable, options = match.groups()
        directory, name = executable.rsplit(b"/", 1)
        if len(whole) > MAX_SHEBANG or b"\\ " in directory:
            # conda replaces every such text in the file; rattler, and the name of the thing, the first line only.
            data = data.replace(whole, b"#!/usr/bin/env " + name + options, 1)
    return data


# conda extracts under the umask of the user, 022 as a rule. An image is read by people other than its maker, so condense
# also lets everyone read, and run what anyone may run: that much is the product's own rule (docs/packages.md).
def write_file(path, data, mode):
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, (mode & 0o755) | 0o444 | (0o111 if mode & 0o111 else 0))


def make_directory(path):
    os.makedirs(path, mode=0o755, exist_ok=True)


if __name__ == "__main__":
    os.umask(0o022)
    sys.setrecursionlimit(10_000)
    main()
