// Finds packages in repodata.json without parsing it: conda-forge's is hundreds of megabytes, an environment needs a part.
// One pass over the bytes notes where each package's records are; only wanted records are parsed.
// Format: docs.conda.io "Repodata", CEP 15 (base_url).

export interface RepodataIndex {
  readonly info: unknown;
  /** Lower-case package name to its records: start and end of key, start and end of value, for each. */
  readonly places: ReadonlyMap<string, readonly number[]>;
  readonly bytes: Buffer;
}

export interface WrittenRecord {
  readonly file: string;
  /** As it came: nothing of it is checked. */
  readonly value: unknown;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const DASH = 0x2d;

/** @throws SyntaxError saying at which byte it is no JSON object of repodata's shape */
export function indexRepodata(bytes: Buffer): RepodataIndex {
  const places = new Map<string, number[]>();
  let info: unknown;
  const end = eachMember(bytes, skipSpace(bytes, 0), (keyStart, keyEnd, start) => {
    const key = bytes.toString('latin1', keyStart, keyEnd);
    if (key !== 'packages' && key !== 'packages.conda') {
      const valueEnd = skipValue(bytes, start);
      if (key === 'info') info = JSON.parse(bytes.toString('utf8', start, valueEnd));
      return valueEnd;
    }
    return eachMember(bytes, start, (fileStart, fileEnd, recordStart) => {
      const recordEnd = skipValue(bytes, recordStart);
      const name = bytes.toString('latin1', fileStart, nameEnd(bytes, fileStart, fileEnd)).toLowerCase();
      const known = places.get(name);
      if (known) known.push(fileStart, fileEnd, recordStart, recordEnd);
      else places.set(name, [fileStart, fileEnd, recordStart, recordEnd]);
      return recordEnd;
    });
  });
  if (skipSpace(bytes, end) !== bytes.length) throw unexpected(end);
  return { info, places, bytes };
}

/** The records of one package, .conda and .tar.bz2. @throws SyntaxError */
export function readRecords(index: RepodataIndex, name: string): WrittenRecord[] {
  const places = index.places.get(name) ?? [];
  const records: WrittenRecord[] = [];
  for (let at = 0; at < places.length; at += 4) {
    const [keyStart, keyEnd, start, end] = places.slice(at, at + 4);
    const key = index.bytes.toString('utf8', (keyStart ?? 0) - 1, (keyEnd ?? 0) + 1);
    records.push({
      file: JSON.parse(key) as string,
      value: JSON.parse(index.bytes.toString('utf8', start, end)),
    });
  }
  return records;
}

/** The end of the package's name in `name-version-build.conda`: two dashes from the right. */
function nameEnd(bytes: Buffer, start: number, end: number): number {
  let dashes = 0;
  for (let at = end - 1; at > start; at--) if (bytes[at] === DASH && ++dashes === 2) return at;
  return end;
}

/** Calls `visit` for each member of the object at `start`; it returns the end of the value. @returns the object's end */
function eachMember(
  bytes: Buffer,
  start: number,
  visit: (keyStart: number, keyEnd: number, valueStart: number) => number,
): number {
  if (bytes[start] !== OPEN) throw unexpected(start);
  let at = skipSpace(bytes, start + 1);
  if (bytes[at] === CLOSE) return at + 1;
  for (;;) {
    if (bytes[at] !== QUOTE) throw unexpected(at);
    const keyEnd = skipString(bytes, at) - 1;
    const colon = skipSpace(bytes, keyEnd + 1);
    if (bytes[colon] !== COLON) throw unexpected(colon);
    const next = skipSpace(bytes, visit(at + 1, keyEnd, skipSpace(bytes, colon + 1)));
    if (bytes[next] === CLOSE) return next + 1;
    if (bytes[next] !== COMMA) throw unexpected(next);
    at = skipSpace(bytes, next + 1);
  }
}

function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return at;
}

/** @returns the place after the closing quote */
function skipString(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  throw unexpected(bytes.length);
}

/** Finds the end of a value by its brackets; whether it is JSON is seen when it is parsed. */
function skipValue(bytes: Buffer, start: number): number {
  let depth = 0;
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = skipString(bytes, at);
      if (depth === 0) return at;
      continue;
    }
    if (byte === OPEN || byte === OPEN_LIST) depth++;
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (depth === 0) return at; // a number or a word, ended by what holds it
      if (--depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) return at;
    at++;
  }
  throw unexpected(at);
}

function unexpected(at: number): SyntaxError {
  return new SyntaxError(`not repodata: unexpected text at byte ${at}`);
}
