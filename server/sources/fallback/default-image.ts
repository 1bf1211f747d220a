/** The image with the usual tools, for repositories that name none. */
export const defaultImage = "oneloop/workspace:latest";
