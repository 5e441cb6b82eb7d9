// A figure that changed over time, as inline SVG: a line with a point for each release. Pure.
import { html, type Html } from '../system/html.ts';

export interface ChartPoint {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly value: number;
  /** Of the point: what it is, for those who point at it. */
  readonly title: string;
  readonly isLive: boolean;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [400, 190, 62, 10, 12, 26];

/**
 * The axis begins at zero, so that lengths can be compared.
 * @param points oldest first, two at least
 * @param describe what a value is called on the axis
 */
export function renderChart(caption: string, points: readonly ChartPoint[], describe: (value: number) => string): Html {
  const ticks = planTicks(Math.max(...points.map(({ value }) => value)));
  const highest = ticks.at(-1) ?? 1;
  const [first, last] = [points[0], points.at(-1)];
  const [from, until] = [first?.timeMs ?? 0, last?.timeMs ?? 1];
  const x = ({ timeMs }: ChartPoint): string =>
    (LEFT + ((WIDTH - LEFT - RIGHT) * (timeMs - from)) / Math.max(1, until - from)).toFixed(1);
  const y = (value: number): string => (TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest)).toFixed(1);
  const line = points.map((point) => `${x(point)},${y(point.value)}`).join(' ');
  const base = y(0);
  const summary =
    first && last ? `${describe(first.value)} in ${day(first)}, ${describe(last.value)} in ${day(last)}` : '';
  return html`<figure>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      role="img"
      aria-label="${caption}: ${summary}. The table of releases has every figure."
    >
      ${ticks.map(
        (tick) =>
          html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}" /><text
              x="${LEFT - 8}"
              y="${y(tick)}"
              dy="4"
              text-anchor="end"
              >${describe(tick)}</text
            > `,
      )}
      <polygon class="area" points="${LEFT},${base} ${line} ${WIDTH - RIGHT},${base}" />
      <polyline class="line" points="${line}" />
      ${points.map(
        (point) =>
          html`<circle class="dot${point.isLive ? ' live' : ''}" cx="${x(point)}" cy="${y(point.value)}" r="3.5"
            ><title>${point.title}</title></circle
          > `,
      )}
      <text x="${LEFT}" y="${HEIGHT - 6}">${first ? day(first) : ''}</text>
      <text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">${last ? day(last) : ''}</text>
    </svg>
    <figcaption>${caption}</figcaption>
  </figure> `;
}

const day = ({ timeMs }: ChartPoint): string => new Date(timeMs).toISOString().slice(0, 10);

/** From zero in three to five round steps up to the highest value or above it. */
export function planTicks(highest: number): number[] {
  const rough = Math.max(highest, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(Math.max(highest, 1) / step) + 1 }, (_, index) => index * step);
}
