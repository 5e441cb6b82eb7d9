// The style of the report: calm, legible, the reader's own fonts, light and dark. Contrast is at least 4.5 to 1 (WCAG 2.2 AA).

export const REPORT_STYLE = `
:root { color-scheme: light dark; --paper: #fbfaf7; --ink: #23282c; --quiet: #5c666d; --line: #dcd9d1; --soft: #f1efe9;
  --accent: #0b6270; --added: #1d6b3a; --removed: #a1322c; --badge: #dcecec; }
@media (prefers-color-scheme: dark) { :root { --paper: #15191c; --ink: #e1e5e4; --quiet: #9aa6ab; --line: #30383d;
  --soft: #1c2226; --accent: #76c5cf; --added: #7fcf97; --removed: #f09a90; --badge: #1d3a40; } }
* { box-sizing: border-box; }
html { font: 100%/1.6 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
body { margin: 0; background: var(--paper); color: var(--ink); }
header, main, footer { max-width: 68rem; margin-inline: auto; padding-inline: clamp(1rem, 4vw, 2.5rem); }
header { padding-block: 1.2rem .2rem; font-size: .9rem; color: var(--quiet); }
main { padding-block: .2rem 2rem; }
footer { border-top: 1px solid var(--line); padding-block: .8rem 2rem; font-size: .85rem; color: var(--quiet); }
.brand { margin: 0; letter-spacing: .04em; }
.skip { position: absolute; left: -100vw; background: var(--paper); padding: .5rem 1rem; }
.skip:focus { left: 0; top: 0; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: 1px; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 2px; }
nav ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem .6rem; }
nav li + li::before { content: "/"; margin-inline-end: .6rem; color: var(--quiet); }
h1 { font-size: clamp(1.6rem, 4vw, 2.2rem); line-height: 1.2; font-weight: 650; margin-block: .4rem .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; font-weight: 650; margin-block: 2.4rem .6rem; }
h3 { font-size: 1rem; margin-block: 1.4rem .4rem; }
p { margin-block: .4rem .8rem; max-width: 46rem; }
.lead { color: var(--quiet); }
.quiet { color: var(--quiet); }
code, pre { font: .9em/1.5 ui-monospace, "SFMono-Regular", Menlo, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto; margin-block: .4rem 1rem; }
.table { overflow-x: auto; margin-block: .6rem 1.4rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
caption { text-align: start; color: var(--quiet); padding-block: .1rem .4rem; font-size: .88rem; }
th, td { text-align: start; vertical-align: baseline; padding: .42rem 1.2rem .42rem 0; border-bottom: 1px solid var(--line); }
thead th { font-weight: 600; color: var(--quiet); font-size: .85rem; white-space: nowrap; border-bottom-width: 2px; }
th:last-child, td:last-child { padding-inline-end: 0; }
tbody th { font-weight: 600; }
tbody th, td { overflow-wrap: break-word; }
tbody + tbody tr:first-child > * { border-top: 1px solid var(--quiet); }
.number { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.badge { display: inline-block; background: var(--badge); color: var(--ink); border-radius: 999px; padding: 0 .6em; font-size: .82rem; font-weight: 500; margin: 0 .4em .15em 0; white-space: nowrap; }
.badge.damaged { background: none; border: 1px solid var(--removed); color: var(--removed); }
.added { color: var(--added); }
.removed { color: var(--removed); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .8rem 1.6rem; margin-block: .8rem 1.2rem; }
dt { color: var(--quiet); font-size: .85rem; }
dl div:has(code) { grid-column: 1 / -1; }
dd { margin: 0; overflow-wrap: anywhere; }
ol.log { list-style: none; padding: 0; margin-block: .6rem; }
ol.log > li { display: grid; grid-template-columns: minmax(9rem, 1fr) 4fr; gap: 0 1.5rem; padding-block: .5rem; border-bottom: 1px solid var(--line); }
ol.log p { margin: 0; font-size: .9rem; }
ol.log ul { list-style: none; margin: 0; padding: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { ol.log > li { grid-template-columns: 1fr; } }
ul.plain { list-style: none; padding: 0; margin-block: .4rem; }
ul.plain li { padding-block: .35rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
ul.names { columns: 14rem; padding: 0; margin-block: .6rem; list-style: none; font-size: .9rem; }
ul.names li { break-inside: avoid; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); padding-block: .3rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 2rem; }
figure { margin: 0; }
figcaption { color: var(--quiet); font-size: .88rem; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
svg text { font-size: 12px; fill: var(--quiet); font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .line { fill: none; stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .area { fill: var(--accent); opacity: .1; }
svg .dot { fill: var(--paper); stroke: var(--accent); stroke-width: 2; }
svg .dot.live { fill: var(--accent); }
@media print { .table { overflow: visible; } a { color: inherit; } }
`.replaceAll(/\n\s+/g, '\n');
