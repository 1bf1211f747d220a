CREATE TABLE "ssh_codes" (
	"token_id" text PRIMARY KEY NOT NULL,
	"hash" "bytea" NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ssh_codes_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
ALTER TABLE "ssh_codes" ADD CONSTRAINT "ssh_codes_token_id_tokens_id_fk" FOREIGN KEY ("token_id") REFERENCES "public"."tokens"("id") ON DELETE cascade ON UPDATE no action;