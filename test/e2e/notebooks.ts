// What Jupyter and editors run to use an environment.
import { expect } from 'vitest';
import { runAsOrdinaryUser } from '../../ci/ordinary-user.ts';

async function ask(
  home: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const ran = await runAsOrdinaryUser(home, command, env);
  expect(ran.exitCode, ran.stderr).toBe(0);
  return ran.stdout.trimEnd();
}

/** The host's Jupyter runs a notebook of one cell by a kernel that it finds through JUPYTER_PATH, as JupyterHub's servers do. */
export async function executeNotebook(
  home: string,
  jupyterPath: string,
  kernel: string,
  code: string,
): Promise<string> {
  const run = `
import sys, nbformat, nbclient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(sys.argv[2])])
nbclient.NotebookClient(notebook, kernel_name=sys.argv[1], timeout=120).execute()
print("".join(output.text for output in notebook.cells[0].outputs), end="")
`;
  return await ask(home, ['/usr/bin/python3', '-c', run, kernel, code], { JUPYTER_PATH: jupyterPath });
}

/** The environment's own Jupyter, in a shell with the module loaded, lists the kernels and runs code in one of them. */
export async function executeInKernel(
  home: string,
  modules: string,
  module: string,
  kernel: string,
  code: string,
): Promise<string> {
  const run = `
import sys, jupyter_client
from jupyter_client.kernelspec import KernelSpecManager
assert sys.argv[1] in KernelSpecManager().find_kernel_specs()
manager, client = jupyter_client.manager.start_new_kernel(kernel_name=sys.argv[1])
client.execute_interactive(sys.argv[2], output_hook=lambda said: print(said["content"].get("text", ""), end=""))
client.stop_channels()
manager.shutdown_kernel()
`;
  const script = `. /etc/profile.d/modules.sh; module use "$1" && module load "$2" && python3 -c "$3" "$4" "$5"`;
  return await ask(home, ['bash', '-c', script, 'bash', modules, module, run, kernel, code]);
}

/**
 * What VS Code's Python extension asks of an interpreter: a script of its own, in isolated mode, its answer as JSON between
 * markers (vscode-python: interpreterInfo.py, getExecutable); and PyCharm: version, paths and packages.
 */
export async function probeInterpreter(home: string, python: string): Promise<Record<string, unknown>> {
  const information = `
import json, sys
print(">>>OUTPUT")
print(json.dumps({"versionInfo": sys.version_info[:4], "sysPrefix": sys.prefix, "is64Bit": sys.maxsize > 2**32}))
print("<<<OUTPUT")
`;
  const answer = await ask(home, [python, '-I', '-c', information]);
  return {
    ...(JSON.parse(/>>>OUTPUT\n(.*)\n<<<OUTPUT/.exec(answer)?.[1] ?? '') as Record<string, unknown>),
    executable: await ask(home, [python, '-I', '-c', 'import sys; print(sys.executable)']),
    version: await ask(home, [python, '-V']),
    sysPath: (await ask(home, [python, '-c', 'import sys; print("\\n".join(sys.path))'])).split('\n'),
    hasPip: (await ask(home, [python, '-m', 'pip', '--version'])).startsWith('pip '),
  };
}
