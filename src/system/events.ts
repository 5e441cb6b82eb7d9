// What long work tells its caller. Only src/cli turns events into text, a bar or JSON lines.

export type WorkEvent =
  | { readonly type: 'stage-started'; readonly stage: string; readonly detail?: string }
  | { readonly type: 'stage-finished'; readonly stage: string; readonly seconds: number; readonly detail?: string }
  | {
      readonly type: 'progress';
      readonly stage: string;
      readonly done: number;
      readonly total: number;
      readonly unit: 'bytes' | 'packages' | 'checks';
    }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string };

export type Report = (event: WorkEvent) => void;
