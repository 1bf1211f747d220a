import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SyncRule } from "../../protocol/service.ts";
import { developKeys, watchKeys } from "./keys.ts";
import { mapOf, textOf } from "./part.ts";
import type { Part } from "./part.ts";
import { resolvePath, whyOutside } from "./paths.ts";
import { Section } from "./section.ts";
import { anyText } from "./values.ts";

const actions = ["sync", "sync+restart", "restart", "rebuild"] as const;

const action = {
  wanted: `action: write one of ${actions.join(", ")}`,
  parse: (text: string) => actions.find((one) => one === text) ?? null,
};

/** The rules of `docker compose watch`: what a saved file does (compose-spec, "develop.md"). */
export function readDevelopWatch(service: Section): Fact<SyncRule>[] {
  const develop = service.section("develop", developKeys);
  return (develop?.items("watch") ?? []).flatMap((item) => {
    const map = mapOf(item);
    if (map === null) return [];
    const rule = new Section(map, `watch of ${service.of}`, service.leftOut).check(watchKeys);
    const read = readRule(rule, item);
    return read === null ? [] : [known(read, item.mark.where)];
  });
}

function readRule(rule: Section, item: Part): SyncRule | null {
  const said = rule.get("action");
  if (said !== null && textOf(said) === "sync+exec") {
    rule.listAt(item.mark, rule.of, "No command is run after a sync.");
    return null;
  }
  const does = rule.value("action", action);
  const at = rule.get("path");
  const text = rule.value("path", anyText);
  if (does === null || at === null || text === null) return null;
  const path = resolvePath(at.mark.origin.folder, text);
  if ("outside" in path) {
    rule.listAt(at.mark, rule.of, `It is elsewhere: ${whyOutside(path)}.`);
    return null;
  }
  const target = rule.value("target", anyText);
  if (does.startsWith("sync") && target?.startsWith("/") !== true) {
    rule.listAt(item.mark, rule.of, "It names no absolute path in the container as its target.");
    return null;
  }
  const texts = (name: string): string[] => rule.items(name).flatMap((part) => textOf(part) ?? []);
  return {
    path: path.path,
    action: does,
    target: does.startsWith("sync") ? target : null,
    ignore: texts("ignore"),
    include: texts("include"),
  };
}
