import { eq } from "drizzle-orm";
import type { Database } from "./database.ts";
import { registryImages } from "./schema.ts";

/** Queries on what is known of images that came from registries. */
export class RegistryImageStore {
  readonly #db: Database["db"];

  constructor(database: Database) {
    this.#db = database.db;
  }

  /** Null where nobody has found out. */
  async isPublic(image: string): Promise<boolean | null> {
    const [row] = await this.#db
      .select({ isPublic: registryImages.isPublic })
      .from(registryImages)
      .where(eq(registryImages.image, image));
    return row?.isPublic ?? null;
  }

  async remember(image: string, isPublic: boolean): Promise<void> {
    await this.#db
      .insert(registryImages)
      .values({ image, isPublic })
      .onConflictDoUpdate({ target: registryImages.image, set: { isPublic } });
  }
}
