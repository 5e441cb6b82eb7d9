// One requirement of pip, as written to its parts: PEP 508, or a URL or path (pip documentation, "Requirement Specifiers" and
// "Requirements File Format"). Pure. What this does not understand never reaches pip.

export interface Requirement {
  /** As written; `undefined` where only the project behind a URL or path knows. */
  readonly name?: string | undefined;
  readonly extras: readonly string[];
  readonly source: RequirementSource;
  /** `python_version < "3.12"`, or nothing. */
  readonly marker: string;
}

type RequirementSource =
  | { readonly kind: 'index'; readonly specifier: string }
  /** Of a file, or `git+https://...@revision`; `fragment` without `#`. */
  | { readonly kind: 'url'; readonly url: string; readonly fragment: string }
  /** As written: `./project`, `/srv/wheels/foo.whl`. */
  | { readonly kind: 'path'; readonly path: string };

const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
const PROJECT = new RegExp(`^(${NAME})\\s*(?:\\[([^\\]]*)\\])?\\s*(.*)$`, 's');
const CLAUSE = /^(?:===|~=|==|!=|<=|>=|<|>)\s*[A-Za-z0-9._*+!-]+$/;
const ARCHIVE = /\.(?:whl|zip|tar|tar\.gz|tgz|tar\.bz2|tbz|tar\.xz|txz)$/i;
const MAX_LENGTH = 4000;

/** @returns its parts, or why it is none */
export function parseRequirement(written: string): Requirement | string {
  if (written.length > MAX_LENGTH) return `it has more than ${MAX_LENGTH} characters`;
  const text = written.trim();
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(text)) return parseLocated(text);
  const [, name = '', extras, rest = ''] = PROJECT.exec(text) ?? [];
  const direct = /^@\s*(.*)$/s.exec(rest)?.[1];
  if (name !== '' && direct !== undefined) {
    const located = parseLocated(direct);
    const names = parseExtras(extras);
    if (typeof located === 'string') return located;
    if (typeof names === 'string') return names;
    return { ...located, name, extras: names };
  }
  if (/^[./]|^[^;<>=!~]*\//.test(text) || (ARCHIVE.test(text.split(/[;[]/)[0]?.trim() ?? '') && !/[<>=]/.test(text)))
    return parseLocated(text);
  if (name === '') return 'it must start with the name of a project: letters, digits, ".", "-" and "_"';
  const cut = rest.indexOf(';');
  const specifier = parseSpecifier(cut < 0 ? rest : rest.slice(0, cut));
  const marker = parseMarker(cut < 0 ? undefined : rest.slice(cut + 1));
  const names = parseExtras(extras);
  if (typeof names === 'string') return names;
  if ('why' in specifier) return specifier.why;
  if ('why' in marker) return marker.why;
  return { name, extras: names, source: { kind: 'index', specifier: specifier.text }, marker: marker.text };
}

/** A URL or a path, with extras and a marker behind it; white space before or after ";" tells the marker from the URL. */
function parseLocated(text: string): Requirement | string {
  const [, place = text, written] = /^(.*?)(?:\s+;\s*|;\s+)(.*)$/s.exec(text) ?? [];
  const marker = parseMarker(written);
  if ('why' in marker) return marker.why;
  const [, before = place, listed] = /^(.*?)\s*\[([^\]]*)\]$/s.exec(place.trim()) ?? [];
  const extras = parseExtras(listed);
  if (typeof extras === 'string') return extras;
  const source = /^[A-Za-z][A-Za-z0-9+.-]*:/.test(before) ? parseUrl(before) : parsePath(before);
  return typeof source === 'string' ? source : { extras, source, marker: marker.text };
}

function parsePath(text: string): RequirementSource | string {
  return /[\0\n\r]/.test(text) ? 'a path has no line breaks' : { kind: 'path', path: text };
}

function parseUrl(text: string): RequirementSource | string {
  const local = /^file:(.*)$/is.exec(text)?.[1];
  if (local !== undefined) {
    const [where = ''] = local.split('#');
    if (/^\/\/[^/]/.test(where)) return 'a file URL has three slashes: file:///path';
    try {
      return { kind: 'path', path: decodeURIComponent(where.replace(/^\/\//, '')) };
    } catch {
      return 'its % escapes nothing';
    }
  }
  if (/\s/.test(text)) return 'a URL has no white space';
  const [, vcs, rest = text] = /^(git|hg|svn|bzr)\+(.*)$/is.exec(text) ?? [];
  if (vcs !== undefined && vcs.toLowerCase() !== 'git') return `${vcs} is not supported; only git is`;
  const url = URL.parse(rest);
  if (!url || !/^https?:$/.test(url.protocol))
    return vcs === undefined
      ? 'its URL must start with https://, http://, file: or git+https://'
      : 'a git repository must be named as git+https://host/path; other ways need keys of the person who builds';
  // git would take such a revision for an option.
  if (url.pathname.replaceAll(/%2d/gi, '-').includes('@-')) return 'a revision does not start with a hyphen';
  if (url.search !== '') return 'its URL has a query, which may be a secret and cannot be locked';
  if (vcs === undefined && !ARCHIVE.test(url.pathname))
    return 'its URL is neither that of a wheel or sdist nor git+https://';
  const fragment = url.hash.slice(1);
  const known = /^(?:(?:egg=[\w.\-[\],]+|subdirectory=[\w./-]+|(?:sha256|sha384|sha512)=[0-9a-f]+)(?:&|$))*$/;
  if (!known.test(fragment)) return `"#${fragment}" is not understood; egg=, subdirectory= and sha256= are`;
  if (/(?:^|&)subdirectory=(?:\/|[^&]*\.\.)/.test(fragment)) return 'its subdirectory leaves the project';
  url.hash = '';
  return { kind: 'url', url: `${vcs === undefined ? '' : 'git+'}${url.href}`, fragment };
}

function parseExtras(text: string | undefined): readonly string[] | string {
  const names = (text ?? '').split(',').map((name) => name.trim());
  if (names.length === 1 && names[0] === '') return [];
  const bad = names.find((name) => !new RegExp(`^${NAME}$`).test(name));
  return bad === undefined ? names : `${JSON.stringify(bad)} is not the name of an extra`;
}

type Read = { readonly text: string } | { readonly why: string };

function parseSpecifier(text: string): Read {
  const bare = /^\((.*)\)$/s.exec(text.trim())?.[1] ?? text.trim();
  if (bare === '') return { text: '' };
  const clauses = bare.split(',').map((clause) => clause.trim());
  const bad = clauses.find((clause) => !CLAUSE.test(clause));
  if (bad !== undefined)
    return { why: `${JSON.stringify(bad)} is not a version with an operator, such as ==1.2 or >=1.2` };
  return { text: clauses.map((clause) => clause.replaceAll(/\s/g, '')).join(',') };
}

/** PEP 508, "Environment Markers". Which variables there are is left to pip: there are more with time. */
function parseMarker(text: string | undefined): Read {
  if (text === undefined) return { text: '' };
  const token = /\s*(?:("[^"\\\n]*"|'[^'\\\n]*'|[A-Za-z_][A-Za-z0-9_.]*)|(===|~=|==|!=|<=|>=|<|>)|([()]))/gy;
  const tokens: string[] = [];
  const why = { why: `${JSON.stringify(text.trim())} is not a marker such as python_version < "3.12"` };
  while (text.slice(token.lastIndex).trim() !== '') {
    const [, operand, operator, bracket] = token.exec(text) ?? [];
    const found = operand ?? operator ?? bracket;
    if (found === undefined) return why;
    tokens.push(found);
  }
  let at = 0;
  const take = (test: (token: string) => boolean): boolean => {
    const isThere = at < tokens.length && test(tokens[at] ?? '');
    if (isThere) at++;
    return isThere;
  };
  const is = (word: string) => (one: string) => one === word;
  const operand = (): boolean => take((one) => /^["'A-Za-z_]/.test(one) && !/^(?:and|or|not|in)$/.test(one));
  const operator = (): boolean =>
    take((one) => /^[<>=!~]/.test(one)) || take(is('in')) || (take(is('not')) && take(is('in')));
  const atom = (depth: number): boolean =>
    depth < 50 && (take(is('(')) ? either(depth + 1) && take(is(')')) : operand() && operator() && operand());
  const either = (depth: number): boolean => {
    do if (!atom(depth)) return false;
    while (take(is('and')) || take(is('or')));
    return true;
  };
  return either(0) && at === tokens.length ? { text: tokens.join(' ') } : why;
}

/** For pip's requirements file: what was read, written again. @param located where the container has a path */
export function renderRequirement(requirement: Requirement, located: (path: string) => string): string {
  const { name, extras, source, marker } = requirement;
  const listed = extras.length > 0 ? `[${extras.join(',')}]` : '';
  const end = marker === '' ? '' : ` ; ${marker}`;
  if (source.kind === 'index') return `${name ?? ''}${listed}${source.specifier}${end}`;
  const place = source.kind === 'path' ? located(source.path) : source.url + (source.fragment && `#${source.fragment}`);
  if (name !== undefined) return `${name}${listed} @ ${source.kind === 'path' ? `file://${place}` : place}${end}`;
  return `${place}${listed}${end}`;
}
