// The XML that test tools write: elements, attributes, text and CDATA. What is cut short or not well-formed is refused.

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All text directly in it. */
  readonly text: string;
}

interface Open {
  name: string;
  attributes: Map<string, string>;
  children: XmlElement[];
  text: string;
}

const NAME = '[A-Za-z_:][\\w:.-]*';
const TOKENS = new RegExp(
  [
    '<\\?[^]*?\\?>', // declaration, processing instruction
    '<!--[^]*?-->',
    '<!\\[CDATA\\[(?<cdata>[^]*?)\\]\\]>',
    `</(?<end>${NAME})\\s*>`,
    `<(?<start>${NAME})(?<attributes>(?:\\s+${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(?<empty>/?)>`,
    '(?<text>[^<]+)',
  ].join('|'),
  'y',
);
const ATTRIBUTE = new RegExp(`(${NAME})\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'g');

/**
 * XML 1.0 without document types: no report of a test tool has one, and entities of one's own are what hostile XML is made of.
 * @returns the root element
 * @throws Error that says what is wrong, and at which character
 */
export function parseXml(source: string): XmlElement {
  const open: Open[] = [];
  let root: XmlElement | undefined;
  const refuse = (why: string, at: number): Error => new Error(`${why} at character ${at}`);
  TOKENS.lastIndex = 0;
  const start = source.startsWith('\uFEFF') ? 1 : 0;
  for (let at = start; at < source.length; at = TOKENS.lastIndex) {
    TOKENS.lastIndex = at;
    const groups = TOKENS.exec(source)?.groups;
    if (TOKENS.lastIndex <= at) throw refuse('is cut short or not well-formed', at);
    const top = open.at(-1);
    const { cdata, end, start: name, attributes = '', empty, text } = groups ?? {};
    if (text !== undefined || cdata !== undefined) {
      if (top) top.text += cdata ?? decodeEntities(text ?? '');
      else if ((cdata ?? text ?? '').trim() !== '') throw refuse('has text outside of its root element', at);
    } else if (name !== undefined) {
      if (!top && root) throw refuse('has two root elements', at);
      const element: Open = { name, attributes: parseAttributes(attributes), children: [], text: '' };
      top?.children.push(element);
      if (!top) root = element;
      if (empty === '') open.push(element);
    } else if (end !== undefined) {
      if (top?.name !== end) throw refuse(`closes ${end} inside ${top?.name ?? 'nothing'}`, at);
      open.pop();
    }
  }
  const left = open.at(-1);
  if (left) throw refuse(`is cut short: ${left.name} is not closed`, source.length);
  if (!root) throw new Error('is empty');
  return root;
}

function parseAttributes(source: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = '', double, single] of source.matchAll(ATTRIBUTE))
    attributes.set(name, decodeEntities(double ?? single ?? ''));
  return attributes;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

/** What is no entity stays as it is written. */
function decodeEntities(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g,
    (whole, hex: string, decimal: string, name: string) => {
      if (name) return ENTITIES.get(name) ?? whole;
      const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}
