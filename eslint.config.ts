// Typed lint, and the layer rule: which room of the house may import which (docs/how-it-works.md).
import { defineConfig } from 'eslint/config';
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** For each room of src/, the other rooms that it may import. */
const rooms: Record<string, readonly string[]> = {
  system: [],
  config: ['system'],
  site: ['config', 'system'],
  conda: ['config', 'site', 'system'],
  pip: ['conda', 'config', 'site', 'system'],
  modules: ['config', 'site', 'system'],
  release: ['config', 'modules', 'site', 'system'],
  batch: ['config', 'modules', 'site', 'system'],
  gate: ['conda', 'config', 'release', 'site', 'system'],
  mirror: ['conda', 'config', 'release', 'site', 'system'],
  report: ['config', 'release', 'site', 'system'],
  sbom: ['conda', 'config', 'release', 'site', 'system'],
  build: ['conda', 'config', 'gate', 'modules', 'pip', 'release', 'site', 'system'],
  user: ['conda', 'release', 'site', 'system'],
  cli: [
    'batch',
    'build',
    'conda',
    'config',
    'gate',
    'mirror',
    'modules',
    'pip',
    'release',
    'report',
    'sbom',
    'site',
    'system',
    'user',
  ],
};
const rules = Object.entries(rooms).flatMap(([room, allowed]) =>
  Object.keys(rooms)
    .filter((other) => other !== room && !allowed.includes(other))
    .map((other) => ({
      target: `./src/${room}`,
      from: `./src/${other}`,
      message: `src/${room} may import ${allowed.join(', ') || 'no other room'} only`,
    })),
);
/** A stage takes the previous stage's output; it imports no other stage. */
const stages = [
  'base',
  'stage',
  'pip',
  'customise',
  'bytecode',
  'drop',
  'audit',
  'activate',
  'order',
  'pack',
  'release',
  'gate',
];
const stageRules = stages.map((stage) => ({
  target: `./src/build/${stage}.ts`,
  from: stages.filter((other) => other !== stage).map((other) => `./src/build/${other}.ts`),
  message: 'a stage imports no other stage',
}));
const effects = [
  'execa',
  'fs',
  'fs/promises',
  'node:fs',
  'node:fs/promises',
  'fs-extra',
  'child_process',
  'node:child_process',
];

export default defineConfig(
  { ignores: ['dist/', './site/', './site-admin/', 'coverage/', '.cache/'] },
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-unused-expressions': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': [
        'error',
        { zones: [...rules, ...stageRules, { target: './launcher', from: './src' }] },
      ],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'no-restricted-properties': ['error', { object: 'process', property: 'chdir' }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/system/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: effects.map((name) => ({ name, message: 'only src/system touches processes and files' })) },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'exit' },
        { object: 'process', property: 'chdir' },
      ],
    },
  },
  { files: ['*.config.ts'], rules: { 'import-x/no-default-export': 'off' } },
  { files: ['ci/**/*.ts', 'test/**/*.ts'], rules: { 'no-console': 'off' } },
);
