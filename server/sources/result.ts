import type { Diagnostic } from "../protocol/errors.ts";
import type { SourceModel } from "../protocol/source-model.ts";

/**
 * What a reader gives: a model with its warnings, or all errors and warnings of the file at once, in
 * the order of the file. A reader never throws. `rest`: what the parts without errors say, where a
 * format has parts that stand alone (one wrong Deployment leaves the others).
 */
export type ReadResult =
  | { readonly ok: true; readonly model: SourceModel; readonly warnings: readonly Diagnostic[] }
  | {
      readonly ok: false;
      readonly diagnostics: readonly Diagnostic[];
      readonly rest?: SourceModel;
    };
