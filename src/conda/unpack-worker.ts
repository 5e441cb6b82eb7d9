// A thread that unpacks packages, one after the other as it is given them, until it is told to stop.
import { parentPort } from 'node:worker_threads';
import { packError, type SentError } from '../system/sent-error.ts';
import type { UnpackedPackage } from './link-plan.ts';
import { unpackPackage, type PackageToUnpack, type UnpackNotes } from './unpack-package.ts';

export type UnpackOrder = { readonly kind: 'unpack'; readonly wanted: PackageToUnpack } | { readonly kind: 'stop' };

export type UnpackAnswer =
  | { readonly kind: 'unpacked'; readonly one: UnpackedPackage; readonly notes: UnpackNotes }
  | { readonly kind: 'failed'; readonly error: SentError };

const stopped = new AbortController();

async function answer(wanted: PackageToUnpack): Promise<UnpackAnswer> {
  try {
    const notes: UnpackNotes = { warnings: [], isCacheOver: false };
    return { kind: 'unpacked', one: await unpackPackage(wanted, stopped.signal, notes), notes };
  } catch (error) {
    return { kind: 'failed', error: packError(error) };
  }
}

parentPort?.on('message', (order: UnpackOrder) => {
  if (order.kind === 'stop') stopped.abort();
  else void answer(order.wanted).then((said) => parentPort?.postMessage(said));
});
