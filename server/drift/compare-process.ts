import type { Fact } from "../protocol/fact.ts";
import { parseImageReference } from "../protocol/image-reference.ts";
import type { ImageDefaults } from "../protocol/service.ts";
import { addUnknown, compareFact } from "./context.ts";
import type { Both, Context } from "./context.ts";
import { side, sideOf } from "./draft.ts";
import { engineOf } from "./engines.ts";

const equal = <Value>(a: Value, b: Value): boolean => a === b;

/** What runs, as whom, and with which limits. */
export function compareProcess(both: Both, context: Context): void {
  compareImage(both, context);
  compareCommand(both, context);
  compareRights(both, context);
  compareLimits(both, context);
}

function compareImage({ name, a, b }: Both, { draft }: Context): void {
  compareStage({ name, a, b }, draft);
  // What is built from the repository is another thing than what is pulled: neither is wrong.
  const built = [a, b].some(({ build }) => build.known && build.value !== null);
  const [one, other] = [a.image, b.image].map((each) => (each.known ? engineOf(each.value) : null));
  if (!a.image.known || !b.image.known) return;
  const sides = { a: sideOf(a.image, (text) => text), b: sideOf(b.image, (text) => text) };
  if ((one === null) !== (other === null) || one?.name !== other?.name) {
    if (built && (one === null || other === null)) return;
    draft.count(false);
    const code = one !== null && other !== null ? "engine" : "image";
    const what = code === "engine" ? "Another engine runs here." : "Another image runs here.";
    draft.add({ code, service: name, what, ...sides });
  } else if (one !== null && other !== null && one !== undefined && other !== undefined) {
    if (one.major === null || other.major === null) {
      if (one.major === other.major) return;
      addUnknown(draft, { code: "engine-version", service: name }, sides);
      return;
    }
    draft.count(one.major === other.major);
    const what = `Another major version of ${one.name} runs here.`;
    if (one.major !== other.major) {
      draft.add({ code: "engine-version", service: name, what, ...sides });
    } else compareTags({ name, a, b }, { draft }, sides);
  } else if (!built) compareTags({ name, a, b }, { draft }, sides);
}

/** A stage of a Dockerfile has its own command and files; what is pulled is the last one. */
function compareStage({ name, a, b }: Both, draft: Context["draft"]): void {
  const stage = ({ build }: Both["a"]) => (build.known ? (build.value?.target ?? null) : null);
  if (stage(a) === stage(b)) return;
  const shown = (service: Both["a"]) =>
    stage(service) === null
      ? sideOf(service.image, (image) => image)
      : side(`stage ${stage(service)} of its Dockerfile`, service.build.where);
  const what = "One side builds a stage of a Dockerfile.";
  draft.add({ code: "image", service: name, subject: "stage", what, a: shown(a), b: shown(b) });
}

function compareTags(
  { name, a, b }: Both,
  { draft }: Pick<Context, "draft">,
  sides: { a: ReturnType<typeof side>; b: ReturnType<typeof side> },
): void {
  if (!a.image.known || !b.image.known) return;
  const same = sameImage(a.image.value, b.image.value);
  if (same === null) {
    addUnknown(draft, { code: "image", service: name }, sides);
    return;
  }
  draft.count(same);
  if (!same) draft.add({ code: "image", service: name, what: "The images differ.", ...sides });
}

/** By their digests where both have one; a digest says nothing of a tag, nor a tag of a digest. */
function sameImage(one: string, other: string): boolean | null {
  const [a, b] = [parseImageReference(one), parseImageReference(other)];
  if (a === null || b === null) return one === other;
  if (a.repository !== b.repository) return false;
  if (a.digest !== null && b.digest !== null) return a.digest === b.digest;
  const tagOf = ({ tag, digest }: typeof a) => tag ?? (digest === null ? "latest" : null);
  const [tagA, tagB] = [tagOf(a), tagOf(b)];
  return tagA === null || tagB === null ? null : tagA === tagB;
}

/** `/bin/sh` and `sh` are the same program. */
export function program(parts: readonly string[]): string[] {
  return parts.map((part, at) => (at === 0 ? part.replace(/^\/(?:usr\/)?bin\//, "") : part));
}

function compareCommand({ name, a, b }: Both, { draft, addresses, redactor }: Context): void {
  const whole = (service: Both["a"]): Fact<(string[] | null)[]> => {
    const { command, args } = service;
    if (!command.known) return command;
    if (!args.known) return args;
    const where = command.value === null && args.value !== null ? args.where : command.where;
    return { known: true, value: [command.value, args.value], where };
  };
  const [one, other] = [whole(a), whole(b)];
  // Where one side knows what its image runs, the other's image is taken to run the same.
  const image = { a: a.imageDefaults ?? b.imageDefaults, b: b.imageDefaults ?? a.imageDefaults };
  const meaning = (value: (string[] | null)[], at: "a" | "b"): string => {
    const [command = null, args = null] = value;
    const unsaid = command === null && args === null;
    const ofImage = image[at];
    const vector = [
      ...(command ?? ofImage?.entrypoint ?? []),
      ...(args ?? (command === null ? (ofImage?.command ?? []) : [])),
    ];
    const said = program(vector).map((part) => addresses[at].meaning(part));
    // Where all that runs is said on both sides, it is the same wherever it is cut in two.
    return JSON.stringify([unsaid && ofImage === undefined, said]);
  };
  compareFact(
    draft,
    { code: "command", service: name, what: "Another command runs.", a: one, b: other },
    {
      same: (left, right) => meaning(left, "a") === meaning(right, "b"),
      show: ([command = null, args = null]) =>
        command === null && args === null
          ? "as the image has it"
          : redactor.argv([...(command ?? []), ...(args ?? [])]),
    },
  );
  if (
    a.workingDir.known &&
    b.workingDir.known &&
    a.workingDir.value !== null &&
    b.workingDir.value !== null
  ) {
    const what = "The working directory differs.";
    const facts = { a: a.workingDir, b: b.workingDir };
    const show = (text: string | null): string | null => text;
    compareFact(
      draft,
      { code: "working-dir", service: name, what, ...facts },
      { same: equal, show },
    );
  }
}

function compareRights({ name, a, b }: Both, { draft }: Context): void {
  const image = a.imageDefaults ?? b.imageDefaults;
  compareFact(
    draft,
    { code: "user", service: name, what: "It runs as another user.", a: a.user, b: b.user },
    {
      same: (one, other) => sameUser(one, other, image),
      show: (user) => user ?? "as the image has it",
    },
  );
  compareFact(
    draft,
    {
      code: "read-only-root",
      service: name,
      what: "The root file system is read-only on one side.",
      a: a.readOnlyRoot,
      b: b.readOnlyRoot,
    },
    { same: equal, show: (value) => (value ? "read-only" : "writable") },
  );
  const rights = (service: Both["a"]): Fact<string> => {
    const { capabilitiesAdded: added, capabilitiesDropped: dropped } = service;
    if (!added.known) return added;
    if (!dropped.known) return dropped;
    const parts = [
      ...added.value.toSorted().map((each) => `+${each}`),
      ...dropped.value.toSorted().map((each) => `-${each}`),
    ];
    const where = added.value.length === 0 ? dropped.where : added.where;
    return { known: true, value: parts.join(" "), where };
  };
  compareFact(
    draft,
    {
      code: "capabilities",
      service: name,
      what: "Capabilities differ.",
      a: rights(a),
      b: rights(b),
    },
    { same: equal, show: (text) => text || "the engine's usual ones" },
  );
  compareHostAccess({ name, a, b }, draft);
}

function compareHostAccess({ name, a, b }: Both, draft: Context["draft"]): void {
  const kinds = new Set(
    [...a.hostAccess, ...b.hostAccess].flatMap((each) => (each.known ? [each.value.what] : [])),
  );
  for (const kind of kinds) {
    const of = ({ hostAccess }: Both["a"]) =>
      hostAccess.find((each) => each.known && each.value.what === kind);
    const [one, other] = [of(a), of(b)];
    const same = (one === undefined) === (other === undefined);
    draft.count(same);
    if (same) continue;
    const shown = (fact: typeof one, at: Both["a"]) =>
      fact === undefined ? side(null, at.name.where) : sideOf(fact, (each) => each.detail);
    const what = `One side asks for ${kind}.`;
    const sides = { a: shown(one, a), b: shown(other, b) };
    draft.add({ code: "host-access", service: name, subject: kind, what, ...sides });
  }
}

/** A group that one side does not say is the user's own; a user that it does not say, the image's. */
function sameUser(
  one: string | null,
  other: string | null,
  image: ImageDefaults | undefined,
): boolean {
  const unsaid = image === undefined ? null : (image.user ?? "0");
  const [a, b] = [one ?? unsaid, other ?? unsaid];
  if (a === null || b === null) return a === b;
  const parts = (user: string) => user.split(":").map((each) => (each === "root" ? "0" : each));
  const [[user, group], [otherUser, otherGroup]] = [parts(a), parts(b)];
  const groups = group === undefined || otherGroup === undefined || group === otherGroup;
  return user === otherUser && groups;
}

function compareLimits({ name, a, b }: Both, { draft }: Context): void {
  const bytes = (value: number | null) => (value === null ? "no limit" : formatBytes(value));
  const cores = (value: number | null) => (value === null ? "no limit" : `${value} cores`);
  const limit = (code: "memory-limit" | "cpu-limit", what: string) => ({
    code,
    service: name,
    what,
  });
  compareFact(
    draft,
    {
      ...limit("memory-limit", "The memory limit differs."),
      a: a.memoryLimitBytes,
      b: b.memoryLimitBytes,
    },
    { same: equal, show: bytes },
  );
  compareFact(
    draft,
    { ...limit("cpu-limit", "The CPU limit differs."), a: a.cpuLimitCores, b: b.cpuLimitCores },
    { same: equal, show: cores },
  );
  const asked = (key: "memoryRequestBytes" | "cpuRequestCores", subject: string) =>
    compareFact(
      draft,
      {
        code: "requests",
        service: name,
        subject,
        what: `The request for ${subject} differs.`,
        a: a[key],
        b: b[key],
      },
      {
        same: (one, other) => one === null || other === null || one === other,
        show: key === "cpuRequestCores" ? cores : bytes,
      },
    );
  asked("memoryRequestBytes", "memory");
  asked("cpuRequestCores", "cpu");
  comparePlatform({ name, a, b }, draft);
  compareFact(
    draft,
    {
      code: "replicas",
      service: name,
      what: "The number of copies differs.",
      a: a.replicas,
      b: b.replicas,
    },
    { same: equal, show: (copies) => (copies === 1 ? "1 copy" : `${copies} copies`) },
  );
}

/** A side that says nothing runs on any machine: then nothing differs. */
function comparePlatform({ name, a, b }: Both, draft: Context["draft"]): void {
  if (!a.platform.known || !b.platform.known) return;
  if (a.platform.value === null || b.platform.value === null) return;
  // `arm64/v8` is what arm64 means.
  const canonical = (text: string | null) => (text ?? "").replace(/^(linux\/arm64)\/v8$/, "$1");
  compareFact(
    draft,
    {
      code: "platform",
      service: name,
      what: "The platform differs.",
      a: a.platform,
      b: b.platform,
    },
    { same: (one, other) => canonical(one) === canonical(other), show: (text) => text },
  );
}

export function formatBytes(bytes: number): string {
  const units = ["Ki", "Mi", "Gi", "Ti"];
  let [value, unit] = [bytes, ""];
  for (const next of units) {
    if (value < 1024 || value % 1024 !== 0) break;
    [value, unit] = [value / 1024, next];
  }
  return unit === "" ? `${value} bytes` : `${value}${unit}`;
}
