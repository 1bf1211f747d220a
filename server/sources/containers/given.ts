import type { Place } from "../../protocol/fact.ts";
import type { Container, Image } from "./answers.ts";

/** A container with its image, and how a place in what the engine says of it is called. */
export interface Given {
  readonly container: Container;
  /** Null: the engine did not say, such as of an image that was removed. */
  readonly image: Image | null;
  /** The service that it is a copy of. */
  readonly service: string;
  readonly at: (path: string) => Place;
}

export const valuesNotRead = "values of running containers are not read";

type Argv = readonly string[] | null | undefined;

export function sameArgv(one: Argv, other: Argv): boolean {
  return JSON.stringify(one ?? []) === JSON.stringify(other ?? []);
}
