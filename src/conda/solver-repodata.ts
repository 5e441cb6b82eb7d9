// What the solver reads: the selected records as the repodata of one channel, which exists in its thread's memory only.
import { pinPackage } from './solve-problem.ts';
import type { Selection } from './repodata-selection.ts';
import type { SolveTask } from './solve-task.ts';

/** All records are given to the solver as one channel; which one each is from is looked up afterwards. */
export const SOLVER_CHANNEL = 'http://channel.invalid';

/**
 * repodata.json of each subdir; in one order, whatever the channel's, so that equal inputs give equal answers.
 * @param lessPreferred records, by `subdir/file`, that are taken only where no other of their name will do
 */
export function renderSolverRepodata(
  selection: Selection,
  task: SolveTask,
  pins: readonly { readonly text: string }[],
  lessPreferred: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const members = new Map<string, string[]>();
  const add = (subdir: string, file: string, record: unknown): void => {
    const section = `${subdir} ${file.endsWith('.conda') ? 'packages.conda' : 'packages'}`;
    const texts = members.get(section) ?? [];
    if (texts.length === 0) members.set(section, texts);
    texts.push(`${JSON.stringify(file)}:${JSON.stringify(record)}`);
  };
  for (const key of [...selection.records.keys()].sort()) {
    const selected = selection.records.get(key);
    if (!selected) continue;
    // The solver tries what has a tracked feature last, before it looks at versions (docs.conda.io, "track_features").
    const record = lessPreferred.has(key)
      ? { ...selected.record, track_features: 'condense_not_locked' }
      : selected.record;
    add(selected.from.subdir, selected.file, record);
  }
  for (const { name, version, build } of task.virtualPackages) {
    const record = { name, version, build, build_number: 0, depends: [], subdir: 'noarch' };
    add('noarch', `${name}-${version}-${build}.conda`, record);
  }
  // The solver has no specs that install nothing: a pin is a package that constrains, as conda's own solver has it.
  for (const [position, { text }] of pins.entries()) {
    const name = pinPackage(position);
    const record = {
      name,
      version: '1',
      build: '0',
      build_number: 0,
      depends: [],
      constrains: [text],
      subdir: 'noarch',
    };
    add('noarch', `${name}-1-0.conda`, record);
  }
  // Joined as text: half a million members make a slow object.
  const render = (subdir: string, section: string) =>
    `"${section}":{${(members.get(`${subdir} ${section}`) ?? []).join(',')}}`;
  return new Map(
    [task.platform, 'noarch'].map((subdir) => {
      const info = JSON.stringify({ subdir });
      return [subdir, `{"info":${info},${render(subdir, 'packages')},${render(subdir, 'packages.conda')}}`];
    }),
  );
}

/** The solver can only fetch: in this thread, fetch answers from memory and reaches nothing else. */
export function serveToSolver(repodata: ReadonlyMap<string, string>, platform: string): void {
  globalThis.fetch = (input) => {
    const url = input instanceof Request ? input.url : String(input);
    const subdir = [platform, 'noarch'].find((name) => url === `${SOLVER_CHANNEL}/${name}/repodata.json`);
    const body = subdir === undefined ? undefined : repodata.get(subdir);
    const response = new Response(body ?? '', { status: body === undefined ? 404 : 200 });
    // It reads the URL of what it got, which a Response made by hand does not have.
    Object.defineProperty(response, 'url', { value: url });
    return Promise.resolve(response);
  };
}
