// Which members of a package archive may be unpacked: pure bookkeeping, one table per package.
// The formats (CEP 35) promise nothing about names; everything that a tar archive can say is decided here.
import { packageHostile, packageInvalid } from './package-problem.ts';

/** What a tar header says, before anything of it is believed. */
export interface MemberHeader {
  readonly name: string;
  /** `file`, `symlink`, `link`, `directory`, ...; nothing for types that are not known. */
  readonly type: string | null | undefined;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly sizeBytes: number;
  readonly linkName: string | null | undefined;
}

interface MemberCommon {
  /** Relative, with `/`, without `.` or `..`. */
  readonly path: string;
  readonly mtimeSeconds: number;
}
export interface FileMember extends MemberCommon {
  readonly kind: 'file';
  readonly mode: number;
  readonly sizeBytes: number;
}
interface LinkMember extends MemberCommon {
  readonly kind: 'link';
  readonly target: string;
}
interface HardLinkMember extends MemberCommon {
  readonly kind: 'hardlink';
  /** The path of a file that came earlier in the same archive. */
  readonly target: string;
}
interface DirectoryMember extends MemberCommon {
  readonly kind: 'directory';
}
export type Member = FileMember | LinkMember | HardLinkMember | DirectoryMember;

/** More names than any environment has; a table of this size still fits in memory. */
const maxMembers = 2_000_000;
/** NAME_MAX and, with room for the prefix, PATH_MAX of Linux (limits.h). */
const maxNameBytes = 255;
const maxPathBytes = 3500;

/**
 * The path that a member's or a manifest's name means.
 * @returns the path and nothing else, or why the name is refused
 */
export function parseMemberName(name: string): { readonly path: string } | { readonly refused: string } {
  if (/[\u0000-\u001f\u007f]/.test(name)) return { refused: 'has a control character in its name' };
  // What a decoder puts where the bytes are no UTF-8; two such names could be one.
  if (name.includes('\ufffd')) return { refused: 'has a name that is not UTF-8' };
  if (name.startsWith('/')) return { refused: 'has an absolute name' };
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return { refused: 'leaves the package through ".."' };
  const path = parts.join('/');
  if (Buffer.byteLength(path) > maxPathBytes) return { refused: 'has a name that is too long' };
  if (path.length > maxNameBytes / 4 && parts.some((part) => Buffer.byteLength(part) > maxNameBytes))
    return { refused: 'has a name that is too long' };
  return { path };
}

/** Under the umask 022, as conda extracts; readable by everyone, and executable by everyone where by anyone; no setuid, setgid or sticky bit. */
export function fileMode(mode: number): number {
  return (mode & 0o755) | 0o444 | ((mode & 0o111) === 0 ? 0 : 0o111);
}

/** What has been unpacked so far, and so what the next member may be. */
export class MemberTable {
  readonly #url: string;
  readonly #kinds = new Map<string, 'file' | 'link' | 'directory'>();

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * @returns the member to unpack, or `undefined` for the root directory itself
   * @throws AppError PACKAGE_HOSTILE or PACKAGE_INVALID
   */
  admit(header: MemberHeader): Member | undefined {
    const path = this.#path(header.name);
    if (path === '') {
      if (header.type === 'directory') return undefined;
      throw packageHostile(this.#url, header.name, 'has no name');
    }
    const { mtimeSeconds } = header;
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        this.#claim(path, 'file');
        return { kind: 'file', path, mode: fileMode(header.mode), mtimeSeconds, sizeBytes: header.sizeBytes };
      case 'symlink': {
        const target = header.linkName ?? '';
        if (target === '' || target.includes('\0'))
          throw packageHostile(this.#url, path, 'is a link without a usable target');
        this.#claim(path, 'link');
        return { kind: 'link', path, target, mtimeSeconds };
      }
      case 'link': {
        const target = this.#path(header.linkName ?? '');
        // A hard link to what came through a symbolic link could name any file of this machine.
        if (this.#kinds.get(target) !== 'file')
          throw packageHostile(this.#url, path, `is a hard link to ${JSON.stringify(target)}, no earlier file`);
        this.#claim(path, 'file');
        return { kind: 'hardlink', path, target, mtimeSeconds };
      }
      case 'directory':
        this.#claim(path, 'directory');
        return { kind: 'directory', path, mtimeSeconds };
      case null:
      case undefined:
      default:
        throw packageHostile(this.#url, path, `is a ${header.type ?? 'thing of unknown type'}`);
    }
  }

  #path(name: string): string {
    const parsed = parseMemberName(name);
    if ('refused' in parsed) throw packageHostile(this.#url, name, parsed.refused);
    return parsed.path;
  }

  #claim(path: string, kind: 'file' | 'link' | 'directory'): void {
    const there = this.#kinds.get(path);
    if (there === 'directory' && kind === 'directory') return;
    if (there !== undefined) throw packageHostile(this.#url, path, `comes twice, first as a ${there}`);
    this.#claimParents(path);
    this.#kinds.set(path, kind);
    if (this.#kinds.size > maxMembers) throw packageInvalid(this.#url, `has more than ${maxMembers} members`);
  }

  /** Nothing is ever unpacked through a link: every directory above must be one that we made. */
  #claimParents(path: string): void {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      const there = this.#kinds.get(parent);
      if (there === 'directory') return;
      if (there !== undefined) throw packageHostile(this.#url, path, `is below ${JSON.stringify(parent)}, a ${there}`);
      this.#kinds.set(parent, 'directory');
    }
  }
}
