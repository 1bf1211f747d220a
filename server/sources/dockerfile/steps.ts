import { OneloopError } from "../../protocol/errors.ts";
import type { DockerfileInstruction } from "./instruction.ts";
import type { Dockerfile, DockerfileStage } from "./read.ts";

/** Instructions in a row of which none runs a program, or one that does. */
export type BuildStep =
  | { readonly kind: "plain"; readonly instructions: readonly DockerfileInstruction[] }
  | (DockerfileInstruction & { readonly kind: "run" });

/** The instructions of a stage, in the fewest steps in which each program stands alone. */
export function stepsOf(stage: DockerfileStage): BuildStep[] {
  const steps: (BuildStep & { instructions?: DockerfileInstruction[] })[] = [];
  for (const instruction of stage.instructions) {
    const last = steps.at(-1);
    if (instruction.kind === "run") steps.push(instruction);
    else if (last?.kind === "plain") last.instructions.push(instruction);
    else steps.push({ kind: "plain", instructions: [instruction] });
  }
  return steps;
}

/**
 * The stages that a target needs, in their order, it itself last; without a target the last stage of
 * the file.
 *
 * @param nameOf what a stage's FROM says, with its variables filled in
 * @throws OneloopError `bad-input` for a target that is not there
 */
export function stagesFor(
  { stages }: Dockerfile,
  target: string | null,
  nameOf: (stage: DockerfileStage) => string,
): DockerfileStage[] {
  const wanted = target === null ? stages.length - 1 : stageIndex(stages, target, stages.length);
  if (wanted === null) {
    throw new OneloopError("bad-input", `The Dockerfile has no stage ${target}.`);
  }
  const needed = new Set<number>();
  const visit = (index: number): void => {
    const stage = stages[index];
    if (stage === undefined || needed.has(index)) return;
    needed.add(index);
    const names = [nameOf(stage), ...stage.instructions.flatMap(copiedFrom)];
    for (const name of names) {
      const of = stageIndex(stages, name, index);
      if (of !== null) visit(of);
    }
  };
  visit(wanted);
  return [...needed].sort((a, b) => a - b).flatMap((index) => stages[index] ?? []);
}

/** A stage by its name, or its number from 0, among those before `before`; the last of a name. */
export function stageIndex(
  stages: readonly DockerfileStage[],
  name: string,
  before: number,
): number | null {
  for (let index = before - 1; index >= 0; index -= 1) {
    if (stages[index]?.name?.toLowerCase() === name.toLowerCase()) return index;
  }
  const number = /^\d{1,4}$/.test(name) ? Number(name) : -1;
  return number >= 0 && number < before ? number : null;
}

function copiedFrom(instruction: DockerfileInstruction): string[] {
  return instruction.kind === "copy" && instruction.from !== null ? [instruction.from] : [];
}

/**
 * Fills in `$X`, `${X}`, `${X:-default}` and `${X:+other}` (Dockerfile reference, "Environment
 * replacement"); what is not known is empty, as in the engine's own builder. Pure.
 */
export function expandVariables(
  text: string,
  scope: ReadonlyMap<string, string>,
  escape = "\\",
): string {
  let out = "";
  for (let at = 0; at < text.length;) {
    const char = text[at] ?? "";
    if (char === escape && text[at + 1] !== undefined) {
      out += text[at + 1];
      at += 2;
      continue;
    }
    const match = /^\$(?:(\w+)|\{(\w+)(?:(:[-+])([^{}]*))?\})/.exec(text.slice(at, at + 1000));
    if (match === null) {
      out += char;
      at += 1;
      continue;
    }
    const [whole, bare, braced = "", operator, word = ""] = match;
    const value = scope.get(bare ?? braced) ?? "";
    if (operator === ":-") out += value === "" ? expandVariables(word, scope, escape) : value;
    else if (operator === ":+") out += value === "" ? "" : expandVariables(word, scope, escape);
    else out += value;
    at += whole.length;
  }
  return out;
}
