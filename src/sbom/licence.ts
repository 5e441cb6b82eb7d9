// What a package says of its licence, as an SPDX expression where it is one (SPDX 2.3, annex D).
import parseExpression from 'spdx-expression-parse';

export interface Licence {
  /** As the package writes it, one line of at most 200 characters; absent where it says nothing. */
  readonly stated?: string | undefined;
  /** The same where it is an SPDX expression. */
  readonly expression?: string | undefined;
}

const LONGEST = 200;

/** What people write into the field instead of leaving it out. */
const NOTHING = /^(?:unknown|none|noassertion|n\/a|)$/i;

/** @param stated whatever a package has there: text of any kind and length, or no text */
export function parseLicence(stated: unknown): Licence {
  if (typeof stated !== 'string') return {};
  const text = stated
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, LONGEST);
  if (NOTHING.test(text)) return {};
  // A reference to another document means nothing without that document.
  return isExpression(text) && !text.includes('DocumentRef-') ? { stated: text, expression: text } : { stated: text };
}

function isExpression(text: string): boolean {
  try {
    parseExpression(text);
    return true;
  } catch {
    return false; // the parser's own way to say no
  }
}

/**
 * The licence of a Python distribution: `License-Expression` (PEP 639), else `License`, else its classifiers (core metadata
 * specification). Only the header counts: what follows the first empty line is a description.
 */
export function parseMetadataLicence(metadata: string): {
  readonly name: string | undefined;
  readonly licence: Licence;
} {
  const [header = ''] = metadata.split(/\r?\n\r?\n/, 1);
  const field = (name: string): string | undefined => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(header)?.[1];
  const classifiers = [...header.matchAll(/^Classifier:[ \t]*License :: (?:OSI Approved :: )?(.+)$/gim)].map(
    ([, text = '']) => text.trim(),
  );
  const licences = [field('License-Expression'), field('License'), classifiers.join('; ')].map(parseLicence);
  return {
    name: field('Name')?.trim(),
    licence: licences.find(({ expression }) => expression !== undefined) ?? licences.find(({ stated }) => stated) ?? {},
  };
}
