// Rendering of the Jupyter kernel of one release (jupyter-client, "Kernel specs").
import path from 'node:path';
import type { ModuleFacts } from './module-facts.ts';

/**
 * Starts through the launcher, by a path that the host and every container know. What activation sets comes with it, since
 * Jupyter may run without the module.
 */
export function renderKernelSpec(facts: ModuleFacts): string {
  const changes = facts.activation.changes.flatMap((change) =>
    // jupyter_client fills in $NAME and ${NAME} (string.Template), where $$ is one $.
    change.kind === 'set' ? [[change.name, change.value.replaceAll('$', '$$$$')]] : [],
  );
  const spec = {
    argv: [path.join(facts.farm, 'python3'), '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
    display_name: facts.fullName,
    language: 'python',
    metadata: { debugger: true },
    env: Object.fromEntries(changes) as Record<string, string>,
  };
  return `${JSON.stringify(spec, null, 2)}\n`;
}
