// What differs between two releases, as lines for people.
import type { ReleaseComparison } from '../release/release-diff.ts';
import { describeSize } from '../system/describe-size.ts';

type Package = ReleaseComparison['packages']['added'][number];
type ActivationChange = ReleaseComparison['activation']['added'][number];

export function describeComparison({
  packages,
  commands,
  image,
  activation,
  inputs,
  tools,
}: ReleaseComparison): string[] {
  const packageLines = [
    ...packages.added.map((one) => `  + ${describePackage(one)}`),
    ...packages.removed.map((one) => `  - ${describePackage(one)}`),
    ...packages.changed.map(({ from, to }) => `  ${describeMove(from, to)}`),
  ];
  const commandLines = [
    ...commands.added.map((name) => `  + ${printable(name)}`),
    ...commands.removed.map((name) => `  - ${printable(name)}`),
  ];
  const moduleLines = [
    ...activation.added.map((change) => `  + ${describeActivation(change)}`),
    ...activation.removed.map((change) => `  - ${describeActivation(change)}`),
    ...activation.changed.map(({ from, to }) => `  ${describeActivation(from)} -> ${describeActivation(to)}`),
  ];
  return [
    ...(packageLines.length === 0 ? ['packages are the same'] : ['packages:', ...packageLines]),
    ...(commandLines.length === 0 ? ['commands are the same'] : ['commands:', ...commandLines]),
    ...(moduleLines.length === 0 ? ['what the module sets is the same'] : ['module:', ...moduleLines]),
    `image: ${describeImage(image)}`,
    inputs.length === 0 ? 'no input of the build differs' : `inputs that differ: ${inputs.join(', ')}`,
    ...tools.map(({ name, from, to }) => `tool ${name}: ${printable(from ?? 'none')} -> ${printable(to ?? 'none')}`),
  ];
}

const describePackage = ({ name, version, build, source }: Package): string =>
  printable(`${name} ${version} ${source === 'pip' ? '(pip)' : build}`);

/** Only the build where the version is the same, only that the bytes differ where both are. */
function describeMove(from: Package, to: Package): string {
  const pip = to.source === 'pip' ? ' (pip)' : '';
  if (from.version !== to.version) return printable(`${to.name} ${from.version} -> ${to.version}${pip}`);
  if (from.build !== to.build) return printable(`${to.name} ${to.version} ${from.build} -> ${to.build}${pip}`);
  return printable(`${to.name} ${to.version} ${to.build}${pip}, of other bytes`);
}

/** `set NAME value`, `prepend NAME a:b`: the kind, the name, and whatever the change has besides. */
function describeActivation({ kind, name, ...rest }: ActivationChange): string {
  const values = Object.values(rest).map((value) => (Array.isArray(value) ? value.join(':') : String(value)));
  return printable([kind, name, ...values].join(' '));
}

function describeImage({ from, to }: ReleaseComparison['image']): string {
  const more = to.sizeBytes - from.sizeBytes;
  const size =
    more === 0
      ? describeSize(to.sizeBytes)
      : `${describeSize(from.sizeBytes)} -> ${describeSize(to.sizeBytes)} (${more > 0 ? '+' : '-'}${describeSize(Math.abs(more))})`;
  const inodes = from.inodes === to.inodes ? `${to.inodes} inodes` : `${from.inodes} -> ${to.inodes} inodes`;
  return `${size}, ${inodes} inside`;
}

/** Names and values come out of packages: what would move a terminal's cursor is written as a number. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}
