// The prefix that packages are made with: long, so that a binary's string can hold any real prefix after replacement.

/** conda-build pads to 255 bytes, the longest that all its platforms take. */
export function placeholderPrefix(packageName: string): string {
  const start = `/home/conda/feedstock_root/build_artifacts/${packageName}_1717200000000/_h_env`;
  return start.padEnd(255, '_placehold');
}
