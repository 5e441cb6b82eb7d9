// What a test tool says in JUnit XML, believed only as far as it does not contradict itself. Pure.
import { errorMessage } from '../system/app-error.ts';
import { parseXml, type XmlElement } from './parse-xml.ts';

export interface JUnitCase {
  /** `test_level[3]` */
  readonly name: string;
  /** Of pytest: module and class, `test_sea.TestLevel`. */
  readonly className: string;
  readonly seconds: number;
  readonly failure?: string | undefined;
  /** Why it was not run. */
  readonly skipped?: string | undefined;
}

/**
 * @param text of the report; undefined: there is none
 * @returns its cases, at least one; or why nothing of it counts
 */
export function parseJUnit(
  text: string | undefined,
): { readonly cases: readonly JUnitCase[] } | { readonly wrong: string } {
  if (text === undefined) return { wrong: 'there is no report' };
  if (text.trim() === '') return { wrong: 'the report is empty' };
  let root: XmlElement;
  try {
    root = parseXml(text);
  } catch (error) {
    return { wrong: `the report ${errorMessage(error)}` };
  }
  if (root.name !== 'testsuites' && root.name !== 'testsuite')
    return { wrong: `the report is no JUnit XML, but a ${root.name.slice(0, 80)}` };
  const wrong = findLie(root);
  if (wrong !== undefined) return { wrong };
  const cases = casesIn(root).map(readCase);
  return cases.length === 0 ? { wrong: 'the report has no test in it' } : { cases };
}

const casesIn = (element: XmlElement): XmlElement[] =>
  element.children.flatMap((child) => (child.name === 'testcase' ? [child] : casesIn(child)));

/** Counts that are not those of the cases: something was left out, or somebody wrote what is not so. */
function findLie(element: XmlElement): string | undefined {
  if (element.name !== 'testsuites' && element.name !== 'testsuite') return undefined;
  const cases = casesIn(element);
  const bad = cases.filter(isBad).length;
  const claim = (name: string): number => Number(element.attributes.get(name) ?? 0);
  const claimedBad = claim('failures') + claim('errors');
  // Tools differ in how they count a case that both fails and has an error: none against some is what must not be.
  const isCounted = element.attributes.has('failures') || element.attributes.has('errors');
  if (isCounted && claimedBad > 0 !== bad > 0)
    return `the report contradicts itself: it claims ${claimedBad} failures and errors, and has ${bad}`;
  if (element.attributes.has('tests') && bad === 0 && claim('tests') !== cases.length)
    return `the report contradicts itself: it claims ${claim('tests')} tests, and has ${cases.length}`;
  return element.children.map(findLie).find((lie) => lie !== undefined);
}

const isBad = (element: XmlElement): boolean =>
  element.children.some(({ name }) => name === 'failure' || name === 'error');

function readCase(element: XmlElement): JUnitCase {
  const seconds = Number(element.attributes.get('time') ?? 0);
  const bad = element.children.filter(({ name }) => name === 'failure' || name === 'error');
  const skipped = element.children.find(({ name }) => name === 'skipped');
  return {
    name: element.attributes.get('name') ?? '',
    className: element.attributes.get('classname') ?? '',
    seconds: Number.isFinite(seconds) && seconds > 0 ? seconds : 0,
    ...(bad.length > 0 ? { failure: bad.map(describe).join('\n') } : {}),
    ...(skipped && bad.length === 0 ? { skipped: describe(skipped) } : {}),
  };
}

const describe = ({ attributes, text }: XmlElement): string =>
  [attributes.get('message'), text.trim()].filter((part) => part !== undefined && part !== '').join('\n') ||
  'without a message';
