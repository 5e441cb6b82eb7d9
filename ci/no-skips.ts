// A reporter for vitest: in CI a test that did not run is a failure, and so is a run without tests.
import type { Reporter, TestModule } from 'vitest/node';

export class NoSkips implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state]++;
        if (state === 'skipped' || state === 'pending')
          process.stderr.write(`did not run: ${module.relativeModuleId}: ${test.fullName}\n`);
      }
    }
    const skipped = counts.skipped + counts.pending;
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${skipped} skipped\n`);
    if (skipped > 0 || counts.passed === 0) process.exitCode = 1;
  }
}
