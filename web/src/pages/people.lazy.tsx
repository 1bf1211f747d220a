import { createLazyRoute } from "@tanstack/react-router";
import { PeoplePage } from "./people.tsx";

export const lazyRoute = createLazyRoute("/signed-in/people")({ component: PeoplePage });
