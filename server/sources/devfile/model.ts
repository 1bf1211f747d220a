import type { Fact } from "../../protocol/fact.ts";
import type { Endpoint, SourceService } from "../../protocol/service.ts";
import type {
  SourceImage,
  SourceManifest,
  SourceModel,
  SourceVolume,
} from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import type { componentKinds } from "./keys.ts";

/** What reading one devfile goes by. */
export interface DevfileContext {
  readonly leftOut: SourceModel["leftOut"];
  /** What is read for a `kubernetes` component that names a file. */
  readonly objectsBehind: (at: Cursor, uri: string) => NonNullable<SourceManifest["objects"]>;
}

/** A component with the cursors that checks across components report at. */
export interface ContainerComponent {
  readonly name: Cursor;
  readonly self: MapCursor;
  readonly service: SourceService;
  readonly mounts: readonly { readonly name: Cursor; readonly volume: string }[];
}

/** An endpoint, and the component that has it. */
export interface ComponentEndpoint {
  readonly of: Cursor;
  readonly name: Cursor;
  readonly port: Cursor;
  readonly fact: Fact<Endpoint>;
}

export interface VolumeComponent {
  readonly name: Cursor;
  readonly volume: SourceVolume;
}

export type ComponentKind = (typeof componentKinds)[number];

/** A name, and where it stands. */
export interface Named {
  readonly text: string;
  readonly at: Cursor;
}

export interface Components {
  /** Every component's name; no kind where it has none or two, which was reported. */
  readonly names: (Named & { readonly kind: ComponentKind | null })[];
  /** By its name; of two with one name the first. */
  readonly kinds: Map<string, ComponentKind | null>;
  /** Names as they are written, bad ones too: who refers to one makes no second mistake. */
  readonly written: Set<string>;
  /** Why a name that is not here may yet be right, as a sentence; null when all must be here. */
  readonly elsewhere: string | null;
  readonly containers: ContainerComponent[];
  readonly volumes: VolumeComponent[];
  readonly images: SourceImage[];
  readonly manifests: SourceManifest[];
  /** Of all components, in the order of the file. */
  readonly endpoints: ComponentEndpoint[];
}
