import { editDistance, nearest, type Nearness } from "../util/nearest.ts";
import { quote } from "./yaml/source-text.ts";

/** Names in a configuration file are short: one slip, or another way to write the same word. */
const inOneFile: Nearness = {
  // A file of ten thousand names and as many wrong ones would take seconds otherwise.
  compared: 200,
  distanceFrom: (wanted) => {
    const word = sameWord(wanted);
    return (name) => (sameWord(name) === word ? 0 : editDistance(wanted, name, 1));
  },
};

/** Those of `names` that somebody who wrote `wanted` may have meant: at most three. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  return nearest(wanted, names, inOneFile);
}

/** `; did you mean "web"?`, or nothing where no name is near. */
export function didYouMean(wanted: string, names: Iterable<string>): string {
  const near = nearNames(wanted, names).map(quote);
  return near.length === 0 ? "" : `; did you mean ${near.join(" or ")}?`;
}

function sameWord(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, "");
}
