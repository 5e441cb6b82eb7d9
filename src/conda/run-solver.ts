// Starts the solver's thread, gives it what it asks for, and waits for its answer.
import { Worker } from 'node:worker_threads';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { ShardsFetched, ShardsWanted, SolveAnswer, SolveTask } from './solve-task.ts';

/** Rejects with what `fetchShards` does. @throws AppError SOLVER_FAILED, INTERRUPTED */
export async function runSolver(
  task: SolveTask,
  fetchShards: (wanted: ShardsWanted) => Promise<readonly Uint8Array[]>,
  signal: AbortSignal | undefined,
): Promise<SolveAnswer> {
  // Built, the worker is a file beside the bundle; in the source tree, Node runs the TypeScript.
  const file = import.meta.url.endsWith('.ts') ? './solve-worker.ts' : './solve-worker.mjs';
  const worker = new Worker(new URL(file, import.meta.url), { workerData: task, stderr: true });
  const { promise, resolve, reject } = Promise.withResolvers<SolveAnswer>();
  let said = '';
  worker.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  worker.on('message', (message: SolveAnswer | ShardsWanted) => {
    if (message.kind !== 'shards-wanted') {
      resolve(message);
      return;
    }
    const { id } = message;
    fetchShards(message).then((shards) => {
      worker.postMessage({ id, shards } satisfies ShardsFetched);
    }, reject);
  });
  worker.once('error', (error: unknown) => {
    reject(solverFailed(error, said));
  });
  worker.once('exit', () => {
    reject(signal?.aborted ? interrupted() : solverFailed(new Error('it ended without an answer'), said));
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

function solverFailed(error: unknown, said: string): AppError {
  // A panic prints its place, then a stack of WebAssembly addresses that says nothing.
  const panic = said.split('\n\nStack:')[0]?.trim() ?? '';
  return new AppError(
    EXIT.buildFailed,
    {
      code: 'SOLVER_FAILED',
      message: `the solver broke down: ${[errorMessage(error), panic].filter((text) => text !== '').join('\n')}`,
      hint: 'a spec or a package of these channels is more than the solver can read: leave specs out one by one to find it',
    },
    { cause: error },
  );
}

const interrupted = (): AppError =>
  new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'the solve was interrupted' });
