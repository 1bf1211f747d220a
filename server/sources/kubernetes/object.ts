import type { Place } from "../../protocol/fact.ts";
import type { LeftOut } from "../../protocol/source-model.ts";
import { quote } from "../yaml/source-text.ts";
import type { Value } from "./value.ts";

/** Where `kubectl apply` puts what names no namespace. */
export const defaultNamespace = "default";

/** One object of the API, such as a Deployment. */
export class ApiObject {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly root: Value;
  /** What was read and is not run; shared by all objects. */
  readonly leftOut: LeftOut[];
  /** The API would not take it. */
  broken = false;

  constructor(kind: string, root: Value, leftOut: LeftOut[]) {
    const metadata = root.get("metadata");
    this.kind = kind;
    this.root = root;
    this.leftOut = leftOut;
    this.name = metadata?.text("name") ?? metadata?.text("generateName") ?? "";
    this.namespace = metadata?.text("namespace") ?? defaultNamespace;
  }

  /** As the API names it in its messages. */
  get label(): string {
    return `${this.kind} ${quote(this.name)}`;
  }

  get spec(): Value | null {
    return this.root.get("spec");
  }

  get where(): Place {
    return this.root.where;
  }

  get labels(): Map<string, string> {
    return this.root.get("metadata")?.map("labels") ?? new Map();
  }

  /** Something that the API refuses: `what` in its words. */
  refuse(at: Value, code: string, what: string): void {
    this.broken = true;
    this.#report(at, { severity: "error", code, message: what });
  }

  /** Something that the API takes and that cannot be meant. */
  warn(at: Value, code: string, what: string): void {
    this.#report(at, { severity: "warning", code, message: what });
  }

  /** Names a part of the object as not read. */
  leave(at: Value, why: string, what: string = at.path): void {
    this.leftOut.push({ what: `${this.kind}/${this.name}: ${what}`, why, where: at.where });
  }

  #report(
    at: Value,
    finding: { severity: "error" | "warning"; code: string; message: string },
  ): void {
    const path = at.path === "" ? "" : `${at.path}: `;
    const message = `${this.label}: ${path}${finding.message}`;
    at.node.source.report(at.node.written, { ...finding, message });
  }
}
