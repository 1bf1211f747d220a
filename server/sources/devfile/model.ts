import type { SourceService } from "../../protocol/service.ts";
import type { SourceModel, SourceVolume } from "../../protocol/source-model.ts";
import type { Cursor } from "../yaml/cursor.ts";
import type { Version } from "./keys.ts";

/** What reading one devfile goes by. */
export interface DevfileContext {
  readonly version: Version;
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

export interface Components {
  /** Every component's name, of every kind. */
  readonly names: { readonly text: string; readonly at: Cursor }[];
  readonly containers: ContainerComponent[];
  readonly volumes: VolumeComponent[];
}
