import type { LeftOut } from "../../../protocol/source-model.ts";
import type { FilePlace } from "../finding.ts";
import { compare, imageVersions, parseVersion } from "../versions.ts";

/** That Debian's version of a language is older than the repository wants; nothing where it is not. */
export function tooOld(
  language: keyof typeof imageVersions,
  {
    name,
    found,
  }: {
    readonly name: string;
    /** Its first group is the version. */
    readonly found: { readonly match: RegExpExecArray; readonly at: FilePlace } | null;
  },
): LeftOut[] {
  const wanted = parseVersion(found?.match[1] ?? "");
  const have = imageVersions[language];
  if (found === null || wanted === null || compare(have, wanted) >= 0) return [];
  return [
    {
      what: `${name} ${wanted.join(".")}`,
      why: `Debian's ${name} is ${have.join(".")}, and is installed: for a newer one, name an image in a devfile.`,
      where: found.at,
    },
  ];
}
