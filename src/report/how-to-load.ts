// What users type to get an environment: the same three ways on each page.
import { html, type Html } from '../system/html.ts';
import type { Catalogue } from './catalogue.ts';

/** @param name a version or an alias */
export function renderUse({ moduleRoot, moduleFamily, farmOf }: Catalogue['use'], name: string): Html {
  const module = `module use ${moduleRoot}\nmodule load ${moduleFamily}/${name}`;
  const script = `#!${farmOf(name)}/python3`;
  return html`<p>In a terminal or a batch job:</p>
    ${renderPre(module)}
    <p>As the first line of a Python script, which then needs no module:</p>
    ${renderPre(script)}
    <p>In VS Code, PyCharm and other editors, the Python interpreter is <code>${farmOf(name)}/python3</code>.</p>`;
}

/** One that is wide scrolls by keyboard as well. */
const renderPre = (text: string): Html => html`<pre tabindex="0">${text}</pre>`;
