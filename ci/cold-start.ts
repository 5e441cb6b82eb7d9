// What a program's first start from an image costs: its seconds, and how often and how much the medium is read. Needs root.
import { mkdtemp, rmdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

export type Mount = 'kernel' | 'squashfuse_ll';

export interface ColdStart {
  readonly coldSeconds: number;
  /** The same start once more, from memory. */
  readonly warmSeconds: number;
  /** Requests that reached the medium, and what they read. */
  readonly requests: number;
  readonly readMB: number;
}

// The image is a block device of its own with a read-ahead of 1 MiB, as a network file system might have, and the kernel
// counts what is read of it (Documentation/block/stat.rst). Nothing of it is in memory: the device is new, the image was
// dropped (posix_fadvise(2), which leaves other caches of a shared machine alone). The environment appears at its own path in
// a mount namespace of the timed program.
const SCRIPT = `
set -eu
mount=$1 image=$2 dir=$3; shift 3
sync "$image"
dd if="$image" iflag=nocache count=0 status=none
device=$(losetup --read-only --show --find "$image")
name=$(basename "$device")
finish() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if ! mountpoint -q "$dir" || umount "$dir"; then break; fi
    sleep 0.1
  done
  losetup -d "$device"
}
trap finish EXIT
echo 1024 > "/sys/block/$name/queue/read_ahead_kb"
blockdev --flushbufs "$device"
if [ "$mount" = kernel ]; then mount -t squashfs -o ro,loop "$device" "$dir"; else squashfuse_ll -o allow_other "$device" "$dir"; fi
unshare --mount bash -c '
  mount -t overlay overlay -o "lowerdir=$2/opt:/opt" /opt || exit
  stat=$1
  shift 2
  for run in cold warm; do
    read -r before _ sectors_before _ < "$stat"
    started=$EPOCHREALTIME
    env -i HOME=/ PATH=/usr/bin:/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "$@" </dev/null >&2 || exit
    ended=$EPOCHREALTIME
    read -r after _ sectors_after _ < "$stat"
    echo $((\${ended/[!0-9]/} - \${started/[!0-9]/})) $((after - before)) $((sectors_after - sectors_before))
  done' timer "/sys/block/$name/stat" "$dir" "$@"
`;

/** @param command what is started, by its path in the image */
export async function measureColdStart(image: string, mount: Mount, command: readonly string[]): Promise<ColdStart> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-mount-'));
  try {
    const { stdout } = await execa('bash', ['-c', SCRIPT, 'cold-start', mount, image, dir, ...command]);
    const [cold = 0, requests = 0, sectors = 0, warm = 0] = stdout.split(/\s+/).map(Number);
    return { coldSeconds: cold / 1e6, warmSeconds: warm / 1e6, requests, readMB: (sectors * 512) / 1e6 };
  } finally {
    await rmdir(dir);
  }
}
