import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { HostAccess } from "../../protocol/service.ts";
import { quote } from "../yaml/source-text.ts";
import { deviceKeys } from "./keys.ts";
import { textOf } from "./part.ts";
import type { Mark } from "./part.ts";
import { Section } from "./section.ts";
import { anyText, truth } from "./values.ts";

/** Rights over the machine that a service asks for; those of its mounts are read with these. */
export function readHostAccess(service: Section): Fact<HostAccess>[] {
  const found: Fact<HostAccess>[] = [];
  const add = (what: HostAccess["what"], detail: string, mark: Mark): void => {
    found.push(known({ what, detail }, mark.where));
  };
  for (const [name, what] of [
    ["privileged", "privileged"],
    ["use_api_socket", "docker-socket"],
  ] as const) {
    const part = service.get(name);
    if (part !== null && service.value(name, truth) === true) add(what, name, part.mark);
  }
  for (const [name, what] of [
    ["pid", "host-pid"],
    ["ipc", "host-ipc"],
  ] as const) {
    const part = service.get(name);
    const text = service.value(name, anyText);
    if (part === null || text === null) continue;
    if (text === "host") add(what, `${name}: host`, part.mark);
    else if (text !== "private" && text !== "") {
      service.list(name, "A service of a workspace shares no processes and no memory.");
    }
  }
  for (const item of service.items("devices")) {
    const long =
      item.kind === "map" ? new Section(item, `device of ${service.of}`, service.leftOut) : null;
    const text = long?.check(deviceKeys).value("source", anyText) ?? null;
    const device = long === null ? textOf(item) : text;
    if (device !== null) add("device", device, item.mark);
  }
  for (const item of service.items("device_cgroup_rules")) {
    const rule = textOf(item);
    if (rule !== null) add("device", rule, item.mark);
  }
  for (const item of service.items("security_opt")) {
    const option = textOf(item);
    if (option === null) continue;
    // It takes a right away, and none of the machine's is in it.
    if (/^no-new-privileges(?:[:=]|$)/.test(option)) {
      const why = "A workspace decides itself what its programs may become.";
      service.listAt(item.mark, `security_opt ${quote(option)} of ${service.of}`, why);
    } else add("security-option", option, item.mark);
  }
  return found;
}

/** The capabilities of `cap_add` or `cap_drop`, without their prefix. */
export function readCapabilities(service: Section, name: "cap_add" | "cap_drop"): Fact<string[]> {
  const names = service.items(name).flatMap((item) => textOf(item) ?? []);
  const plain = names.map((each) => each.toUpperCase().replace(/^CAP_/, ""));
  return known([...new Set(plain)], (service.get(name)?.mark ?? service.map.mark).where);
}
