// The two files from disk: the only effects of this room.
import os from 'node:os';
import path from 'node:path';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readBytes } from '../system/files.ts';
import type { EnvironmentSpec } from './environment-spec.ts';
import { parseEnvironmentSpec } from './parse-environment-spec.ts';
import { parseSiteConfigSource, type ConfigProbe } from './parse-site-config.ts';
import type { SiteConfig } from './site-config.ts';
import type { YamlSource } from './yaml-source.ts';

/** @throws AppError CONFIG_MISSING, CONFIG_UNREADABLE or CONFIG_INVALID, exit 3 */
export async function readSiteConfig(file: string): Promise<SiteConfig> {
  return (await readSiteConfigSource(file)).config;
}

/** The same, with the text it came from. */
export async function readSiteConfigSource(
  file: string,
): Promise<{ readonly config: SiteConfig; readonly source: YamlSource }> {
  const text = await readConfigText(file, 'condense <command> --config <file>, or run it where install_config.yaml is');
  return parseSiteConfigSource(text, file, probeMachine());
}

/** @throws AppError CONFIG_MISSING, CONFIG_UNREADABLE or CONFIG_INVALID, exit 3 */
export async function readEnvironmentSpec(file: string): Promise<EnvironmentSpec> {
  const text = await readConfigText(file, `set environments.<name>.spec in install_config.yaml, or write ${file}`);
  return parseEnvironmentSpec(text, file);
}

/** A configuration as a manifest has it: without the credentials of its URLs. @throws AppError CONFIG_INVALID */
export function readRecordedConfig(text: string, file: string): SiteConfig {
  return parseSiteConfigSource(text, file, probeMachine()).config;
}

function probeMachine(): ConfigProbe {
  return { tmpDir: os.tmpdir(), uid: process.geteuid?.() ?? 0 };
}

async function readConfigText(file: string, missingHint: string): Promise<string> {
  const fail = (problem: Problem, cause?: unknown): never => {
    throw new AppError(EXIT.configuration, { at: file, ...problem }, { cause });
  };
  let bytes: Buffer;
  try {
    bytes = await readBytes(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const message = `there is no such file (${path.resolve(file)})`;
      return fail({ code: 'CONFIG_MISSING', message, hint: missingHint }, error);
    }
    if (code === 'EISDIR') {
      return fail({ code: 'CONFIG_UNREADABLE', message: 'this is a directory; a file is expected' }, error);
    }
    if (code === 'EACCES' || code === 'EPERM') {
      return fail({ code: 'CONFIG_UNREADABLE', message: 'this user may not read it', hint: `ls -l ${file}` }, error);
    }
    throw error;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    return fail(
      { code: 'CONFIG_INVALID', message: 'the file is not UTF-8 text', hint: `iconv -f latin1 -t utf-8 ${file}` },
      error,
    );
  }
}
