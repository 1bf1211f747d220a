import { quote } from "./yaml/source-text.ts";

/** A file of ten thousand names and as many wrong ones would take seconds otherwise. */
const maxCompared = 200;

/** Those of `names` that somebody who wrote `wanted` may have meant: at most three. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  const near: string[] = [];
  let compared = 0;
  for (const name of names) {
    if (near.length === 3 || compared === maxCompared) break;
    compared += 1;
    if (sameWord(name) === sameWord(wanted) || oneSlipApart(name, wanted)) near.push(name);
  }
  return near;
}

/** `; did you mean "web"?`, or nothing where no name is near. */
export function didYouMean(wanted: string, names: Iterable<string>): string {
  const near = nearNames(wanted, names).map(quote);
  return near.length === 0 ? "" : `; did you mean ${near.join(" or ")}?`;
}

function sameWord(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, "");
}

/** One character more, less, or another, or two neighbours exchanged. */
function oneSlipApart(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  const restA = a.slice(start);
  const restB = b.slice(start);
  return (
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0])
  );
}
