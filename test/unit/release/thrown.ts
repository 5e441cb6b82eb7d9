// How the tests of this directory see what a plan refuses.
import { AppError, type Problem } from '../../../src/system/app-error.ts';

export function problemsOf(work: () => unknown): readonly Problem[] {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error.problems;
    throw error;
  }
  return [];
}

export const codesOf = (work: () => unknown): string[] => problemsOf(work).map(({ code }) => code);
