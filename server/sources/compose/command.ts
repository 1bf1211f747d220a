import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceService } from "../../protocol/service.ts";
import { factOf, textOf, whyUnset } from "./part.ts";
import type { Part } from "./part.ts";
import type { Section } from "./section.ts";
import { shellWords } from "./values.ts";

/**
 * `entrypoint` and `command`. A service with an entry point of its own has the image's command no
 * more (Docker, as Kubernetes): it has no arguments unless it gives some.
 */
export function readCommand(service: Section): Pick<SourceService, "command" | "args"> {
  const entrypoint = service.get("entrypoint");
  const command = service.get("command");
  const none = known(null, service.where);
  const cleared = entrypoint === null ? none : known<string[]>([], entrypoint.mark.where);
  return {
    command: entrypoint === null ? none : argumentsOf(entrypoint),
    args: command === null ? cleared : argumentsOf(command),
  };
}

/** A list of arguments, or a line that is split as a shell would. */
export function argumentsOf(part: Part): Fact<string[]> {
  if (part.kind === "scalar") return factOf(part, shellWords, "command: close its quotes");
  const { where } = part.mark;
  if (part.kind === "map") {
    part.mark.error("wrong-type", "A command is a line or a list of arguments, not a map.");
    return unknown("This is no command.", where);
  }
  for (const item of part.items) {
    const why = item.kind === "scalar" ? whyUnset(item) : null;
    if (why !== null) return unknown(why, item.mark.where);
  }
  return known(
    part.items.flatMap((item) => textOf(item) ?? []),
    where,
  );
}
