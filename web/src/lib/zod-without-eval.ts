import { z } from "zod";

// zod tries whether it may compile its checks with `eval`, already where a schema is made; the
// content security policy forbids it and reports the try. So this is the first import of all.
z.config({ jitless: true });
