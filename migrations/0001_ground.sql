CREATE TABLE "credentials" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"host" text NOT NULL,
	"username" text NOT NULL,
	"secret" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "port_settings" (
	"workspace_id" text NOT NULL,
	"service" text NOT NULL,
	"port" integer NOT NULL,
	"visibility" text NOT NULL,
	CONSTRAINT "port_settings_workspace_id_service_port_pk" PRIMARY KEY("workspace_id","service","port")
);
--> statement-breakpoint
CREATE TABLE "variables" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"pattern" text NOT NULL,
	"value" "bytea" NOT NULL,
	"secret" boolean NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "tokens" ADD COLUMN "last_used_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "commit_name" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "commit_email" text;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "dotfiles_url" text;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "ports" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "behind" integer;--> statement-breakpoint
ALTER TABLE "workspaces" ADD COLUMN "work" jsonb;--> statement-breakpoint
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "port_settings" ADD CONSTRAINT "port_settings_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "variables" ADD CONSTRAINT "variables_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "credentials_host" ON "credentials" USING btree ("user_id","host");--> statement-breakpoint
CREATE UNIQUE INDEX "variables_name" ON "variables" USING btree ("user_id","name","pattern");