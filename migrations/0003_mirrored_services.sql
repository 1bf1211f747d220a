CREATE TABLE "workspace_services" (
	"workspace_id" text NOT NULL,
	"service" text NOT NULL,
	"state" text NOT NULL,
	"health" text,
	"reason" text,
	"restarts" integer NOT NULL,
	"since" timestamp with time zone NOT NULL,
	CONSTRAINT "workspace_services_workspace_id_service_pk" PRIMARY KEY("workspace_id","service")
);
--> statement-breakpoint
ALTER TABLE "workspace_services" ADD CONSTRAINT "workspace_services_workspace_id_workspaces_id_fk" FOREIGN KEY ("workspace_id") REFERENCES "public"."workspaces"("id") ON DELETE cascade ON UPDATE no action;