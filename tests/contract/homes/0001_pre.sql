PRAGMA application_id = 1130916983;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO "alembic_version" VALUES('0001_pre');
CREATE TABLE artifacts (
	tenant_id TEXT NOT NULL, 
	attempt_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	PRIMARY KEY (tenant_id, attempt_id, name), 
	FOREIGN KEY(tenant_id, attempt_id) REFERENCES attempts (tenant_id, attempt_id), 
	FOREIGN KEY(tenant_id, sha256) REFERENCES blobs (tenant_id, sha256)
)
 WITHOUT ROWID

;
CREATE TABLE attempts (
	tenant_id TEXT NOT NULL, 
	attempt_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	notebook TEXT NOT NULL, 
	kernel TEXT, 
	parameters TEXT NOT NULL, 
	timeout_sec FLOAT, 
	status TEXT NOT NULL, 
	fence BIGINT NOT NULL, 
	queue_number BIGINT NOT NULL, 
	queued_at BIGINT NOT NULL, 
	runner_id TEXT, 
	owner_id TEXT, 
	lease_expires_at BIGINT, 
	started_at BIGINT, 
	ended_at BIGINT, 
	progress TEXT, 
	failure TEXT, 
	PRIMARY KEY (tenant_id, attempt_id), 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
);
INSERT INTO "attempts" VALUES('local','wfi_01m88g9xzp1mkpe1j7v7ypscfv.one.1','wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv','one',1,'n.ipynb',NULL,'{"n":1}',NULL,'queued',0,9,1795581868039518,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE blobs (
	tenant_id TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	touched_at BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, sha256)
)
 WITHOUT ROWID

;
CREATE TABLE continuations (
	continuation_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	tenant_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	about TEXT, 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
);
CREATE TABLE decisions (
	tenant_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	phase TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	decision TEXT NOT NULL, 
	decided_at BIGINT NOT NULL, 
	reason TEXT, 
	data TEXT NOT NULL, 
	PRIMARY KEY (tenant_id, instance_id, seq, phase, principal), 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "decisions" VALUES('local','wfi_01m88g9xzp1mkpe1j7v7ypscfv',2,'one','local','approve',1795581868039518,'fine','{}');
CREATE TABLE definitions (
	tenant_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version TEXT NOT NULL, 
	content_hash TEXT NOT NULL, 
	bundle_sha256 TEXT NOT NULL, 
	entry TEXT NOT NULL, 
	definition TEXT NOT NULL, 
	pins TEXT NOT NULL, 
	published_at BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, name, version)
);
INSERT INTO "definitions" VALUES('local','older','1.0.0','88fcce06e19f4a529671454c3abd480a244ea45b5b037d51f7bff25ccd7e0918','88fcce06e19f4a529671454c3abd480a244ea45b5b037d51f7bff25ccd7e0918','definition.yaml','{"name":"older","automation_level":100,"phases":[{"name":"one","notebook":"n.ipynb","gate":{"title":"Begin","expires_sec":3600.0}},{"name":"two","notebook":"n.ipynb"}]}','{}',1795581868021100);
CREATE TABLE events (
	tenant_id TEXT NOT NULL, 
	position BIGINT NOT NULL, 
	event_id TEXT NOT NULL, 
	type TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	instance_id TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	place INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	principal TEXT NOT NULL, 
	phase TEXT, 
	attempt INTEGER, 
	data TEXT NOT NULL, 
	PRIMARY KEY (tenant_id, position)
)
 WITHOUT ROWID

;
INSERT INTO "events" VALUES('local',1,'evt_01m88g9xzp1mkpe1j7v7ypscfv_1_0','InstanceCreated',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',1,0,1795581868022884,'local',NULL,NULL,'{"schema_id":"older@1.0.0"}');
INSERT INTO "events" VALUES('local',2,'evt_01m88g9xzp1mkpe1j7v7ypscfv_1_1','StepTriggered',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',1,1,1795581868022884,'local',NULL,NULL,'{"trigger_data":{}}');
INSERT INTO "events" VALUES('local',3,'evt_01m88g9xzp1mkpe1j7v7ypscfv_1_2','InstanceStarted',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',1,2,1795581868022884,'local',NULL,NULL,'{}');
INSERT INTO "events" VALUES('local',4,'evt_01m88g9xzp1mkpe1j7v7ypscfv_1_3','InstanceWaiting',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',1,3,1795581868022884,'local','one',NULL,'{"reason":"approval","detail":"Begin"}');
INSERT INTO "events" VALUES('local',5,'evt_01m88g9xzxzq90psmkmbpebhxm_1_0','InstanceCreated',1,'wfi_01m88g9xzxzq90psmkmbpebhxm','wfi_01m88g9xzxzq90psmkmbpebhxm',1,0,1795581868029558,'local',NULL,NULL,'{"schema_id":"older@1.0.0"}');
INSERT INTO "events" VALUES('local',6,'evt_01m88g9xzxzq90psmkmbpebhxm_1_1','StepTriggered',1,'wfi_01m88g9xzxzq90psmkmbpebhxm','wfi_01m88g9xzxzq90psmkmbpebhxm',1,1,1795581868029558,'local',NULL,NULL,'{"trigger_data":{}}');
INSERT INTO "events" VALUES('local',7,'evt_01m88g9xzxzq90psmkmbpebhxm_1_2','InstanceStarted',1,'wfi_01m88g9xzxzq90psmkmbpebhxm','wfi_01m88g9xzxzq90psmkmbpebhxm',1,2,1795581868029558,'local',NULL,NULL,'{}');
INSERT INTO "events" VALUES('local',8,'evt_01m88g9xzxzq90psmkmbpebhxm_1_3','InstanceWaiting',1,'wfi_01m88g9xzxzq90psmkmbpebhxm','wfi_01m88g9xzxzq90psmkmbpebhxm',1,3,1795581868029558,'local','one',NULL,'{"reason":"approval","detail":"Begin"}');
INSERT INTO "events" VALUES('local',9,'evt_01m88g9xzp1mkpe1j7v7ypscfv_2_0','StepTriggered',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',2,0,1795581868039518,'local','one',NULL,'{"trigger_data":{},"decision":"approve","reason":"fine"}');
INSERT INTO "events" VALUES('local',10,'evt_01m88g9xzp1mkpe1j7v7ypscfv_2_1','GateDecided',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',2,1,1795581868039518,'local','one',NULL,'{"decision":"approve","reason":"fine"}');
INSERT INTO "events" VALUES('local',11,'evt_01m88g9xzp1mkpe1j7v7ypscfv_2_2','GateOpened',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',2,2,1795581868039518,'local','one',NULL,'{"by":"people"}');
INSERT INTO "events" VALUES('local',12,'evt_01m88g9xzp1mkpe1j7v7ypscfv_2_3','PhaseQueued',1,'wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',2,3,1795581868039518,'local','one',1,'{}');
CREATE TABLE instances (
	tenant_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	parent_id TEXT, 
	parent_phase TEXT, 
	child_index INTEGER, 
	feature_id TEXT, 
	name TEXT NOT NULL, 
	born BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	status TEXT NOT NULL, 
	waiting_reason TEXT, 
	paused BOOLEAN NOT NULL, 
	birth TEXT NOT NULL, 
	state TEXT NOT NULL, 
	PRIMARY KEY (tenant_id, instance_id)
);
INSERT INTO "instances" VALUES('local','wfi_01m88g9xzp1mkpe1j7v7ypscfv','wfi_01m88g9xzp1mkpe1j7v7ypscfv',NULL,NULL,NULL,NULL,'older',1,1795581868022884,2,'running',NULL,0,'{"version":"1.0.0","content_hash":"88fcce06e19f4a529671454c3abd480a244ea45b5b037d51f7bff25ccd7e0918","principal":"local","context":{"n":1},"automation_level":100,"quota":{},"depth":0,"meta":{}}','{"updated_at":1795581868039518,"started_at":1795581868022884,"ended_at":null,"waiting_detail":null,"phase":"one","phases":{"one":{"state":"active","attempts":1,"failures":0,"lost":0,"triggered":false,"approved":true,"notebook_done":false,"started_at":1795581868022884,"ended_at":null,"reason":null}},"attempt":["wfi_01m88g9xzp1mkpe1j7v7ypscfv.one.1",1,false],"fan_out":null,"reported_risk":0,"spent_sec":0.0,"descendants":0,"failure":null,"variables":{}}');
INSERT INTO "instances" VALUES('local','wfi_01m88g9xzxzq90psmkmbpebhxm','wfi_01m88g9xzxzq90psmkmbpebhxm',NULL,NULL,NULL,NULL,'older',5,1795581868029558,1,'waiting','approval',0,'{"version":"1.0.0","content_hash":"88fcce06e19f4a529671454c3abd480a244ea45b5b037d51f7bff25ccd7e0918","principal":"local","context":{"n":1},"automation_level":100,"quota":{},"depth":0,"meta":{}}','{"updated_at":1795581868029558,"started_at":1795581868029558,"ended_at":null,"waiting_detail":"Begin","phase":"one","phases":{"one":{"state":"active","attempts":0,"failures":0,"lost":0,"triggered":false,"approved":false,"notebook_done":false,"started_at":1795581868029558,"ended_at":null,"reason":null}},"attempt":null,"fan_out":null,"reported_risk":0,"spent_sec":0.0,"descendants":0,"failure":null,"variables":{}}');
CREATE TABLE journal (
	tenant_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	name TEXT NOT NULL, 
	attempt_id TEXT NOT NULL, 
	value TEXT NOT NULL, 
	sha256 TEXT, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, instance_id, phase, name), 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE outbox (
	outbox_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	tenant_id TEXT NOT NULL, 
	position BIGINT NOT NULL
);
INSERT INTO "outbox" VALUES(1,'local',1);
INSERT INTO "outbox" VALUES(2,'local',2);
INSERT INTO "outbox" VALUES(3,'local',3);
INSERT INTO "outbox" VALUES(4,'local',4);
INSERT INTO "outbox" VALUES(5,'local',5);
INSERT INTO "outbox" VALUES(6,'local',6);
INSERT INTO "outbox" VALUES(7,'local',7);
INSERT INTO "outbox" VALUES(8,'local',8);
INSERT INTO "outbox" VALUES(9,'local',9);
INSERT INTO "outbox" VALUES(10,'local',10);
INSERT INTO "outbox" VALUES(11,'local',11);
INSERT INTO "outbox" VALUES(12,'local',12);
CREATE TABLE owners (
	owner_id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	boot_id TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_ticks BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	registered_at BIGINT NOT NULL, 
	PRIMARY KEY (owner_id)
)
 WITHOUT ROWID

;
CREATE TABLE request_keys (
	tenant_id TEXT NOT NULL, 
	principal TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	request_sha256 TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, principal, "key")
)
 WITHOUT ROWID

;
INSERT INTO "request_keys" VALUES('local','local','k','bdfc050ce1724e093b2e22a40a505b9d123c648bbe70755ad522d3f68255cc74','{"instance_id":"wfi_01m88g9xzp1mkpe1j7v7ypscfv","status":"running","current_phase":"one","waiting_reason":null,"error":null}',1798173868039785);
CREATE TABLE tenants (
	tenant_id TEXT NOT NULL, 
	last_position BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id)
)
 WITHOUT ROWID

;
INSERT INTO "tenants" VALUES('local',12);
CREATE TABLE timers (
	tenant_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	due_at BIGINT NOT NULL, 
	PRIMARY KEY (tenant_id, instance_id, kind), 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "timers" VALUES('local','wfi_01m88g9xzxzq90psmkmbpebhxm','gate_expiry','wfi_01m88g9xzxzq90psmkmbpebhxm',1795585468029558);
CREATE TABLE trees (
	tenant_id TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	born BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	owner_id TEXT, 
	started_at BIGINT, 
	ended_at BIGINT, 
	busy INTEGER NOT NULL, 
	created INTEGER NOT NULL, 
	running INTEGER NOT NULL, 
	waiting INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	tolerated INTEGER NOT NULL, 
	terminated INTEGER NOT NULL, 
	completed INTEGER NOT NULL, 
	PRIMARY KEY (tenant_id, root_id), 
	FOREIGN KEY(tenant_id, root_id) REFERENCES instances (tenant_id, instance_id)
)
 WITHOUT ROWID

;
INSERT INTO "trees" VALUES('local','wfi_01m88g9xzp1mkpe1j7v7ypscfv',1,1795581868022884,NULL,1795581868022884,NULL,1,0,1,0,0,0,0,0);
INSERT INTO "trees" VALUES('local','wfi_01m88g9xzxzq90psmkmbpebhxm',5,1795581868029558,NULL,1795581868029558,NULL,0,0,0,1,0,0,0,0);
CREATE INDEX definitions_by_bundle ON definitions (tenant_id, bundle_sha256);
CREATE UNIQUE INDEX instances_by_parent ON instances (tenant_id, parent_id, parent_phase, child_index) WHERE parent_id IS NOT NULL;
CREATE INDEX roots_by_feature ON instances (tenant_id, feature_id, born) WHERE parent_id IS NULL;
CREATE INDEX instances_by_root ON instances (tenant_id, root_id, born);
CREATE INDEX roots ON instances (tenant_id, born) WHERE parent_id IS NULL;
CREATE INDEX events_by_instance ON events (tenant_id, instance_id, position);
CREATE INDEX events_by_root ON events (tenant_id, root_id, position);
CREATE INDEX blobs_by_touch ON blobs (tenant_id, touched_at);
CREATE INDEX attempts_by_instance ON attempts (tenant_id, instance_id, queue_number);
CREATE INDEX open_attempts ON attempts (tenant_id, root_id) WHERE status IN ('queued', 'leased');
CREATE INDEX leased_attempts ON attempts (tenant_id, lease_expires_at) WHERE status = 'leased';
CREATE INDEX queued_attempts ON attempts (tenant_id, queued_at, queue_number) WHERE status = 'queued';
CREATE INDEX busy_trees ON trees (tenant_id, born) WHERE busy > 0;
CREATE INDEX trees_by_owner ON trees (tenant_id, owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX timers_by_due ON timers (due_at);
CREATE INDEX journal_by_blob ON journal (tenant_id, sha256);
CREATE INDEX artifacts_by_blob ON artifacts (tenant_id, sha256);
CREATE INDEX artifacts_by_instance ON artifacts (tenant_id, instance_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',12);
COMMIT;
