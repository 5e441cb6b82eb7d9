// Which of two conda versions is the later one: the order of conda/models/version.py (VersionOrder), without loading the solver.

type Part = number | string;

interface ReadVersion {
  readonly epoch: number;
  readonly release: readonly (readonly Part[])[];
  readonly local: readonly (readonly Part[])[];
}

/** Before zero, equal to it, or after it, as `a` is before `b`, the same, or after it. Any text can be compared. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [readVersion(a), readVersion(b)];
  return (
    first.epoch - second.epoch ||
    compareComponents(first.release, second.release) ||
    compareComponents(first.local, second.local)
  );
}

function readVersion(text: string): ReadVersion {
  const [, epoch = '0', release = '', local = ''] = /^(?:(\d+)!)?([^+]*)(?:\+(.*))?$/.exec(text.toLowerCase()) ?? [];
  return { epoch: Number(epoch), release: readComponents(release), local: readComponents(local) };
}

/** `1.0rc1` is [[1], [0, "rc", 1]]. A "_" at the end stays: openssl's 1.0.1_ is before its 1.0.1a. */
function readComponents(text: string): readonly (readonly Part[])[] {
  if (text === '') return [];
  const separated = text.replaceAll(/[_-](?!$)/g, '.');
  return separated.split('.').map((component) => {
    const parts = (component.match(/\d+|\D+/g) ?? []).map(readPart);
    return typeof parts[0] === 'number' && !/^\D/.test(component) ? parts : [0, ...parts];
  });
}

/** The sign of conda's order: "dev" before every other text, texts before numbers, "post" after those. */
function readPart(text: string): Part {
  if (/^\d/.test(text)) return Number(text);
  if (text === 'post') return Infinity;
  return text === 'dev' ? '' : text;
}

function compareComponents(a: readonly (readonly Part[])[], b: readonly (readonly Part[])[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [first, second] = [a[at] ?? [], b[at] ?? []];
    for (let part = 0; part < Math.max(first.length, second.length); part++) {
      const order = compareParts(first[part] ?? 0, second[part] ?? 0);
      if (order !== 0) return order;
    }
  }
  return 0;
}

function compareParts(a: Part, b: Part): number {
  if (a === b) return 0;
  if (typeof a === 'number') return typeof b === 'number' ? Math.sign(a - b) : 1;
  if (typeof b === 'number') return -1;
  return a < b ? -1 : 1;
}
