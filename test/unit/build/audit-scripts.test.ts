import { expect, test } from 'vitest';
import { parseShebang } from '../../../src/build/audit-scripts.ts';

test.each([
  ['#!/bin/sh\necho', { interpreter: '/bin/sh', name: undefined }],
  ['#! /usr/bin/perl -w\r\n', { interpreter: '/usr/bin/perl', name: undefined }],
  ['#!/usr/bin/env python3', { interpreter: '/usr/bin/env', name: 'python3' }],
  ['#!/usr/bin/env -S LANG=C python3 -E\n', { interpreter: '/usr/bin/env', name: 'python3' }],
  ['#!/usr/bin/env -i\n', { interpreter: '/usr/bin/env', name: undefined }],
  ['#!python\n', { interpreter: 'python', name: undefined }],
])('%j is for that interpreter', (line, expected) => {
  const { interpreter, name } = parseShebang(Buffer.from(line)) ?? {};

  expect({ interpreter, name }).toEqual(expected);
});

test.each(['#!\n', '#!   ', '#!'])('%j names nothing', (line) => {
  expect(parseShebang(Buffer.from(line))).toBeUndefined();
});
