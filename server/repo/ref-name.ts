/** No text that we take from a URL or a remote may hold these: they hide or forge what is shown. */
export const forbiddenCharacter = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\p{Bidi_Control}\\]/u;

/**
 * Whether git takes `name` for a ref's name, by the rules of git-check-ref-format(1). Stricter in
 * one point: a dash in front, which git itself refuses for a new branch, is refused here too.
 *
 * @param name a full ref such as `refs/heads/main`, or what stands behind `refs/heads/`.
 */
export function isRefName(name: string): boolean {
  return (
    name !== "" &&
    name !== "@" &&
    !name.startsWith("-") &&
    !/^\/|\/\/|[/.]$|\.\.|@\{|[ ~^:?*[]/.test(name) &&
    !/(^|\/)\.|\.lock(\/|$)/.test(name) &&
    !forbiddenCharacter.test(name)
  );
}

/** `main` of `refs/heads/main`, `v1` of `refs/tags/v1`, `pull-5` of `refs/pull/5/head`. */
export function shortRef(ref: string): string {
  const change = /^refs\/(pull|merge-requests|pull-requests)\/(\d+)\/(head|from)$/.exec(ref);
  if (change !== null) return `${change[1]}-${change[2]}`;
  return ref.replace(/^refs\/(heads|tags)\//, "");
}
