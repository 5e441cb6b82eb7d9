// A reporter for vitest: at the end, where the time went. A file that takes long and little of a processor waits.
import type { Reporter, TestModule } from 'vitest/node';

const SHOWN = 25;

export class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = modules.map((module) => ({
      file: module.relativeModuleId,
      seconds: module.diagnostic().duration / 1000,
      processorSeconds: module.meta().processorSeconds ?? 0,
    }));
    const line = (seconds: number, processorSeconds: number, name: string): string =>
      `${seconds.toFixed(1).padStart(8)}${processorSeconds.toFixed(1).padStart(11)}  ${name}\n`;
    const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + of(row), 0);
    process.stdout.write(
      [
        ' seconds  processor  of a test file with all that it starts\n',
        ...rows
          .toSorted((a, b) => b.seconds - a.seconds)
          .slice(0, SHOWN)
          .map(({ file, seconds, processorSeconds }) => line(seconds, processorSeconds, file)),
        line(
          sum(({ seconds }) => seconds),
          sum(({ processorSeconds }) => processorSeconds),
          `all ${rows.length}`,
        ),
      ].join(''),
    );
  }
}
