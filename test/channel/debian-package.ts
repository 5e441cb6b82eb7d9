// Reads what apt knows of a Debian package (deb-control(5), Debian Policy 7.1 for the relations).

export interface Relation {
  readonly name: string;
  /** `>=`, `=`, `<<` ... with its version. */
  readonly constraint?: { readonly operator: string; readonly version: string } | undefined;
}

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly summary: string;
  readonly homepage: string;
  /** All must hold; of each, one of the alternatives. Pre-Depends included. */
  readonly depends: readonly (readonly Relation[])[];
  readonly provides: readonly string[];
}

/** @param text stanzas as `apt-cache dumpavail` prints them; of a name that comes twice the first, apt's candidate, counts */
export function parseAvailable(text: string): Map<string, DebianPackage> {
  const found = new Map<string, DebianPackage>();
  for (const stanza of text.split('\n\n')) {
    const fields = new Map(
      stanza.split('\n').flatMap((line): [string, string][] => {
        const colon = line.indexOf(':');
        return line.startsWith(' ') || colon < 1 ? [] : [[line.slice(0, colon), line.slice(colon + 1).trim()]];
      }),
    );
    const name = fields.get('Package');
    if (name === undefined || found.has(name)) continue;
    found.set(name, {
      name,
      version: fields.get('Version') ?? '',
      architecture: fields.get('Architecture') ?? '',
      summary: fields.get('Description') ?? fields.get('Description-en') ?? '',
      homepage: fields.get('Homepage') ?? '',
      depends: [...parseRelations(fields.get('Pre-Depends')), ...parseRelations(fields.get('Depends'))],
      provides: parseRelations(fields.get('Provides')).flatMap(([provided]) => (provided ? [provided.name] : [])),
    });
  }
  return found;
}

/** `a (>= 1) | b:any, c` */
export function parseRelations(field = ''): Relation[][] {
  return field
    .split(',')
    .filter((part) => part.trim() !== '')
    .map((part) =>
      part.split('|').map((alternative) => {
        const match = /^\s*([a-z0-9][a-z0-9+.-]*)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?/.exec(alternative);
        if (!match?.[1]) throw new Error(`not a relation between packages: ${alternative}`);
        const [, name, operator, version] = match;
        return { name, constraint: operator && version ? { operator, version } : undefined };
      }),
    );
}
