// Whether the user's conda puts its base environment into each shell, as .condarc says (conda, "Using the .condarc file").
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isMap, parseDocument } from 'yaml';
import { readForeignBytes } from '../system/foreign-files.ts';

/** The names that the setting has: `auto_activate` since conda 25.5, the other one in all versions. */
const KEYS = ['auto_activate', 'auto_activate_base'] as const;

/** Where conda looks in a user's own directories, the one that `conda config` writes first. */
const PLACES = ['.condarc', '.conda/.condarc', '.config/conda/.condarc'];

export interface Condarc {
  readonly file: string;
  /** One character for each byte; undefined where there is no such file. */
  readonly text: string | undefined;
  readonly activatesBase: boolean;
}

/** @param env CONDARC and CONDA_AUTO_ACTIVATE count as well, as they do for conda */
export async function readCondarc(home: string, env: NodeJS.ProcessEnv): Promise<Condarc> {
  const file = path.join(home, PLACES[0] ?? '');
  const places = [...PLACES.map((place) => path.join(home, place)), ...(env['CONDARC'] ? [env['CONDARC']] : [])];
  const texts = await Promise.all(
    places.map(async (place) => (await readForeignBytes(place, 1 << 20))?.toString('latin1')),
  );
  const inEnvironment = KEYS.map((key) => env[`CONDA_${key.toUpperCase()}`]).find((value) => value !== undefined);
  const isOff =
    inEnvironment === undefined
      ? texts.some((text) => text !== undefined && readSetting(text) === false)
      : /^(false|no|off|0)$/i.test(inEnvironment);
  return { file, text: texts[0], activatesBase: !isOff };
}

/** @returns the file with the setting off; undefined where it is no plain list of settings, and a person has to do it */
export function planCondarc(text: string): string | undefined {
  const written = KEYS.find((key) => new RegExp(`^${key}[ \\t]*:`, 'm').test(text)) ?? 'auto_activate_base';
  const line = `${written}: false`;
  const pattern = new RegExp(`^${written}[ \\t]*:.*$`, 'm');
  const planned = pattern.test(text)
    ? text.replace(pattern, line)
    : `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`;
  const [before, after] = [parseSettings(text), parseSettings(planned)];
  const isSame = before && after && isDeepStrictEqual({ ...before, [written]: false }, after);
  return isSame ? planned : undefined;
}

function readSetting(text: string): unknown {
  const settings = parseSettings(text);
  return KEYS.map((key) => settings?.[key]).find((value) => value !== undefined);
}

function parseSettings(text: string): Record<string, unknown> | undefined {
  const document = parseDocument(text, { logLevel: 'silent' });
  if (document.errors.length > 0) return undefined;
  if (document.contents === null) return {};
  return isMap(document.contents) ? (document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>) : undefined;
}
