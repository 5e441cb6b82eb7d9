// The reference that people read, the schema that editors use and the examples that ship are those of this code.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateDocs } from '../../../ci/generate-docs.ts';
import type { SchemaNode } from '../../../src/config/describe-issues.ts';
import { siteConfigSchema } from '../../../src/config/parse-site-config.ts';
import { readEnvironmentSpec, readSiteConfig } from '../../../src/config/read-config.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** Every key with its node; the mappings of free names have none of their own. */
function keysOf(node: SchemaNode, name = ''): [key: string, node: SchemaNode][] {
  const free = node.additionalProperties === false ? undefined : node.additionalProperties;
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([key, inner]): [string, SchemaNode][] => [
      [`${name}.${key}`, inner],
      ...keysOf(inner, `${name}.${key}`),
    ]),
    ...(free ? keysOf(free, `${name}.*`) : []),
  ];
}

describe('the documentation of the configuration', () => {
  it('is what ci/generate-docs.ts writes', async () => {
    for (const [file, text] of await generateDocs()) {
      expect(await readFile(path.join(root, file), 'utf8'), `${file}: run node ci/generate-docs.ts`).toBe(text);
    }
  });

  it('describes every key, with an example for each that has a value', () => {
    const keys = keysOf(siteConfigSchema());

    expect(keys.length).toBeGreaterThan(25);
    for (const [key, node] of keys) {
      expect(node.description, key).toMatch(/\.$/);
      if (node.type !== 'object') expect(node.examples, key).toHaveLength(1);
    }
  });
});

describe('the shipped example', () => {
  it('is the site of the quickstart, below the directory of the file', async () => {
    const config = await readSiteConfig(path.join(root, 'install_config.yaml'));

    expect(config.prefix).toBe(path.join(root, 'site'));
    expect(config.adminDir).toBe(path.join(root, 'site-admin'));
    expect(config.environments.get('analysis3')).toMatchObject({ version: '26.11', stable: '26.11' });
  });

  it('has an environment that can be read without a note', async () => {
    const spec = await readEnvironmentSpec(path.join(root, 'environments/analysis3/environment.yml'));

    expect(spec.name).toBe('analysis3');
    expect(spec.dependencies.map(({ text }) => text)).toContain('xarray');
    expect(spec.notes).toEqual([]);
  });
});
