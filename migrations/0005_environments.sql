CREATE TABLE "environments" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"docker_host" text NOT NULL,
	"certificates" text,
	"project" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "environments_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "workspace_configurations" (
	"workspace_id" text PRIMARY KEY NOT NULL,
	"path" text NOT NULL,
	"given" text
);
--> statement-breakpoint
ALTER TABLE "workspace_configurations" ADD CONSTRAINT "workspace_configurations_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE cascade ON UPDATE no action;