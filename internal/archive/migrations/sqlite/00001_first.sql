-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 where there is none; days are days since then. What is true or false is 1 or 0.

-- A run is known by its UID. id stands for it in other tables, since it is shorter.
CREATE TABLE runs (
	id INTEGER PRIMARY KEY,
	uid TEXT NOT NULL UNIQUE,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	test TEXT NOT NULL DEFAULT '',
	series TEXT NOT NULL,
	queue TEXT NOT NULL DEFAULT '',
	phase TEXT NOT NULL DEFAULT '',
	verdict TEXT NOT NULL DEFAULT '',
	reason TEXT NOT NULL DEFAULT '',
	message TEXT NOT NULL DEFAULT '',
	flaky SMALLINT NOT NULL DEFAULT 0,
	pinned SMALLINT NOT NULL DEFAULT 0,
	created BIGINT NOT NULL,
	started BIGINT NOT NULL DEFAULT 0,
	finished BIGINT NOT NULL DEFAULT 0,
	deleted BIGINT NOT NULL DEFAULT 0,
	passed BIGINT NOT NULL DEFAULT 0,
	failed BIGINT NOT NULL DEFAULT 0,
	errored BIGINT NOT NULL DEFAULT 0,
	skipped BIGINT NOT NULL DEFAULT 0,
	flaky_cases BIGINT NOT NULL DEFAULT 0,
	-- Empty while only a push has told of the run.
	resource_version TEXT NOT NULL DEFAULT '',
	-- When the run was first heard of.
	heard BIGINT NOT NULL,
	-- When the run finished, or else was deleted: its retention counts from here. 0 before that.
	ended BIGINT NOT NULL DEFAULT 0,
	-- What is kept of it: bytes before compression, bytes of blobs, cases, chunks.
	length BIGINT NOT NULL DEFAULT 0,
	size BIGINT NOT NULL DEFAULT 0,
	cases BIGINT NOT NULL DEFAULT 0,
	chunks BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX runs_created ON runs (created, uid);
CREATE INDEX runs_namespace ON runs (namespace, created, uid);
CREATE INDEX runs_series ON runs (namespace, series, created, uid);
CREATE INDEX runs_name ON runs (namespace, name, created, uid);
CREATE INDEX runs_not_passed ON runs (namespace, created, uid) WHERE verdict <> 'Passed';
CREATE INDEX runs_series_not_passed ON runs (namespace, series, created, uid) WHERE verdict <> 'Passed';
CREATE INDEX runs_not_finished ON runs (namespace, created, uid) WHERE phase <> 'Finished';
CREATE INDEX runs_live ON runs (uid) WHERE deleted = 0;
CREATE INDEX runs_ended ON runs (ended, id) WHERE ended > 0 AND deleted > 0 AND pinned = 0;
CREATE INDEX runs_pinned ON runs (id) WHERE pinned = 1;

-- When a run was last changed: the numbers grow, and who sees one sees all lower ones. See changes.go.
CREATE TABLE changes (
	change INTEGER PRIMARY KEY AUTOINCREMENT,
	run_id BIGINT NOT NULL UNIQUE
);

CREATE TABLE labels (
	run_id BIGINT NOT NULL,
	-- key=value
	label TEXT NOT NULL,
	namespace TEXT NOT NULL,
	created BIGINT NOT NULL,
	uid TEXT NOT NULL,
	PRIMARY KEY (run_id, label)
) WITHOUT ROWID;
CREATE INDEX labels_label ON labels (namespace, label, created, uid);

-- The whole object as JSON, compressed with gzip.
CREATE TABLE objects (
	run_id BIGINT PRIMARY KEY,
	object BLOB NOT NULL
);

CREATE TABLE attempts (
	run_id BIGINT NOT NULL,
	number INTEGER NOT NULL,
	job TEXT NOT NULL DEFAULT '',
	pod TEXT NOT NULL DEFAULT '',
	node TEXT NOT NULL DEFAULT '',
	verdict TEXT NOT NULL DEFAULT '',
	reason TEXT NOT NULL DEFAULT '',
	exit_code INTEGER,
	created BIGINT NOT NULL DEFAULT 0,
	started BIGINT NOT NULL DEFAULT 0,
	finished BIGINT NOT NULL DEFAULT 0,
	-- Of the cases that are kept.
	passed BIGINT NOT NULL DEFAULT 0,
	failed BIGINT NOT NULL DEFAULT 0,
	errored BIGINT NOT NULL DEFAULT 0,
	skipped BIGINT NOT NULL DEFAULT 0,
	flaky_cases BIGINT NOT NULL DEFAULT 0,
	-- The progress.
	done BIGINT NOT NULL DEFAULT 0,
	done_failed BIGINT NOT NULL DEFAULT 0,
	total BIGINT NOT NULL DEFAULT 0,
	-- Whether the runner has pushed its end, and what it left out: a list as JSON.
	pushed SMALLINT NOT NULL DEFAULT 0,
	missing TEXT NOT NULL DEFAULT '',
	-- When the server saw that the attempt had ended, and whether its output has been dealt with since.
	seen_ended BIGINT NOT NULL DEFAULT 0,
	settled SMALLINT NOT NULL DEFAULT 0,
	PRIMARY KEY (run_id, number)
) WITHOUT ROWID;
CREATE INDEX attempts_unsettled ON attempts (seen_ended, run_id, number) WHERE settled = 0 AND seen_ended > 0;

CREATE TABLE streams (
	id INTEGER PRIMARY KEY,
	run_id BIGINT NOT NULL,
	attempt INTEGER NOT NULL,
	kind TEXT NOT NULL,
	path TEXT NOT NULL DEFAULT '',
	source TEXT NOT NULL,
	-- The gapless prefix, the state of SHA-256 over it, and the sum of all chunks, before compression. size is that of the blobs.
	length BIGINT NOT NULL DEFAULT 0,
	hash_state BLOB,
	stored BIGINT NOT NULL DEFAULT 0,
	size BIGINT NOT NULL DEFAULT 0,
	-- What the end said; wanted is -1 before that.
	wanted BIGINT NOT NULL DEFAULT -1,
	sha256 TEXT NOT NULL DEFAULT '',
	verified SMALLINT NOT NULL DEFAULT 0,
	altered SMALLINT NOT NULL DEFAULT 0,
	cut TEXT NOT NULL DEFAULT '',
	expired BIGINT NOT NULL DEFAULT 0,
	-- The class of retention, and when the run ended: see retention.go.
	class SMALLINT NOT NULL,
	ended BIGINT NOT NULL DEFAULT 0,
	UNIQUE (run_id, attempt, kind, path)
);
CREATE INDEX streams_ended ON streams (class, ended, id) WHERE expired = 0 AND ended > 0;
-- What has expired, and whose chunks are not all deleted yet.
CREATE INDEX streams_dropping ON streams (id) WHERE expired > 0 AND size > 0;

-- No chunk of a stream lies within another one: where the beginnings grow, the ends grow.
CREATE TABLE chunks (
	stream_id BIGINT NOT NULL,
	start BIGINT NOT NULL,
	length BIGINT NOT NULL,
	size BIGINT NOT NULL,
	blob TEXT NOT NULL,
	PRIMARY KEY (stream_id, start)
) WITHOUT ROWID;
CREATE INDEX chunks_blob ON chunks (blob);

-- Blobs that no row names any more, and that may still be there.
CREATE TABLE garbage (
	blob TEXT PRIMARY KEY
) WITHOUT ROWID;

-- A dictionary: what is the same case in many runs.
CREATE TABLE case_defs (
	id INTEGER PRIMARY KEY,
	-- Of the four below.
	hash BLOB NOT NULL UNIQUE,
	namespace TEXT NOT NULL,
	series TEXT NOT NULL,
	suite TEXT NOT NULL,
	name TEXT NOT NULL
);

-- A dictionary: where a case stands and why it did not pass. used is the day on which it was last needed, about.
CREATE TABLE details (
	id INTEGER PRIMARY KEY,
	hash BLOB NOT NULL UNIQUE,
	location TEXT NOT NULL,
	message TEXT NOT NULL,
	used INTEGER NOT NULL
);
CREATE INDEX details_used ON details (used, id);

CREATE TABLE case_results (
	-- That of the run.
	created BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
	case_id BIGINT NOT NULL,
	duration BIGINT NOT NULL,
	-- Where its line begins in the stream of cases; -1 if it comes from the status of the run.
	line BIGINT NOT NULL,
	-- 0 where there is neither location nor message.
	detail_id BIGINT NOT NULL,
	number INTEGER NOT NULL,
	attempt SMALLINT NOT NULL,
	-- 0 Passed, 1 Failed, 2 Errored, 3 Skipped, 4 withdrawn: then there is no such case, and case_id is 0
	outcome SMALLINT NOT NULL,
	flaky SMALLINT NOT NULL,
	PRIMARY KEY (created, run_id, attempt, number)
) WITHOUT ROWID;
CREATE INDEX case_results_case ON case_results (case_id, created, run_id, attempt, number);
CREATE INDEX case_results_not_passed ON case_results (created, run_id, attempt, number) WHERE outcome > 0;
-- The last outcome of a case that was not Skipped, since when it has been so, and how often it changed: see casestate.go.
CREATE TABLE case_state (
	case_id BIGINT PRIMARY KEY,
	namespace TEXT NOT NULL,
	series TEXT NOT NULL,
	created BIGINT NOT NULL,
	run_id BIGINT NOT NULL,
	number INTEGER NOT NULL,
	attempt SMALLINT NOT NULL,
	outcome SMALLINT NOT NULL,
	since_created BIGINT NOT NULL,
	since_run_id BIGINT NOT NULL,
	streak BIGINT NOT NULL,
	flips BIGINT NOT NULL,
	heat DOUBLE PRECISION NOT NULL
);
CREATE INDEX case_state_heat ON case_state (namespace, heat, case_id) WHERE flips > 0;
CREATE INDEX case_state_series_heat ON case_state (namespace, series, heat, case_id) WHERE flips > 0;

-- These survive the rows that they add up.

-- The results on a day of the 256 cases with the ids from 256 * bucket + 1 on: see casedays.go.
CREATE TABLE case_daily (
	bucket BIGINT NOT NULL,
	day INTEGER NOT NULL,
	-- Empty only within the transaction that makes the row.
	counts BLOB NOT NULL DEFAULT x'',
	PRIMARY KEY (bucket, day)
);

CREATE TABLE test_daily (
	namespace TEXT NOT NULL,
	series TEXT NOT NULL,
	day INTEGER NOT NULL,
	runs BIGINT NOT NULL,
	passed BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	errored BIGINT NOT NULL,
	timed_out BIGINT NOT NULL,
	cancelled BIGINT NOT NULL,
	flaky BIGINT NOT NULL,
	duration BIGINT NOT NULL,
	-- How many took how long: see histogram.go.
	durations BLOB NOT NULL,
	PRIMARY KEY (namespace, series, day)
) WITHOUT ROWID;

-- last is the newest run that has finished; its columns are empty before that.
CREATE TABLE series (
	namespace TEXT NOT NULL,
	series TEXT NOT NULL,
	test TEXT NOT NULL,
	last_created BIGINT NOT NULL,
	last_uid TEXT NOT NULL,
	last_name TEXT NOT NULL,
	last_verdict TEXT NOT NULL,
	PRIMARY KEY (namespace, series)
) WITHOUT ROWID;

-- What is kept in all, as in runs.
CREATE TABLE namespaces (
	namespace TEXT PRIMARY KEY,
	length BIGINT NOT NULL DEFAULT 0,
	size BIGINT NOT NULL DEFAULT 0,
	cases BIGINT NOT NULL DEFAULT 0,
	chunks BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- What people did through the server.
CREATE TABLE audit (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	at BIGINT NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	result TEXT NOT NULL,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	uid TEXT NOT NULL
);
CREATE INDEX audit_namespace ON audit (namespace, id);
CREATE INDEX audit_at ON audit (at, id);

-- Sessions of the pages that have ended before their time, until ends.
CREATE TABLE ended_sessions (
	id TEXT PRIMARY KEY,
	ends BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX ended_sessions_ends ON ended_sessions (ends, id);

-- One row: all states up to this version are kept.
CREATE TABLE cursor_of_watch (
	id INTEGER PRIMARY KEY,
	resource_version TEXT NOT NULL
);
INSERT INTO cursor_of_watch (id, resource_version) VALUES (1, '');

-- How far a copy from another database is: the key of the last row of each table, as JSON.
CREATE TABLE copied (
	name TEXT PRIMARY KEY,
	last_key TEXT NOT NULL
) WITHOUT ROWID;
