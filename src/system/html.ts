// HTML out of text that anybody may have written: what goes into a template is escaped, but for what a template has made.

export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Html | readonly Html[];

/** Text stands for itself, in elements and in quoted attributes; characters that hide or reorder others are shown as U+FFFD. */
function escapeHtml(text: string): string {
  if (/^[\w .:/+-]*$/.test(text)) return text; // most of what tables hold
  return text
    .replaceAll(/[^\P{C}\n\t]/gu, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** A template whose values are text, unless they are templates themselves. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const show = (part: Part): string => {
    if (part instanceof Html) return part.text;
    return typeof part === 'object' ? part.map(({ text }) => text).join('') : escapeHtml(String(part));
  };
  return new Html(literals.map((literal, at) => literal + (at < parts.length ? show(parts[at] ?? '') : '')).join(''));
}

/** A relative link to a file whose path has `/` between its parts. */
export function relativeLink(file: string): string {
  return file.split('/').map(encodeURIComponent).join('/');
}
