import { z } from "zod";
import { Place } from "./fact.ts";
import { PlannedService } from "./service.ts";
import { CommandGroup, LeftOut } from "./source-model.ts";

/**
 * A command that runs in a workspace. The supervisor of container `in` runs it and keeps the marks
 * of what is done; the reconciler runs only one-shot containers.
 */
export const Task = z.object({
  name: z.string(),
  phase: z.enum(["prebuild", "create", "start", "attach", "stop"]),
  /** The name of a service of this plan. */
  in: z.string(),
  /** `container`: again where the container was made anew; its marks lie in it. */
  oncePer: z.enum(["content", "workspace", "container", "start", "attach"]),
  needs: z.array(z.string()),
  /** The argument vector; `null`: the image's own entry point and command. */
  command: z.array(z.string()).nullable(),
  /** Shown to the user as a terminal of this name. */
  terminal: z.boolean(),
  /** Absolute; null, or absent in an older plan: where a shell starts. */
  cwd: z.string().nullable().optional(),
  /** Beyond the service's own. */
  env: z.record(z.string(), z.string()).optional(),
});
export type Task = z.infer<typeof Task>;

/** A command that nothing runs by itself: it is offered, and runs in a terminal of its own. */
export const PlannedCommand = z.object({
  name: z.string(),
  label: z.string().nullable(),
  group: CommandGroup.nullable(),
  /** The name of a service of this plan. */
  in: z.string(),
  command: z.array(z.string()).min(1),
  /** Absolute; null: where a shell starts. */
  cwd: z.string().nullable(),
  /** Beyond the service's own. */
  env: z.record(z.string(), z.string()),
});
export type PlannedCommand = z.infer<typeof PlannedCommand>;

/**
 * A container that runs to its end in the network of the dev service: before the services start, or
 * after they stopped. It is none of the plan's services.
 */
export const PlannedOneShot = z.object({
  name: z.string(),
  when: z.enum(["before-start", "after-stop"]),
  /** Others of the same time that must have ended with 0 before; all stand before it in the list. */
  needs: z.array(z.string()),
  service: PlannedService,
});
export type PlannedOneShot = z.infer<typeof PlannedOneShot>;

/** What is checked out, and where. */
export const Checkout = z.object({
  /** The remote as the user named it: no credential in it. */
  url: z.string(),
  /** What the checkout calls the remote of this URL; absent: `origin`. */
  remote: z.string().optional(),
  /** The checkout's further remotes: nothing is fetched from them. Absent: none. */
  otherRemotes: z.array(z.object({ name: z.string(), url: z.string() })).optional(),
  /** What the repository cache knows it by; absent in an older plan, where it is the URL. */
  key: z.string().optional(),
  /** The full ref, such as `refs/heads/main`; `null` for a bare commit. */
  ref: z.string().nullable(),
  /** 40 hex digits. */
  commit: z.string(),
  /** Absolute, such as `/workspace/govapp`. */
  path: z.string(),
  /** In the order in which they are checked out: the outer before those in it. */
  submodules: z
    .array(
      z.object({
        /** Of the repository around it, below the checkout; empty for the checkout itself. */
        within: z.string(),
        /** In the `.gitmodules` there: what git keeps its settings under. */
        name: z.string(),
        /** Below that repository. */
        path: z.string(),
        url: z.string(),
        key: z.string(),
      }),
    )
    .optional(),
  /** Some of its files are kept in LFS, and are in the cache. */
  lfs: z.boolean().optional(),
});
export type Checkout = z.infer<typeof Checkout>;

export const PlannedVolume = z.object({
  name: z.string(),
  sizeBytes: z.number().int().positive().nullable(),
  ephemeral: z.boolean(),
});
export type PlannedVolume = z.infer<typeof PlannedVolume>;

/** Why a part of the plan is as it is: the source lines that ask for it. */
export const Because = z.object({ part: z.string(), where: z.array(Place) });
export type Because = z.infer<typeof Because>;

/** An image that is built from the checkout before the services that name it start. */
export const PlannedBuild = z.object({
  /** What services call it; nothing of this name is pulled. */
  image: z.string(),
  /** The context's folder, below the repository's root; empty for the root itself. */
  context: z.string(),
  /** The Dockerfile's path in that folder. */
  dockerfile: z.string(),
  args: z.record(z.string(), z.string()),
  target: z.string().nullable(),
});
export type PlannedBuild = z.infer<typeof PlannedBuild>;

/** A secret of production, and which services get it. */
export const PlannedSecret = z.object({
  secret: z.string(),
  key: z.string(),
  /** The variable of the user that gives its value here; without one, a value is made. */
  variable: z.string(),
  services: z.array(z.string()),
  where: z.array(Place),
});
export type PlannedSecret = z.infer<typeof PlannedSecret>;

/** What of a plan mirrors production. */
export const PlannedMirror = z.object({
  /** What was read, such as `compose.yaml` or `k8s/`. */
  source: z.string(),
  /** The services of production that the dev service stands in for. */
  develops: z.array(z.string()),
  secrets: z.array(PlannedSecret),
});
export type PlannedMirror = z.infer<typeof PlannedMirror>;

/**
 * What we will run: plain values, stored with the workspace, the reconciler's only input. A change
 * of shape raises `version`; stored plans of older versions are upgraded where they are read.
 */
export const WorkspacePlan = z.object({
  version: z.literal(1),
  /** The service people work in: it has the supervisor, the source and the home volume. */
  devService: z.string(),
  services: z.array(PlannedService).min(1),
  volumes: z.array(PlannedVolume),
  /** `null` for a container of Oneloop's own that has no repository. */
  checkout: Checkout.nullable(),
  /** More repositories that the devfile's `projects` name; absent in an older plan. */
  projects: z.array(Checkout).optional(),
  tasks: z.array(Task),
  /** Absent where there are none, and in an older plan. */
  oneShots: z.array(PlannedOneShot).optional(),
  /** Absent where nothing is built, and in an older plan. */
  builds: z.array(PlannedBuild).optional(),
  /** Absent where nothing is mirrored. */
  mirror: PlannedMirror.optional(),
  /** Absent in an older plan. */
  commands: z.array(PlannedCommand).optional(),
  because: z.array(Because),
  leftOut: z.array(LeftOut),
});
export type WorkspacePlan = z.infer<typeof WorkspacePlan>;
