PRAGMA application_id = 1130916983;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO "alembic_version" VALUES('0002_pre');
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
INSERT INTO "attempts" VALUES('local','wfi_01m88zvq8sqa9888y38v4nm747.one.1','wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747','one',1,'n.ipynb',NULL,'{}',NULL,'queued',0,9,1795598179624844,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "blobs" VALUES('local','7225c7c4f4ed9163dd51f7103e6b8c20f020c403650077d6b99c10946baecfb3',656,'live',1795598179592557);
CREATE TABLE continuations (
	continuation_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	tenant_id TEXT NOT NULL, 
	instance_id TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	about TEXT, 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
);
INSERT INTO "continuations" VALUES(1,'local','wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747','look_for_waiver',NULL);
INSERT INTO "continuations" VALUES(2,'local','wfi_01m88zvq9106na87mvjfywacsb','wfi_01m88zvq9106na87mvjfywacsb','look_for_waiver',NULL);
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
	shown TEXT, 
	claimed BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (tenant_id, instance_id, seq, phase, principal), 
	FOREIGN KEY(tenant_id, instance_id) REFERENCES instances (tenant_id, instance_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "decisions" VALUES('local','wfi_01m88zvq8sqa9888y38v4nm747',2,'one','local','approve',1795598179624844,'fine','{}','44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',0);
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
INSERT INTO "definitions" VALUES('local','older','1.0.0+dev.1e6cadfe','1e6cadfe2209d797bbc111e3812ac06eb3045fdfeee197cc31f676b08584c37b','7225c7c4f4ed9163dd51f7103e6b8c20f020c403650077d6b99c10946baecfb3','definition.yaml','{"name":"older","version":"1.0.0","automation_level":100,"phases":[{"name":"one","notebook":"n.ipynb","gate":{"title":"Begin","expires_sec":3600.0,"waivable":true}},{"name":"two","notebook":"n.ipynb"}]}','{}',1795598179605071);
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
INSERT INTO "events" VALUES('local',1,'evt_01m88zvq8sqa9888y38v4nm747_1_0','InstanceCreated',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',1,0,1795598179609070,'local',NULL,NULL,'{"schema_id":"older@1.0.0+dev.1e6cadfe"}');
INSERT INTO "events" VALUES('local',2,'evt_01m88zvq8sqa9888y38v4nm747_1_1','StepTriggered',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',1,1,1795598179609070,'local',NULL,NULL,'{"trigger_data":{}}');
INSERT INTO "events" VALUES('local',3,'evt_01m88zvq8sqa9888y38v4nm747_1_2','InstanceStarted',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',1,2,1795598179609070,'local',NULL,NULL,'{}');
INSERT INTO "events" VALUES('local',4,'evt_01m88zvq8sqa9888y38v4nm747_1_3','InstanceWaiting',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',1,3,1795598179609070,'local','one',NULL,'{"reason":"approval","detail":"Begin"}');
INSERT INTO "events" VALUES('local',5,'evt_01m88zvq9106na87mvjfywacsb_1_0','InstanceCreated',1,'wfi_01m88zvq9106na87mvjfywacsb','wfi_01m88zvq9106na87mvjfywacsb',1,0,1795598179617637,'local',NULL,NULL,'{"schema_id":"older@1.0.0+dev.1e6cadfe"}');
INSERT INTO "events" VALUES('local',6,'evt_01m88zvq9106na87mvjfywacsb_1_1','StepTriggered',1,'wfi_01m88zvq9106na87mvjfywacsb','wfi_01m88zvq9106na87mvjfywacsb',1,1,1795598179617637,'local',NULL,NULL,'{"trigger_data":{}}');
INSERT INTO "events" VALUES('local',7,'evt_01m88zvq9106na87mvjfywacsb_1_2','InstanceStarted',1,'wfi_01m88zvq9106na87mvjfywacsb','wfi_01m88zvq9106na87mvjfywacsb',1,2,1795598179617637,'local',NULL,NULL,'{}');
INSERT INTO "events" VALUES('local',8,'evt_01m88zvq9106na87mvjfywacsb_1_3','InstanceWaiting',1,'wfi_01m88zvq9106na87mvjfywacsb','wfi_01m88zvq9106na87mvjfywacsb',1,3,1795598179617637,'local','one',NULL,'{"reason":"approval","detail":"Begin"}');
INSERT INTO "events" VALUES('local',9,'evt_01m88zvq8sqa9888y38v4nm747_2_0','StepTriggered',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',2,0,1795598179624844,'local','one',NULL,'{"trigger_data":{},"decision":"approve","reason":"fine"}');
INSERT INTO "events" VALUES('local',10,'evt_01m88zvq8sqa9888y38v4nm747_2_1','GateDecided',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',2,1,1795598179624844,'local','one',NULL,'{"decision":"approve","reason":"fine"}');
INSERT INTO "events" VALUES('local',11,'evt_01m88zvq8sqa9888y38v4nm747_2_2','GateOpened',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',2,2,1795598179624844,'local','one',NULL,'{"by":"people","principals":["local"]}');
INSERT INTO "events" VALUES('local',12,'evt_01m88zvq8sqa9888y38v4nm747_2_3','PhaseQueued',1,'wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',2,3,1795598179624844,'local','one',1,'{}');
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
INSERT INTO "instances" VALUES('local','wfi_01m88zvq8sqa9888y38v4nm747','wfi_01m88zvq8sqa9888y38v4nm747',NULL,NULL,NULL,NULL,'older',1,1795598179609070,2,'running',NULL,0,'{"version":"1.0.0+dev.1e6cadfe","content_hash":"1e6cadfe2209d797bbc111e3812ac06eb3045fdfeee197cc31f676b08584c37b","principal":"local","context":{},"automation_level":100,"quota":{},"depth":0,"meta":{}}','{"updated_at":1795598179624844,"started_at":1795598179609070,"ended_at":null,"waiting_detail":null,"phase":"one","phases":{"one":{"state":"active","attempts":1,"failures":0,"lost":0,"cut_off":0,"triggered":false,"approved":true,"notebook_done":false,"started_at":1795598179609070,"ended_at":null,"reason":null,"gate":{"decision":"approve","by":"people","at":1795598179624844,"principals":["local"],"reason":"fine","shown":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}},"attempt":["wfi_01m88zvq8sqa9888y38v4nm747.one.1",1,false],"gate":null,"fan_out":null,"reported_risk":0,"spent_sec":0.0,"descendants":0,"failure":null,"variables":{}}');
INSERT INTO "instances" VALUES('local','wfi_01m88zvq9106na87mvjfywacsb','wfi_01m88zvq9106na87mvjfywacsb',NULL,NULL,NULL,NULL,'older',5,1795598179617637,1,'waiting','approval',0,'{"version":"1.0.0+dev.1e6cadfe","content_hash":"1e6cadfe2209d797bbc111e3812ac06eb3045fdfeee197cc31f676b08584c37b","principal":"local","context":{},"automation_level":100,"quota":{},"depth":0,"meta":{}}','{"updated_at":1795598179617637,"started_at":1795598179617637,"ended_at":null,"waiting_detail":"Begin","phase":"one","phases":{"one":{"state":"active","attempts":0,"failures":0,"lost":0,"cut_off":0,"triggered":false,"approved":false,"notebook_done":false,"started_at":1795598179617637,"ended_at":null,"reason":null}},"attempt":null,"gate":{"votes":[],"expires_at":1795601779617637,"escalated":false},"fan_out":null,"reported_risk":0,"spent_sec":0.0,"descendants":0,"failure":null,"variables":{}}');
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
INSERT INTO "request_keys" VALUES('local','local','k','051facb202dd804f25c89fa94fc3f6d768ba047829444420ad4d12c5da023b00','{"instance_id":"wfi_01m88zvq8sqa9888y38v4nm747","status":"running","current_phase":"one","waiting_reason":null,"error":null}',1798190179625102);
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
INSERT INTO "timers" VALUES('local','wfi_01m88zvq9106na87mvjfywacsb','gate_expiry','wfi_01m88zvq9106na87mvjfywacsb',1795601779617637);
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
INSERT INTO "trees" VALUES('local','wfi_01m88zvq8sqa9888y38v4nm747',1,1795598179609070,NULL,1795598179609070,NULL,1,0,1,0,0,0,0,0);
INSERT INTO "trees" VALUES('local','wfi_01m88zvq9106na87mvjfywacsb',5,1795598179617637,NULL,1795598179617637,NULL,0,0,0,1,0,0,0,0);
CREATE TABLE waivers (
	tenant_id TEXT NOT NULL, 
	waiver_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	phase TEXT NOT NULL, 
	feature_id TEXT, 
	principal TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	revoked_at BIGINT, 
	PRIMARY KEY (tenant_id, waiver_id)
)
 WITHOUT ROWID

;
INSERT INTO "waivers" VALUES('local','wvr_dc8711aaf9723ab6758d2cdf38876ce1','older','one',NULL,'local','known',1795598179632420,1798190179632405,NULL);
CREATE INDEX definitions_by_bundle ON definitions (tenant_id, bundle_sha256);
CREATE UNIQUE INDEX instances_by_parent ON instances (tenant_id, parent_id, parent_phase, child_index) WHERE parent_id IS NOT NULL;
CREATE INDEX roots ON instances (tenant_id, born) WHERE parent_id IS NULL;
CREATE INDEX instances_by_root ON instances (tenant_id, root_id, born);
CREATE INDEX roots_by_feature ON instances (tenant_id, feature_id, born) WHERE parent_id IS NULL;
CREATE INDEX waivers_by_gate ON waivers (tenant_id, name, phase, expires_at);
CREATE INDEX events_by_root ON events (tenant_id, root_id, position);
CREATE INDEX events_by_instance ON events (tenant_id, instance_id, position);
CREATE INDEX blobs_by_touch ON blobs (tenant_id, touched_at);
CREATE INDEX open_attempts ON attempts (tenant_id, root_id) WHERE status IN ('queued', 'leased');
CREATE INDEX attempts_by_instance ON attempts (tenant_id, instance_id, queue_number);
CREATE INDEX queued_attempts ON attempts (tenant_id, queued_at, queue_number) WHERE status = 'queued';
CREATE INDEX leased_attempts ON attempts (tenant_id, lease_expires_at) WHERE status = 'leased';
CREATE INDEX busy_trees ON trees (tenant_id, born) WHERE busy > 0;
CREATE INDEX trees_by_owner ON trees (tenant_id, owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX timers_by_due ON timers (due_at);
CREATE INDEX journal_by_blob ON journal (tenant_id, sha256);
CREATE INDEX artifacts_by_blob ON artifacts (tenant_id, sha256);
CREATE INDEX artifacts_by_instance ON artifacts (tenant_id, instance_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',12);
INSERT INTO "sqlite_sequence" VALUES('continuations',2);
COMMIT;
