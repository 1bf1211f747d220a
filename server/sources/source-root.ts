/**
 * Where the source volume is mounted unless a file says otherwise. (The devfile specification's own
 * default is `/projects`; programs find the place by `PROJECTS_ROOT`, which says what holds.)
 */
export const sourceRoot = "/workspace";
