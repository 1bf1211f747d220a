import { z } from "zod";

/** A workspace by its name or its id. */
export const onWorkspace = z.object({ workspace: z.string().min(1).max(64) });

/** A row by its id. */
export const byId = z.object({ id: z.string().min(1).max(64) });

/** One of the workspace's services by its name; null: the dev service. */
export const ofService = { service: z.string().min(1).max(63).nullable().default(null) };
