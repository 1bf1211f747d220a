import type { Route } from "../../../server/util/routes.ts";

/** What `loop doctor` found on this machine, without a judgement. Null: it could not be told. */
export interface Facts {
  readonly node: string;
  /** The first line of `--version`; null: not found, or it failed. */
  readonly ssh: string | null;
  readonly controlPlane: ControlPlaneFact;
  /** Null where the control plane is on another machine: then nothing else here matters to it. */
  readonly machine: MachineFacts | null;
}

export type ControlPlaneFact =
  | { readonly url: string; readonly version: string }
  | { readonly url: string; readonly version: null; readonly problem: string };

export interface MachineFacts {
  readonly git: string | null;
  /** Parts of the build that are not there, such as `dist/web/index.html`. */
  readonly unbuilt: readonly string[];
  /** Whether ssh2's native part loads. */
  readonly ssh2Native: boolean;
  readonly engine: EngineFact;
  readonly route: { readonly device: string; readonly mtu: number } | null;
  /** Of the bridge that image builds go through. */
  readonly builderMtu: number | null;
  readonly resolvers: ResolverFact;
  readonly inotify: { readonly instances: number; readonly watches: number } | null;
  readonly authorities: readonly AuthorityFact[];
  readonly disks: readonly DiskFact[];
  readonly doors: readonly DoorFact[];
  /** The range that workspaces' networks are taken from, as `ONELOOP_SUBNETS` says. */
  readonly range: string;
  /** Networks that this machine has a route to: each is taken. */
  readonly routes: readonly RouteFact[];
  readonly leftovers: LeftoverFact;
}

export type EngineFact =
  | {
      readonly kind: "answers";
      readonly version: string;
      readonly cgroup: string;
      readonly liveRestore: boolean;
      readonly root: string;
      readonly networks: readonly NetworkFact[];
    }
  | { readonly kind: "absent" | "forbidden" | "stranger"; readonly socket: string };

export interface NetworkFact {
  readonly name: string;
  readonly subnets: readonly string[];
  /** What it was made with; null: the engine's own. */
  readonly mtu: number | null;
  /** The bridge that it is on this machine; null for a network of another kind. */
  readonly bridge: string | null;
  /** Of this installation. */
  readonly ours: boolean;
}

export interface ResolverFact {
  /** The `nameserver` lines of /etc/resolv.conf. */
  readonly own: readonly string[];
  /** Those behind systemd-resolved, which the engine falls back on. */
  readonly upstream: readonly string[];
}

export interface AuthorityFact {
  readonly variable: string;
  readonly file: string;
  readonly state: "good" | "absent" | "unreadable" | "no-certificate";
}

export interface DiskFact {
  readonly what: string;
  readonly path: string;
  readonly freeBytes: number;
}

export interface DoorFact {
  readonly what: string;
  readonly variable: string;
  readonly port: number;
  readonly state: "free" | "ours" | "taken";
}

export type RouteFact = Pick<Route, "device" | "network">;

export type LeftoverFact =
  | { readonly kind: "volumes"; readonly names: readonly string[] }
  /** Why nobody can tell which volumes are without a workspace. */
  | { readonly kind: "unknown"; readonly why: string };
