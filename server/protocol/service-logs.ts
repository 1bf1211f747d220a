import { z } from "zod";

/** What a subscription of the logs of several services yields. */
export const ServiceLogsUpdate = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("output"),
    /**
     * In the order in which a service printed them, and of what was kept in the order of their times;
     * a long line may come in several.
     */
    pieces: z.array(
      z.object({
        service: z.string(),
        /** The engine's time; null where nobody noted it. */
        at: z.string().nullable(),
        stream: z.enum(["stdout", "stderr"]),
        /** As it was printed: a program's words, with whatever they do to a terminal. */
        text: z.string(),
      }),
    ),
  }),
  z.object({
    kind: z.literal("skipped"),
    service: z.string(),
    /** How much is missing here; null: nobody counted what came too fast for who asked. */
    bytes: z.number().int().nullable(),
  }),
  /** This service prints no more; where it is followed and starts again, it goes on. */
  z.object({ kind: z.literal("ended"), service: z.string() }),
  /** All that is kept was given, and nothing is followed; or the workspace is gone. */
  z.object({ kind: z.literal("end") }),
]);
export type ServiceLogsUpdate = z.infer<typeof ServiceLogsUpdate>;
