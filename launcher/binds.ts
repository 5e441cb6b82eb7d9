// Which host directories the container shows.

/**
 * Drops what another one holds already: a missing parent means a missing child, so this needs no look at the disk.
 * @throws RangeError for a directory that a bind option cannot name
 */
export function outermost(directories: readonly string[]): string[] {
  const bad = directories.find((directory) => !directory.startsWith('/') || /[,:"\\\n]/.test(directory));
  if (bad !== undefined)
    throw new RangeError(`cannot be bound, a bind takes an absolute path without , : " and \\: ${bad}`);
  const plain = [...new Set(directories.map((directory) => directory.replace(/\/+$/, '')))];
  return plain.filter((one) => !plain.some((other) => one.startsWith(`${other}/`)));
}
