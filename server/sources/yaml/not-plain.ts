/** Thrown where only the full parser knows; one for all, because it is control flow and no failure. */
export const notPlain = new Error("This needs the full parser.");
