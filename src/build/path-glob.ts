// Patterns of paths below the prefix, as .gitignore has them with a leading slash: `*` and `?` within a name, `**` for any
// number of directories. A pattern that matches a directory matches all that is in it.

/** @param pattern that patternRule has found nothing against */
export function globExpression(pattern: string): RegExp {
  const parts = pattern.split('/');
  const expressions = parts.map((part, index) => {
    const isLast = index === parts.length - 1;
    if (part === '**') return isLast ? '.+' : '(?:[^/]+/)*';
    const name = part
      .replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]');
    return isLast ? name : `${name}/`;
  });
  return new RegExp(`^${expressions.join('')}(?:/.*)?$`, 's');
}
