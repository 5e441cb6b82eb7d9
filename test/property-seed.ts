// What is generated is the same in each run: a change must not fail for an input that the one before did not get. Others
// are for FUZZ_SEED=<number> and `npm run fuzz`, which are to be run at night (CONTRIBUTING.md).
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['FUZZ_SEED'] ?? 1) });
