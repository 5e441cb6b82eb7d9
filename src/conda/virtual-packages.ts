// What the machine offers that no package can: __glibc, __linux, __unix, __archspec, __cuda (CEP 30 "Virtual packages"),
// __cuda_arch (CEP 46).
import os from 'node:os';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readText } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';

/** What is read from the machine, before any override. */
export interface HostFacts {
  /** `6.1.0-28-amd64`, as uname -r says it. */
  readonly kernelRelease: string;
  /** Absent on a system without GNU libc. */
  readonly glibcVersion?: string | undefined;
  /** Node's name of the processor: `x64`, `arm64`. */
  readonly arch: string;
  /** The `flags` of /proc/cpuinfo. */
  readonly cpuFlags: readonly string[];
  /** The newest CUDA version that the driver supports; absent without a driver. */
  readonly cudaVersion?: string | undefined;
  /** `9.0`: the compute capability of each CUDA device, as nvidia-smi says it. */
  readonly cudaCapabilities?: readonly string[] | undefined;
}

export interface VirtualPackage {
  readonly name: string;
  readonly version: string;
  readonly build: string;
}

/** Flags that each level adds: archspec-json, microarchitectures.json, x86_64_v2 to x86_64_v4. */
const X86_LEVELS: readonly (readonly [string, string])[] = [
  ['x86_64_v2', 'cx16 lahf_lm mmx sse sse2 ssse3 sse4_1 sse4_2 popcnt'],
  ['x86_64_v3', 'avx avx2 bmi1 bmi2 f16c fma abm movbe xsave'],
  ['x86_64_v4', 'avx512f avx512bw avx512cd avx512dq avx512vl'],
];
/** Those that `CONDA_OVERRIDE_<NAME>` may set: CEP 30 says that there is none for __unix. */
const OVERRIDABLE = ['archspec', 'cuda', 'cuda_arch', 'glibc', 'linux'] as const;

/**
 * The virtual packages to solve for, sorted by name: probed, then CONDA_OVERRIDE_*, then the configuration's.
 * @param overrides `__cuda: '12.4'`, `__archspec: 'x86_64_v3'`: see parseVirtualPackages; empty text means absent
 * @param env the environment with CONDA_OVERRIDE_*
 * @throws AppError VIRTUAL_PACKAGE_INVALID
 */
export async function probeVirtualPackages(
  overrides: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Readonly<Record<string, string>>> {
  return chooseVirtualPackages(await readHostFacts(), overrides, env);
}

/**
 * Pure. The same for a machine with another processor, of which nothing else is known: with its family instead of a level
 * of this one's, which no override can mean either.
 */
export function translateVirtualPackages(
  packages: Readonly<Record<string, string>>,
  platform: string,
): Readonly<Record<string, string>> {
  const family = platform === 'linux-64' ? 'x86_64' : platform.replace(/^linux-/, '');
  const here = packages['__archspec'];
  if (here === undefined || here.split('_v')[0] === family) return packages;
  return { ...packages, __archspec: family };
}

/** The decision behind `probeVirtualPackages`, without the machine. */
export function chooseVirtualPackages(
  facts: HostFacts,
  overrides: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const chosen: Record<string, string | undefined> = {
    __archspec: chooseMicroarchitecture(facts),
    __cuda: facts.cudaVersion,
    __cuda_arch: chooseCudaArchitecture(facts.cudaCapabilities ?? []),
    __glibc: facts.glibcVersion?.match(/^\d+\.\d+/)?.[0],
    // conda/plugins/virtual_packages/linux.py: up to four numbers, the distribution's suffix dropped
    __linux: /^\d+\.\d+(?:\.\d+)?(?:\.\d+)?/.exec(facts.kernelRelease)?.[0] ?? '0',
    __unix: '0',
  };
  for (const name of OVERRIDABLE) {
    const value = env[`CONDA_OVERRIDE_${name.toUpperCase()}`];
    // conda.io "Managing virtual packages": set to "" for none detected
    if (value !== undefined) chosen[`__${name}`] = value;
  }
  Object.assign(chosen, overrides);
  // CEP 46: "MUST be absent when the __cuda virtual package is absent", whatever the override.
  if (!chosen['__cuda']) delete chosen['__cuda_arch'];
  const present = Object.entries(chosen).flatMap(([name, value]) => (value ? [[name, value] as const] : []));
  present.sort(([a], [b]) => (a < b ? -1 : 1));
  parseVirtualPackages(Object.fromEntries(present));
  return Object.fromEntries(present);
}

/** Of those that are no version like any other. CEP 46: `{major}.{minor}`, without the letters of subarchitectures. */
const VALUES: Readonly<Record<string, RegExp>> = { __archspec: /^[\w.+]+$/, __cuda_arch: /^\d+\.\d+$/ };

/**
 * What the solver is given. The text is the version; __archspec's is the build, its version is always 1 (CEP 30).
 * @throws AppError VIRTUAL_PACKAGE_INVALID, all of them at once (CEP 26 says what name, version and build may hold)
 */
export function parseVirtualPackages(packages: Readonly<Record<string, string>>): readonly VirtualPackage[] {
  const problems: Problem[] = [];
  const parsed = Object.entries(packages).map(([name, value]): VirtualPackage => {
    const isBuild = name === '__archspec';
    const rule = VALUES[name] ?? /^[0-9][0-9a-z._+!]*$/;
    if (!/^__[a-z0-9][a-z0-9._-]*$/.test(name) || !rule.test(value)) {
      problems.push({
        code: 'VIRTUAL_PACKAGE_INVALID',
        message: `virtual package ${JSON.stringify(name)} cannot be ${JSON.stringify(value)}`,
        hint: "write e.g. __cuda: '12.4' or __archspec: 'x86_64_v3', or set CONDA_OVERRIDE_CUDA=12.4",
      });
    }
    return isBuild ? { name, version: '1', build: value } : { name, version: value, build: '0' };
  });
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return parsed;
}

/**
 * The generic level, never the exact model (`zen3`, `icelake`): one image serves nodes of different models,
 * and packages ask for levels.
 */
function chooseMicroarchitecture(facts: HostFacts): string {
  if (facts.arch !== 'x64') return facts.arch === 'arm64' ? 'aarch64' : facts.arch;
  let level = 'x86_64';
  for (const [name, flags] of X86_LEVELS) {
    if (!flags.split(' ').every((flag) => facts.cpuFlags.includes(flag))) break;
    level = name;
  }
  return level;
}

/** CEP 46: the lowest of all devices, on which everything that is installed must run. */
function chooseCudaArchitecture(capabilities: readonly string[]): string | undefined {
  const order = (text: string): number => Number(text.split('.')[0]) * 1000 + Number(text.split('.')[1]);
  return capabilities.toSorted((a, b) => order(a) - order(b))[0];
}

async function readHostFacts(): Promise<HostFacts> {
  const cpuinfo = await readText('/proc/cpuinfo');
  const cudaVersion = await readCudaVersion();
  return {
    kernelRelease: os.release(),
    glibcVersion: readGlibcVersion(),
    arch: os.arch(),
    cpuFlags: /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? [],
    cudaVersion,
    cudaCapabilities: cudaVersion === undefined ? [] : await readCudaCapabilities(),
  };
}

function readGlibcVersion(): string | undefined {
  // Else it resolves the name of every open connection. (Not in @types/node.)
  Object.assign(process.report, { excludeNetwork: true });
  const report = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime;
}

async function readCudaVersion(): Promise<string | undefined> {
  const said = await runNvidiaSmi(['--query', '--xml-format']);
  return /<cuda_version>\s*(\d+\.\d+)/.exec(said)?.[1];
}

async function readCudaCapabilities(): Promise<readonly string[]> {
  const said = await runNvidiaSmi(['--query-gpu=compute_cap', '--format=csv,noheader']);
  return said.match(/^\d+\.\d+(?=\s*$)/gm) ?? [];
}

/** Empty where there is no nvidia-smi, or one that finds no driver: CEP 30 says that __cuda is then absent. */
async function runNvidiaSmi(args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await runCommand({ program: 'nvidia-smi', args: [...args], timeoutMs: 30_000 });
    return stdout.toString('utf8');
  } catch (error) {
    const code = error instanceof AppError ? error.problems[0]?.code : undefined;
    if (code === 'TOOL_MISSING' || code === 'TOOL_FAILED') return '';
    throw error;
  }
}
