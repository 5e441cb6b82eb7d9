// The Python program that makes the inventory, in the environment's own Python, and the shell one that reads scripts' first lines.

/** Its argument: the prefix. What it prints `parseInventory` reads. */
export const INVENTORY_PROGRAM = String.raw`
import csv, importlib.metadata, json, os, re, sys
prefix = sys.argv[1]
libraries = [path for path in sys.path if path.startswith(prefix + '/') and os.path.basename(path) == 'site-packages']
metadata = re.compile(r'[^/]+\.(?:dist|egg)-info(?:/METADATA|/PKG-INFO)?$').match
def wanted(files):
    return [file for file in files if file.endswith(('.py', '.so')) or metadata(file)]
def below(files):
    found = []
    for file in files:
        if not file.endswith(('.py', '.so', '-info', '-info/METADATA', '-info/PKG-INFO')):
            continue
        full = os.path.normpath(os.path.join(prefix, file))
        for library in libraries:
            if full.startswith(library + '/'):
                found.append(full[len(library) + 1:])
    return wanted(found)
packages, unreadable = [], []
for name in sorted(os.listdir(os.path.join(prefix, 'conda-meta'))):
    if not name.endswith('.json'):
        continue
    try:
        with open(os.path.join(prefix, 'conda-meta', name), encoding='utf-8') as file:
            record = json.load(file)
        packages.append({
            'name': str(record['name']), 'version': str(record['version']), 'build': str(record['build']),
            'files': below(str(file) for file in record.get('files', [])),
        })
    except (ValueError, KeyError, TypeError) as error:
        unreadable.append(name + ': ' + repr(error))
# What conda's records list needs no RECORD. Where there is one, the files property of importlib.metadata looks at each file on disk.
known = {file.split('/')[0] for one in packages for file in one['files'] if metadata(file)}
distributions = []
for one in importlib.metadata.distributions(path=libraries):
    directory = os.path.basename(str(getattr(one, '_path', '')))
    record = None if directory in known else one.read_text('RECORD')
    about = one.metadata
    distributions.append({
        'name': about['Name'] or re.split('-', directory)[0], 'version': about['Version'] or '', 'directory': directory,
        'files': None if record is None else wanted(row[0] for row in csv.reader(record.splitlines()) if row),
        'scripts': [{'name': entry.name, 'value': entry.value} for entry in one.entry_points
                    if entry.group in ('console_scripts', 'gui_scripts')],
    })
json.dump({'packages': packages, 'unreadable': unreadable, 'distributions': distributions}, sys.stdout)
`;

/** Without a Python: the names of conda-meta's records, each with a NUL behind it. Its argument: the prefix. */
export const RECORDS_PROGRAM = `cd -- "$1/conda-meta" && shopt -s nullglob && for name in *.json; do printf '%s\\0' "$name"; done`;

/**
 * For each script in the prefix's bin: its name, its first line, and whether what that names can be run, each with a NUL
 * behind it. bash's own commands only. Its argument: the prefix.
 */
export const SCRIPTS_PROGRAM = String.raw`
[[ -d $1/bin ]] || exit 0
cd -- "$1/bin" || exit
PATH=$1/bin:/usr/bin:/bin
shopt -s nullglob
for name in * .[!.]*; do
  [[ -f $name && -x $name ]] || continue
  line=
  IFS= read -r -n 2 line <"./$name" || continue
  [[ $line = '#!' ]] || continue
  IFS= read -r line <"./$name"
  words=\${line#'#!'}
  read -r program argument rest <<<"$words"
  [[ $program = */env && $argument = -S ]] && argument=\${rest%% *}
  if [[ $program = */env && $argument != -* && $argument != *=* ]]; then
    type -P -- "$argument" >/dev/null && [[ -x $program ]] && found=1 || found=0
  else
    [[ $program = /* && -f $program && -x $program ]] && found=1 || found=0
  fi
  printf '%s\0%s\0%s\0' "$name" "$line" "$found"
done
`.replaceAll('\\$', '$');
