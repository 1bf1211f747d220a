import { tracked } from "@trpc/server";
import { z } from "zod";
import { FolderFiles } from "../../protocol/preview.ts";
import { PortVisibility, type LogUpdate, type WorkspaceUpdate } from "../../protocol/workspace.ts";
import { router, signedIn } from "../trpc.ts";
import { ofService, onWorkspace } from "./inputs.ts";

/** In UTF-16 code units; far above every real devfile. */
const maxDevfileLength = 200_000;

/** Far above what one container stands in for. */
const maxDeveloped = 100;

/** What an open and a preview go by. */
const path = z.string().min(1).max(500);

const onConfiguration = {
  /** Read instead of the repository's devfile; it changes nothing in the repository. */
  devfile: z.string().max(maxDevfileLength).nullable().default(null),
  /** The path of one of several; null: as it was chosen before, or the first. */
  configuration: z.string().min(1).max(500).nullable().default(null),
  /** Refuse with `choice-needed` where several compete and none was chosen. */
  ask: z.boolean().default(false),
  /** Refuse with `choice-needed` where there is none, and one would be found. */
  askFound: z.boolean().default(false),
  /**
   * What says how production runs, a file or folder of the repository: it is mirrored. Several compose
   * files are put over one another: a list, or one text with commas. Null: nothing; absent: what the devfile's attribute `mirror` says.
   */
  mirror: z
    .union([
      z.string().min(1).max(2000),
      z
        .array(path)
        .min(1)
        .max(10)
        .transform((all) => all.join(",")),
    ])
    .nullable()
    .optional(),
  /** Services of production that are developed here; absent: the devfile's, or found. */
  develop: z.array(z.string().min(1).max(200)).max(maxDeveloped).optional(),
};
const contextUrl = z.string().min(1).max(4000);

const ofMirrored = onWorkspace.extend({ service: z.string().min(1).max(200) });

/** Beyond what the engine keeps of a service. */
const maxTailLines = 1_000_000;

export const workspaces = router({
  open: signedIn
    .input(z.object({ contextUrl, ...onConfiguration }))
    .mutation(({ input, ctx }) => ctx.services.workspaces.open(ctx.user, input)),

  /**
   * What an open would run, and why; starts nothing. (A mutation: the text would be too long for an
   * address, and the remote is asked as at an open.)
   */
  preview: signedIn
    .input(z.object({ contextUrl, ...onConfiguration }))
    .mutation(({ input, ctx }) => ctx.services.workspaces.preview(ctx.user, input)),

  /** The same for a folder of the asker's machine. */
  previewFolder: signedIn
    .input(z.object({ files: FolderFiles, ...onConfiguration }))
    .mutation(({ input, ctx }) => {
      const { files, ...request } = input;
      return ctx.services.workspaces.previewFolder(ctx.user, { files, request });
    }),

  /** The devfile that an open would read, or the one that was found; to mend or to change it. */
  devfile: signedIn
    .input(
      z.object({ contextUrl, configuration: z.string().min(1).max(500).nullable().default(null) }),
    )
    .query(({ input, ctx }) => ctx.services.workspaces.devfile(ctx.user, input)),

  /** The commands that a workspace offers. */
  commands: signedIn
    .input(onWorkspace)
    .query(({ input, ctx }) => ctx.services.workspaces.commands(ctx.user, input.workspace)),

  list: signedIn.query(({ ctx }) => ctx.services.workspaces.list(ctx.user)),

  show: signedIn
    .input(onWorkspace)
    .query(({ input, ctx }) => ctx.services.workspaces.show(ctx.user, input.workspace)),

  /** The workspace's state first, then every event after `afterEvent` and every change. */
  watch: signedIn
    .input(
      onWorkspace.extend({
        afterEvent: z.number().int().min(0).default(0),
        lastEventId: z.string().nullish(),
      }),
    )
    .subscription(async function* ({ input, ctx }) {
      const after = Math.max(input.afterEvent, Number(input.lastEventId ?? 0) || 0);
      let last = after;
      const updates = ctx.services.workspaces.watch(ctx.user, input.workspace, {
        afterEvent: after,
        signal: ctx.signal,
      });
      for await (const update of updates) {
        if (update.kind === "event") last = update.event.id;
        yield tracked<WorkspaceUpdate>(String(last), update);
      }
    }),

  /** The whole list, again at every change of it. */
  watchList: signedIn.subscription(async function* ({ ctx }) {
    yield* ctx.services.workspaces.watchList(ctx.user, ctx.signal);
  }),

  /** What a service's own command prints; goes on after a break where it was. */
  log: signedIn
    .input(
      onWorkspace.extend({
        ...ofService,
        follow: z.boolean().default(false),
        tail: z.number().int().min(0).max(maxTailLines).nullable().default(null),
        lastEventId: z.string().max(200).nullish(),
      }),
    )
    .subscription(async function* ({ input, ctx }) {
      const { workspace, service, follow, tail } = input;
      const after = input.lastEventId ?? null;
      const which = { name: workspace, service };
      const parts = ctx.services.workspaces.log(ctx.user, which, {
        follow,
        // The last lines were given before the break.
        tail: after === null ? tail : null,
        after,
        signal: ctx.signal,
      });
      for await (const { place, update } of parts) yield tracked<LogUpdate>(place, update);
      yield tracked<LogUpdate>("end", { kind: "end" });
    }),

  start: signedIn
    .input(onWorkspace)
    .mutation(({ input, ctx }) => ctx.services.workspaces.start(ctx.user, input.workspace)),

  stop: signedIn
    .input(onWorkspace)
    .mutation(({ input, ctx }) => ctx.services.workspaces.stop(ctx.user, input.workspace)),

  /** Starts one of production's services again; its state says what becomes of it. */
  restartService: signedIn.input(ofMirrored).mutation(async ({ input, ctx }) => {
    const { workspace, service } = input;
    await ctx.services.workspaces.restartService(ctx.user, workspace, service);
    return {};
  }),

  /** The same, with its image built from the workspace's present files before. */
  rebuildService: signedIn.input(ofMirrored).mutation(async ({ input, ctx }) => {
    const { workspace, service } = input;
    await ctx.services.workspaces.rebuildService(ctx.user, workspace, service);
    return {};
  }),

  /** Every setting of a service as it runs, with the lines that ask for it. */
  serviceSettings: signedIn.input(ofMirrored).query(async ({ input, ctx }) => {
    const { workspace, service } = input;
    return {
      settings: await ctx.services.workspaces.serviceSettings(ctx.user, workspace, service),
    };
  }),

  unsavedWork: signedIn
    .input(onWorkspace)
    .query(({ input, ctx }) => ctx.services.workspaces.unsavedWork(ctx.user, input.workspace)),

  /** Asks the remote how many commits its branch has more; pulls nothing. */
  refresh: signedIn
    .input(onWorkspace)
    .mutation(({ input, ctx }) => ctx.services.workspaces.refresh(ctx.user, input.workspace)),

  /** Who may see a port; `service` null: the dev container's network. */
  setPortVisibility: signedIn
    .input(
      onWorkspace.extend({
        port: z.number().int().min(1).max(65_535),
        service: z.string().min(1).max(63).nullable().default(null),
        visibility: PortVisibility,
      }),
    )
    .mutation(({ input, ctx }) => {
      const { workspace, ...setting } = input;
      return ctx.services.workspaces.setPortVisibility(ctx.user, workspace, setting);
    }),

  /** Refuses with `unsaved-work` while something would be lost, unless `force` is true. */
  delete: signedIn
    .input(onWorkspace.extend({ force: z.boolean().default(false) }))
    .mutation(async ({ input, ctx }) => {
      await ctx.services.workspaces.delete(ctx.user, input.workspace, { force: input.force });
      return {};
    }),
});
