import type { SourceService } from "../../protocol/service.ts";
import type { SourceModel, SourceVolume } from "../../protocol/source-model.ts";
import type { Cursor } from "../yaml/cursor.ts";
import type { componentKinds, Version } from "./keys.ts";
import type { Variables } from "./variables.ts";

/** What reading one devfile goes by. */
export interface DevfileContext {
  readonly version: Version;
  readonly variables: Variables;
  readonly leftOut: SourceModel["leftOut"];
}

/** A component with the cursors that checks across components report at. */
export interface ContainerComponent {
  readonly name: Cursor;
  readonly service: SourceService;
  readonly endpoints: readonly { readonly name: Cursor; readonly port: Cursor }[];
  readonly mounts: readonly { readonly name: Cursor; readonly volume: string }[];
}

export interface VolumeComponent {
  readonly name: Cursor;
  readonly volume: SourceVolume;
}

export type ComponentKind = keyof typeof componentKinds;

/** A name, and where it stands. */
export interface Named {
  readonly text: string;
  readonly at: Cursor;
}

export interface Components {
  /** Every component's name; no kind where it has none or two, which was reported. */
  readonly names: (Named & { readonly kind: ComponentKind | null })[];
  /** Names as they are written, bad ones too: who refers to one makes no second mistake. */
  readonly written: Set<string>;
  /** Why a name that is not here may yet be right, as a sentence; null when all must be here. */
  readonly elsewhere: string | null;
  readonly containers: ContainerComponent[];
  readonly volumes: VolumeComponent[];
}
