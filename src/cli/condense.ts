#!/usr/bin/env node
// The entry: says so where Node is too old for the rest, which such a Node could not even read.

const oldest = 24;
if (Number(process.versions.node.split('.')[0]) < oldest) {
  process.stderr.write(
    `error  condense needs Node ${oldest} or later, and ${process.execPath} is ${process.version}\n` +
      'hint   npx condense, in the directory of condense: it brings a Node of its own\n' +
      'code   NODE_TOO_OLD\n',
  );
  process.exitCode = 4;
} else {
  await import('./main.ts');
}
