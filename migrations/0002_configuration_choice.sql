CREATE TABLE "configuration_choices" (
	"user_id" text NOT NULL,
	"repository" text NOT NULL,
	"path" text NOT NULL,
	CONSTRAINT "configuration_choices_user_id_repository_pk" PRIMARY KEY("user_id","repository")
);
--> statement-breakpoint
ALTER TABLE "configuration_choices" ADD CONSTRAINT "configuration_choices_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;