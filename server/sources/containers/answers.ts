import { z } from "zod";

// What an engine says (Docker Engine API 1.24 and later): a stranger's word, as small as it is needed.

/** Longer than every name and path that an engine takes. */
const text = z.string().max(4096);
/** A program line may carry a script. */
const argument = z.string().max(256 * 1024);
/** Above every real container's. */
const maxEntries = 5000;
const argv = z.array(argument).max(maxEntries).nullish();
const labels = z.record(text, argument).nullish();
/** What is asked for by it stands in the path of a request. */
const id = z.string().regex(/^(?:sha256:)?[a-f0-9]{12,64}$/);
const size = z.number().nullish();

/** `GET /containers/json` */
export const ContainerList = z
  .array(
    z.object({
      Id: id,
      Names: z.array(text).max(maxEntries).nullish(),
      State: text.nullish(),
      Labels: labels,
    }),
  )
  .max(20_000);
export type ListedContainer = z.infer<typeof ContainerList>[number];

const Healthcheck = z
  .object({
    Test: argv,
    /** Nanoseconds, as the others. */
    Interval: size,
    Timeout: size,
    StartPeriod: size,
    Retries: size,
  })
  .nullish();
export type Healthcheck = NonNullable<z.infer<typeof Healthcheck>>;

const Ports = z.record(text, z.unknown()).nullish();

const Config = z.object({
  Image: text.nullish(),
  Env: argv,
  Cmd: argv,
  Entrypoint: argv,
  User: text.nullish(),
  WorkingDir: text.nullish(),
  ExposedPorts: Ports,
  Labels: labels,
  Healthcheck,
  StopTimeout: size,
});

/** `GET /containers/<id>/json` */
export const Container = z.object({
  Id: id,
  Name: text,
  Image: id,
  State: z.object({ Status: text.nullish(), ExitCode: z.number().nullish() }).nullish(),
  Config,
  HostConfig: z.object({
    Memory: size,
    MemoryReservation: size,
    NanoCpus: size,
    CpuQuota: size,
    CpuPeriod: size,
    ReadonlyRootfs: z.boolean().nullish(),
    Privileged: z.boolean().nullish(),
    CapAdd: argv,
    CapDrop: argv,
    NetworkMode: text.nullish(),
    PidMode: text.nullish(),
    IpcMode: text.nullish(),
    SecurityOpt: argv,
    Devices: z
      .array(z.object({ PathOnHost: text.nullish() }))
      .max(maxEntries)
      .nullish(),
    RestartPolicy: z.object({ Name: text.nullish() }).nullish(),
    Tmpfs: z.record(text, text).nullish(),
    PortBindings: z
      .record(
        text,
        z
          .array(z.object({ HostIp: text.nullish() }))
          .max(maxEntries)
          .nullish(),
      )
      .nullish(),
  }),
  Mounts: z
    .array(
      z.object({
        Type: text.nullish(),
        Name: text.nullish(),
        Source: text.nullish(),
        Destination: text,
        RW: z.boolean().nullish(),
      }),
    )
    .max(maxEntries)
    .nullish(),
  NetworkSettings: z
    .object({
      Networks: z.record(text, z.object({ Aliases: argv }).nullish()).nullish(),
    })
    .nullish(),
});
export type Container = z.infer<typeof Container>;

/** `GET /images/<id>/json` */
export const Image = z.object({
  RepoTags: argv,
  RepoDigests: argv,
  Os: text.nullish(),
  Architecture: text.nullish(),
  Variant: text.nullish(),
  Config: Config.nullish(),
});
export type Image = z.infer<typeof Image>;

/** `GET /networks` */
export const NetworkList = z
  .array(z.object({ Name: text, Internal: z.boolean().nullish() }))
  .max(20_000);

export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  /** Which part of the answer is not as it must be; nothing of what it says. */
  | { readonly ok: false; readonly where: string };

/** Checks an answer. What is wrong is named by its place alone: values may be secrets. */
export function parseAnswer<Schema extends z.ZodType>(
  schema: Schema,
  answer: unknown,
): Parsed<z.output<Schema>> {
  const result = schema.safeParse(answer);
  if (result.success) return { ok: true, value: result.data };
  const [first] = result.error.issues;
  // Names of variables, labels and ports are the engine's words, too: numbers and our own keys remain.
  const path = (first?.path ?? []).slice(0, 3).map(String);
  const plain = path.every((part) => /^(?:[A-Z][A-Za-z]{1,30}|\d{1,6})$/.test(part));
  return { ok: false, where: plain ? path.join(".") : (path[0] ?? "") };
}
