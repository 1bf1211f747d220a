/** The package's folder: as deep above this file in `cli/src` as above the bundle in `dist/cli`. */
export const root = new URL("../../", import.meta.url);
