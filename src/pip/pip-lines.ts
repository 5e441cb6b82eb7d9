// Lines of a pip section, or of a requirements file that it names (pip documentation, "Requirements File Format"). Pure.
import type { SpecLine } from '../config/environment-spec.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { parseRequirement, type Requirement } from './requirement.ts';

export type PipItem =
  | {
      readonly kind: 'requirement';
      readonly requirement: Requirement;
      /** `sha256:...` */
      readonly hashes: readonly string[];
      readonly line: SpecLine;
    }
  | { readonly kind: 'include'; readonly constraint: boolean; readonly file: string; readonly line: SpecLine }
  | { readonly kind: 'index' | 'extra-index' | 'find-links'; readonly place: string; readonly line: SpecLine }
  /** `--pre`, `--no-binary numpy`: passed on as it is. */
  | { readonly kind: 'flag'; readonly text: string; readonly line: SpecLine };

const FLAGS: readonly string[] = ['--no-index', '--pre', '--prefer-binary', '--require-hashes'];
const WITH_VALUE: Readonly<Record<string, string>> = {
  '-r': '--requirement',
  '-c': '--constraint',
  '-i': '--index-url',
  '-f': '--find-links',
  '-e': '--editable',
};
const LONG = [
  ...['--requirement', '--constraint', '--index-url', '--extra-index-url', '--find-links', '--editable'],
  ...['--no-binary', '--only-binary', '--hash'],
];
const FORMATS = /^(?::all:|:none:|[A-Za-z0-9][\w.-]*)(?:,(?::all:|:none:|[A-Za-z0-9][\w.-]*))*$/;
const MAX_CHARACTERS = 1 << 20;

/** @throws AppError PIP_LINE_INVALID with the place of each line that is not understood */
export function parsePipLines(lines: readonly SpecLine[]): readonly PipItem[] {
  const problems: Problem[] = [];
  const items = lines.flatMap((line): PipItem[] => {
    const found = parsePipLine(line);
    if (typeof found !== 'string') return [...found];
    problems.push(describePipLine(line, found));
    return [];
  });
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return items;
}

/** @throws AppError PIP_LINE_INVALID */
export function parseRequirementsFile(text: string, file: string): readonly PipItem[] {
  if (text.length > MAX_CHARACTERS) {
    const line = { text: '', at: file };
    throw new AppError(EXIT.configuration, describePipLine(line, `it has more than ${MAX_CHARACTERS} characters`));
  }
  return parsePipLines(splitLines(text, file));
}

/** A backslash at the end continues a line, but not in a comment. */
function splitLines(text: string, file: string): SpecLine[] {
  const lines: SpecLine[] = [];
  let open: { text: string; at: string } | undefined;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\r|\n/)
    .entries()) {
    const at = `${file}:${index + 1}:${Math.max(raw.search(/\S/), 0) + 1}`;
    open = { text: (open?.text ?? '') + raw, at: open?.at ?? at };
    if (raw.endsWith('\\') && !/(?:^|\s)#/.test(raw)) {
      open.text = open.text.slice(0, -1);
      continue;
    }
    lines.push(open);
    open = undefined;
  }
  if (open) lines.push(open);
  return lines;
}

/** The one way in which a line of a pip section is refused. */
export function describePipLine(line: SpecLine, why: string, hint?: string): Problem {
  return {
    code: 'PIP_LINE_INVALID',
    message: `${JSON.stringify(redactUrls(line.text.trim()))} cannot be given to pip: ${why}`,
    at: line.at,
    hint:
      hint ??
      'write e.g. numpy==2.1, "numpy[extra] >=2,<3", -r requirements.txt or --extra-index-url https://host/simple',
  };
}

/** @returns why it is none, where it is none */
function parsePipLine(line: SpecLine): readonly PipItem[] | string {
  const text = line.text.replace(/(?:^|\s+)#.*$/s, '').trim();
  if (text === '') return [];
  if (/\p{Cc}/u.test(text.replaceAll('\t', ' '))) return 'it holds a control character';
  if (/\$\{[A-Za-z0-9_]+\}/.test(text)) return 'nothing expands ${...}: credentials belong into ~/.netrc';
  const words = splitWords(text);
  if (words === undefined) return 'a quotation mark is not closed';
  // pip's break_args_options: options start with the first word that starts with a hyphen.
  const start = words.findIndex(({ text: word }) => word.startsWith('-'));
  if (start < 0) return readRequirement(text, [], line);
  const options = readOptions(words.slice(start).map(({ text: word }) => word));
  if (typeof options === 'string') return options;
  if (start > 0) return readRequirement(text.slice(0, words[start]?.offset).trim(), options, line);
  const items: PipItem[] = [];
  for (const option of options) {
    const item = readOption(option, line);
    if (typeof item === 'string') return item;
    items.push(item);
  }
  return items;
}

interface Option {
  /** `--index-url` */
  readonly name: string;
  readonly value: string;
}

function readRequirement(text: string, options: readonly Option[], line: SpecLine): readonly PipItem[] | string {
  const requirement = parseRequirement(text);
  if (typeof requirement === 'string') return requirement;
  const hashes: string[] = [];
  for (const { name, value } of options) {
    if (name !== '--hash') return `${name} cannot stand behind a requirement`;
    if (!/^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/.test(value))
      return '--hash must be sha256:, sha384: or sha512: and hexadecimal digits';
    hashes.push(value);
  }
  return [{ kind: 'requirement', requirement, hashes, line }];
}

function readOption({ name, value }: Option, line: SpecLine): PipItem | string {
  switch (name) {
    case '--editable':
      return 'an editable project stays where it is, and the image has to hold all of it; leave out -e to build a wheel of it';
    case '--requirement':
    case '--constraint':
      if (/^(?!file:)[a-z][a-z0-9+.-]+:/i.test(value))
        return 'it names a URL; keep a copy of it beside environment.yml';
      return {
        kind: 'include',
        constraint: name === '--constraint',
        file: value.replace(/^file:(?:\/\/(?=\/))?/i, ''),
        line,
      };
    case '--index-url':
    case '--extra-index-url':
    case '--find-links': {
      const kind = name === '--index-url' ? 'index' : name === '--extra-index-url' ? 'extra-index' : 'find-links';
      const why = refusePlace(value, kind);
      return why ?? { kind, place: value, line };
    }
    case '--no-binary':
    case '--only-binary':
      if (!FORMATS.test(value)) return `${name} needs names with commas between them, :all: or :none:`;
      return { kind: 'flag', text: `${name} ${value}`, line };
    case '--hash':
      return '--hash must stand behind a requirement';
    default:
      return { kind: 'flag', text: name, line };
  }
}

function refusePlace(place: string, kind: 'index' | 'extra-index' | 'find-links'): string | undefined {
  const isUrl = /^[a-z][a-z0-9+.-]*:/i.test(place);
  if (!isUrl || /^file:/i.test(place))
    return kind === 'find-links' ? undefined : 'an index must be an https:// or http:// URL';
  const url = URL.parse(place);
  if (!url || !/^https?:$/.test(url.protocol) || /\s/.test(place)) return 'it is not an https:// or http:// URL';
  // pip trusts no other plain http (pip documentation, "--trusted-host"), and would leave the index out with a warning.
  if (url.protocol === 'http:' && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname))
    return 'pip trusts http:// of this machine only; use https://';
  if (url.search !== '' || url.hash !== '') return 'its URL has a query or a fragment, which may be a secret';
  // What redactUrls takes for a token: it would be in the URL of each file, and so in the lock.
  const plain = `${url.origin}${url.pathname}/`;
  if (redactUrls(plain) !== plain)
    return 'its URL has a token in its path; give the token in ~/.netrc, as the password of its host';
  return undefined;
}

function readOptions(words: readonly string[]): readonly Option[] | string {
  const options: Option[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const [, long, given] = /^(--[a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    const short = WITH_VALUE[word.slice(0, 2)];
    const name = long ?? short;
    if (name === undefined || !(LONG.includes(name) || FLAGS.includes(name)))
      return word.startsWith('-')
        ? `the option ${word} is not supported`
        : `${JSON.stringify(word)} is one word too many`;
    if (FLAGS.includes(name)) {
      if (given !== undefined) return `${name} takes no value`;
      options.push({ name, value: '' });
      continue;
    }
    const attached = long === undefined && word.length > 2 ? word.slice(2).replace(/^=/, '') : given;
    const value = attached ?? words[++at];
    if (value === undefined || value === '') return `${name} needs a value`;
    options.push({ name, value });
  }
  return options;
}

/** As shlex does, which pip uses: quotation marks hold a word together. */
function splitWords(text: string): { readonly text: string; readonly offset: number }[] | undefined {
  const words: { text: string; offset: number }[] = [];
  const word = /\s*((?:"[^"]*"|'[^']*'|[^\s"'])+)/gy;
  while (text.slice(word.lastIndex).trim() !== '') {
    const match = word.exec(text);
    if (!match?.[1]) return undefined;
    const offset = match.index + match[0].length - match[1].length;
    words.push({ text: match[1].replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'), offset });
  }
  return words;
}
