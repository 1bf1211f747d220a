import type { MemberSpec, Observed, ObservedMember } from "../observed.ts";
import type { FileChanges } from "../services.ts";
import type { Owner, SupervisorAddress } from "../steps.ts";
import type { FakeFile } from "./files.ts";
import type { FakeLog } from "./log.ts";

/** A container of the fake engine. */
export interface Member {
  readonly spec: MemberSpec;
  readonly dev: boolean;
  state: ObservedMember["state"];
  exitCode: number | null;
  outOfMemory: boolean;
  /** Of the supervisor that entered it. */
  entered: { readonly address: SupervisorAddress; readonly boot: string } | null;
  readonly log: FakeLog;
  /** What was put into it, and what that is known by. */
  readonly files: readonly FakeFile[];
  readonly filesKey: string;
  /** What was changed in it, in order. */
  readonly changes: FileChanges[];
}

export function observed(service: string, member: Member): ObservedMember {
  const { state, exitCode, outOfMemory, entered, spec } = member;
  return { service, state, exitCode, outOfMemory, entered: entered !== null, runs: spec };
}

/** All that the fake engine has of one owner. */
export interface Held {
  readonly owner: Owner;
  sandbox: Observed["sandbox"];
  readonly members: Map<string, Member>;
  readonly volumes: Set<string>;
  boot: string;
}

/** What a start makes of a member, whatever it was before. */
export const justStarted = {
  state: "running",
  exitCode: null,
  outOfMemory: false,
  entered: null,
} as const;

export function endAll(held: Held): void {
  if (held.sandbox === "running") held.sandbox = "exited";
  for (const member of held.members.values()) {
    if (member.state !== "running") continue;
    member.state = "exited";
    member.exitCode = 143;
    leave(member);
  }
}

/** What entered a member ends with it, and so does who follows its log. */
export function leave(member: Member): void {
  member.entered = null;
  member.log.lookAgain();
}
