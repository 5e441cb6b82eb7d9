import { describe, expect, it } from 'vitest';
import { parseLicence, parseMetadataLicence } from '../../../src/sbom/licence.ts';

describe('parseLicence', () => {
  it.each([
    'MIT',
    'BSD-3-Clause',
    'GPL-2.0-or-later WITH GCC-exception-3.1',
    '(MIT OR Apache-2.0) AND BSD-2-Clause',
    'LicenseRef-site',
  ])('takes %s for an SPDX expression', (text) => {
    expect(parseLicence(text)).toEqual({ stated: text, expression: text });
  });

  it.each(['BSD', 'Apache 2.0', 'Public Domain (see COPYING)', 'MIT AND', 'DocumentRef-x:LicenseRef-y', '<script>'])(
    'keeps %s as what a package states, and not as an expression',
    (text) => {
      expect(parseLicence(text)).toEqual({ stated: text });
    },
  );

  it.each(['', '  ', 'UNKNOWN', 'None', 'N/A', undefined, null, 7, ['MIT'], { a: 1 }])(
    'takes %j for nothing',
    (value) => {
      expect(parseLicence(value)).toEqual({});
    },
  );

  it('makes one short line of whatever a package writes', () => {
    expect(parseLicence('MIT\n\u001b[2J  and\tmore').stated).toBe('MIT [2J and more');
    expect(parseLicence('x'.repeat(100_000)).stated).toHaveLength(200);
  });
});

describe('parseMetadataLicence', () => {
  const metadata = (...lines: string[]): string =>
    ['Metadata-Version: 2.4', 'Name: Foo.Bar', ...lines, '', 'License: GPL'].join('\n');

  it('takes the expression before the free text, and the free text before classifiers', () => {
    expect(parseMetadataLicence(metadata('License: some words', 'License-Expression: MIT')).licence.expression).toBe(
      'MIT',
    );
    expect(parseMetadataLicence(metadata('License: Apache-2.0')).licence.expression).toBe('Apache-2.0');
    expect(
      parseMetadataLicence(metadata('License: my words', 'Classifier: License :: OSI Approved :: MIT License')).licence,
    ).toEqual({
      stated: 'my words',
    });
    expect(parseMetadataLicence(metadata('Classifier: License :: OSI Approved :: MIT License')).licence).toEqual({
      stated: 'MIT License',
    });
  });

  it('looks at the header only, whatever ends its lines', () => {
    expect(parseMetadataLicence(metadata())).toEqual({ name: 'Foo.Bar', licence: {} });
    expect(parseMetadataLicence(metadata('License: MIT').replaceAll('\n', '\r\n')).licence.expression).toBe('MIT');
    expect(parseMetadataLicence('').licence).toEqual({});
  });
});
