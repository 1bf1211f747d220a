import { OneloopError } from "../protocol/errors.ts";

/** What is done for a workspace, one after the other or beside each other. */
export type Step =
  | "image"
  | "build"
  | "storage"
  | "checkout"
  | "sandbox"
  | "before-start"
  | "start"
  | "stop"
  | "after-stop"
  | "delete";

/**
 * No state can hang: how long each step may take, in milliseconds. What is the network's or the
 * disk's business has long; what is the engine's alone takes a second, and ten on a machine that is
 * busy.
 */
export type StepDeadlines = Readonly<Record<Step, number>>;

const minuteMs = 60_000;

export const stepDeadlines: StepDeadlines = {
  image: 20 * minuteMs,
  build: 40 * minuteMs,
  storage: 2 * minuteMs,
  checkout: 20 * minuteMs,
  sandbox: 2 * minuteMs,
  // A repository's own programs: the migration of a database, a download.
  "before-start": 20 * minuteMs,
  start: 5 * minuteMs,
  stop: 2 * minuteMs,
  "after-stop": 5 * minuteMs,
  delete: 15 * minuteMs,
};

/**
 * What a step may take longer for each service of the workspace: a container or volume is a second of
 * a busy engine's, which works on two at a time.
 */
export const eachMs: StepDeadlines = {
  ...{ image: 0, build: 0, checkout: 0, "before-start": 0, "after-stop": 0 },
  ...{ storage: 1000, sandbox: 1000, start: 1000, stop: 1000, delete: 2000 },
};

const what: Readonly<Record<Step, string>> = {
  image: "Getting the images",
  build: "Building an image of the repository",
  storage: "Making the volumes",
  checkout: "The checkout",
  sandbox: "Making the network",
  "before-start": "What runs before the start",
  start: "Starting the containers",
  stop: "Stopping the containers",
  "after-stop": "What runs after the stop",
  delete: "Removing the containers and volumes",
};

/**
 * Runs a step with a signal that fires with the outer one and at the step's deadline.
 *
 * @throws OneloopError `deadline-exceeded` that names the step, when that was what ended it.
 */
export async function withDeadline<Result>(
  { step, ms, signal }: { step: Step; ms: number; signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ms);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error;
    throw new OneloopError(
      "deadline-exceeded",
      `${what[step]} took longer than ${duration(ms)} and was given up. Start the workspace again; if this comes back, \`loop doctor\` looks for the reason.`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

/** All of them. The first that fails ends the others, which are awaited: nothing runs on unseen. */
export async function allOrNone(
  signal: AbortSignal,
  steps: (signal: AbortSignal) => readonly Promise<unknown>[],
): Promise<void> {
  const failed = new AbortController();
  let first: { reason: unknown } | null = null;
  const all = steps(AbortSignal.any([signal, failed.signal])).map(async (step) => {
    try {
      await step;
    } catch (reason) {
      first ??= { reason };
      failed.abort();
    }
  });
  await Promise.all(all);
  if (first !== null) throw (first as { reason: unknown }).reason;
}

function duration(ms: number): string {
  return ms >= minuteMs
    ? `${Math.round(ms / minuteMs)} min`
    : `${Math.max(1, Math.round(ms / 1000))} s`;
}
