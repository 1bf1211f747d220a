CREATE TABLE "registry_images" (
	"image" text PRIMARY KEY NOT NULL,
	"is_public" boolean NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
