// protocol.ts: what the page and the worker that checks kernels say to each other.
import type { CaseChoice } from '../../bench/check/cases.ts';
import type { CheckRow, CheckRun } from '../../bench/check/check.ts';
import type { AppendCheck } from '../../bench/check/checkAppend.ts';
import type { DecodeKernel } from '../../src/decode/planContext.ts';
import type { Failed } from '../shell/onDevice.ts';

/** What to check. */
export interface CheckRequest {
  readonly kernels: readonly DecodeKernel[];
  readonly choice: CaseChoice;
}

/** A run that is to come: its case by name. */
export interface PlannedRun extends Pick<CheckRun, 'kernel'> {
  readonly case: string;
}

/** Kernels or cases that this device does not run, and why. */
export interface Untried {
  readonly what: string;
  readonly why: string;
}

/** What is going to be run, on what. */
export interface CheckPlan {
  readonly adapter: { readonly name: string; readonly software: boolean };
  readonly runs: readonly PlannedRun[];
  readonly untried: readonly Untried[];
}

export type ToCheckWorker =
  | { readonly type: 'check'; readonly request: CheckRequest; readonly visible: boolean }
  | { readonly type: 'visible'; readonly visible: boolean };

export type CheckEvent =
  | { readonly type: 'planned'; readonly plan: CheckPlan }
  | { readonly type: 'row'; readonly row: CheckRow }
  | { readonly type: 'appends'; readonly appends: readonly AppendCheck[] };

/** `done` and `failed` are its last words. */
export type FromCheckWorker = CheckEvent | { readonly type: 'done' } | Failed;
