import { quote } from "../yaml/source-text.ts";

/** What is said in more than one place is said in the same words: it is then reported once. */

export function badChoice(value: string, choices: readonly unknown[]): string {
  return `${quote(value)} is none of ${choices.join(", ")}: use one of them.`;
}

export function badName(name: string, maxChars: number): string {
  if (name.length > maxChars) return `A name has at most ${maxChars} characters here: shorten it.`;
  return `${quote(name)} is no name: use a-z, 0-9 and "-", beginning and ending with a letter or digit.`;
}

export function kindless({ one, example }: { one: string; example: string }): string {
  return `This ${one} says not what it is: add ${example}.`;
}

export function severalKinds(one: string, first: string, second: string): string {
  return `A ${one} is one thing, not ${first} and ${second}: split it.`;
}
