package archive

import (
	"context"
	"slices"
	"time"
)

// Policy says how long what is kept after a run has ended, by its class. 0 means for ever. Pinned runs are kept whole. Daily figures are kept
// for ever.
type Policy struct {
	// PassedOutput is for the output and the lines of cases of runs that passed, Output for those of others.
	PassedOutput, Output time.Duration
	Artifacts            time.Duration
	// Rows is for all that is kept of a run, and for the audit. For a run it begins to count only when the run is deleted in Kubernetes, too.
	Rows time.Duration
}

// DefaultPolicy is what is kept if nobody says otherwise.
var DefaultPolicy = Policy{PassedOutput: 7 * day, Output: 90 * day, Artifacts: 30 * day, Rows: 365 * day}

const day = 24 * time.Hour

// The classes of streams, as classOfStream counts them. Pinned ones have a class without a limit.
const (
	classPassedOutput = iota
	classOutput
	classArtifact
)

// Expired counts what Expire deleted.
type Expired struct{ Streams, Runs int64 }

// DefaultPortion is how many rows Expire deletes at a time, about, unless told otherwise.
const DefaultPortion = 2000

// Expire deletes a portion of what has been kept for as long as the policy says, so that others can write between two portions. more means
// that there is another portion. The blobs that nothing names any more are in Garbage afterwards. With PostgreSQL it also makes the
// partitions of the next months, and drops those of past ones as a whole.
func (s *Store) Expire(ctx context.Context, now time.Time, policy Policy, limit int) (expired Expired, more bool, err error) {
	if limit <= 0 {
		limit = DefaultPortion
	}
	e := expiry{Store: s, now: now, limit: limit}
	if err := e.partitions(ctx, policy); err != nil {
		return e.expired, false, err
	}
	for class, keep := range []time.Duration{
		classPassedOutput: policy.PassedOutput, classOutput: policy.Output, classArtifact: policy.Artifacts,
	} {
		if err := e.endStreams(ctx, class, keep); err != nil {
			return e.expired, false, err
		}
	}
	if err := e.dropStream(ctx); err != nil {
		return e.expired, false, err
	}
	if err := e.dropRun(ctx, policy.Rows); err != nil {
		return e.expired, false, err
	}
	for _, drop := range []func() error{
		func() error { return e.dropAudit(ctx, policy.Rows) },
		func() error { return e.dropSessions(ctx) },
	} {
		if err := drop(); err != nil {
			return e.expired, false, err
		}
	}
	err = e.dropDetails(ctx, policy.Rows)
	return e.expired, e.more, err
}

// expiry is one call of Expire.
type expiry struct {
	*Store
	now     time.Time
	limit   int
	expired Expired
	more    bool
}

func (e *expiry) partitions(ctx context.Context, policy Policy) error {
	if e.dialect != postgres {
		return nil
	}
	if err := e.addPartitions(ctx, e.now); err != nil || policy.Rows <= 0 {
		return err
	}
	return e.dropPartitions(ctx, e.now.Add(-policy.Rows))
}

const listEnded = `SELECT id FROM streams WHERE class = $1 AND expired = 0 AND ended > 0 AND ended < $2 ORDER BY ended, id LIMIT $3`

// endStreams marks streams of a class, so that their chunks are deleted.
func (e *expiry) endStreams(ctx context.Context, class int, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	var due []int64
	err := e.list(ctx, listEnded, []any{class, e.now.Add(-keep).UnixMicro(), e.limit}, func(scan scanner) error {
		var id int64
		err := scan(&id)
		due = append(due, id)
		return err
	})
	if err != nil || len(due) == 0 {
		return err
	}
	e.more = e.more || len(due) == e.limit
	return e.transact(ctx, func(tx *transaction) error {
		return tx.markExpired(ctx, due, e.now)
	})
}

// markExpired lets go of the chunks of streams. A stream without chunks is done with that.
func (tx *transaction) markExpired(ctx context.Context, streams []int64, now time.Time) error {
	var values rows
	for _, id := range streams {
		values = append(values, []any{id, microseconds(now)})
	}
	return tx.run(ctx, bulk{
		columns: "id bigint, now bigint",
		text:    "UPDATE streams SET expired = x.now FROM {rows} WHERE streams.id = x.id AND streams.expired = 0",
	}, values, nil)
}

const firstDropping = `SELECT s.id, r.uid FROM streams s JOIN runs r ON r.id = s.run_id WHERE s.expired > 0 AND s.size > 0 ORDER BY s.id LIMIT $1`

// dropStream deletes chunks of streams that have expired.
func (e *expiry) dropStream(ctx context.Context) error {
	type dropping struct {
		id  int64
		uid string
	}
	var streams []dropping
	err := e.list(ctx, firstDropping, []any{e.limit}, func(scan scanner) error {
		var d dropping
		err := scan(&d.id, &d.uid)
		streams = append(streams, d)
		return err
	})
	if err != nil {
		return err
	}
	budget := int64(e.limit)
	for _, d := range streams {
		if budget <= 0 {
			e.more = true
			return nil
		}
		err := e.transact(ctx, func(tx *transaction) error {
			run, err := tx.lockRun(ctx, d.uid)
			if err != nil {
				return err
			}
			deleted, done, err := tx.dropSomeChunks(ctx, &run, d.id, budget)
			budget -= max(deleted, 1)
			e.more = e.more || !done
			if done {
				e.expired.Streams++
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	e.more = e.more || len(streams) == e.limit
	return nil
}

// dropSomeChunks makes garbage of chunks of an expired stream. done means that it has none any more.
func (tx *transaction) dropSomeChunks(ctx context.Context, run *runRow, stream, limit int64) (deleted int64, done bool, err error) {
	const some = "SELECT c.start FROM chunks c WHERE c.stream_id = $1 ORDER BY c.start LIMIT $2"
	_, err = tx.exec(ctx, `INSERT INTO garbage (blob) SELECT c.blob FROM chunks c WHERE c.stream_id = $1 AND c.start IN (`+some+`)
		ON CONFLICT DO NOTHING`, stream, limit)
	if err != nil {
		return 0, false, err
	}
	deleted, err = tx.exec(ctx, "DELETE FROM chunks WHERE stream_id = $1 AND start IN ("+some+")", stream, limit)
	if err != nil {
		return 0, false, err
	}
	amount := Amount{Chunks: -deleted}
	if deleted < limit {
		done = true
		err = tx.get(ctx, "SELECT -stored, -size FROM streams WHERE id = $1", []any{stream}, &amount.Length, &amount.Size)
		if err != nil {
			return deleted, false, err
		}
		_, err = tx.exec(ctx, "UPDATE streams SET stored = 0, size = 0, hash_state = NULL WHERE id = $1", stream)
		if err != nil {
			return deleted, false, err
		}
	}
	return deleted, done, tx.add(ctx, run, amount)
}

const listDueRuns = `SELECT uid FROM runs WHERE ended > 0 AND deleted > 0 AND pinned = 0 AND ended < $1 ORDER BY ended, id LIMIT $2`

// dropRun deletes rows of runs that were kept for long enough.
func (e *expiry) dropRun(ctx context.Context, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	var uids []string
	err := e.list(ctx, listDueRuns, []any{e.now.Add(-keep).UnixMicro(), e.limit}, func(scan scanner) error {
		var uid string
		err := scan(&uid)
		uids = append(uids, uid)
		return err
	})
	if err != nil {
		return err
	}
	budget := int64(e.limit)
	for _, uid := range uids {
		if budget <= 0 {
			e.more = true
			return nil
		}
		err := e.transact(ctx, func(tx *transaction) error {
			run, err := tx.lockRun(ctx, uid)
			if err != nil {
				return err
			}
			deleted, done, err := tx.dropSomeRows(ctx, &run, e.now, budget)
			budget -= max(deleted, 1)
			e.more = e.more || !done
			if done {
				e.expired.Runs++
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	e.more = e.more || len(uids) == e.limit
	return nil
}

// dropSomeRows deletes rows of a run, and at last the run. Its streams have to lose their chunks before that.
func (tx *transaction) dropSomeRows(ctx context.Context, run *runRow, now time.Time, limit int64) (deleted int64, done bool, err error) {
	deleted, err = tx.exec(ctx, `DELETE FROM case_results WHERE created = $1 AND run_id = $2 AND (attempt, number) IN
		(SELECT c.attempt, c.number FROM case_results c WHERE c.created = $1 AND c.run_id = $2 ORDER BY c.attempt, c.number LIMIT $3)`,
		run.created, run.id, limit)
	if err != nil || deleted == limit {
		return deleted, false, err
	}
	var streams []int64
	var full int64
	err = tx.list(ctx, "SELECT id, size FROM streams WHERE run_id = $1", []any{run.id}, func(scan scanner) error {
		var id, size int64
		err := scan(&id, &size)
		streams = append(streams, id)
		full += size
		return err
	})
	if err != nil {
		return deleted, false, err
	}
	if full > 0 {
		return deleted, false, tx.markExpired(ctx, streams, now)
	}
	for _, table := range []string{"labels", "objects", "attempts", "streams", "changes"} {
		if _, err := tx.exec(ctx, "DELETE FROM "+table+" WHERE run_id = $1", run.id); err != nil {
			return deleted, false, err
		}
	}
	if _, err := tx.exec(ctx, "DELETE FROM runs WHERE id = $1", run.id); err != nil {
		return deleted, false, err
	}
	amount := Amount{}
	amount.add(Amount{run.length, run.size, run.cases, run.chunks}, -1)
	return deleted + int64(len(streams)), true, tx.addToNamespace(ctx, run.namespace, amount)
}

// detailSlack is how much longer a detail is kept than the rows that need it: it may have been needed by a run that ended only later.
const detailSlack = 30 * day

// dropDetails deletes what no kept row needs any more.
func (e *expiry) dropDetails(ctx context.Context, keep time.Duration) error {
	if keep <= 0 {
		return nil
	}
	return e.transact(ctx, func(tx *transaction) error {
		deleted, err := tx.exec(ctx, `DELETE FROM details WHERE used < $1 AND id IN
				(SELECT t.id FROM details t WHERE t.used < $1 AND NOT EXISTS
					(SELECT 1 FROM runs r JOIN case_results c ON c.created = r.created AND c.run_id = r.id
						WHERE r.pinned = 1 AND c.detail_id = t.id)
					ORDER BY t.used, t.id LIMIT $2)`,
			dayOf(e.now.Add(-keep-detailSlack).UnixMicro()), e.limit)
		e.more = e.more || deleted == int64(e.limit)
		return err
	})
}

// Garbage lists blobs that no row names any more. Who has deleted them says so with Forget; who dies before deletes them again.
func (s *Store) Garbage(ctx context.Context, limit int) ([]string, error) {
	var keys []string
	err := s.list(ctx, "SELECT blob FROM garbage ORDER BY blob LIMIT $1", []any{pageSize(limit)}, func(scan scanner) error {
		var key string
		err := scan(&key)
		keys = append(keys, key)
		return err
	})
	return keys, err
}

var forget = bulk{columns: "blob text", text: "DELETE FROM garbage WHERE blob IN (SELECT x.blob FROM {rows})"}

// Forget says that blobs are deleted.
func (s *Store) Forget(ctx context.Context, keys []string) error {
	return s.transact(ctx, func(tx *transaction) error { return tx.run(ctx, forget, rowsOf(keys), nil) })
}

var selectNamed = bulk{
	columns: "blob text",
	text: `SELECT x.blob FROM {rows} WHERE EXISTS (SELECT 1 FROM chunks c WHERE c.blob = x.blob)
		OR EXISTS (SELECT 1 FROM garbage g WHERE g.blob = x.blob)`,
}

// Unnamed are those of the keys that neither a row names nor Garbage. A key that is about to be named is among them.
func (s *Store) Unnamed(ctx context.Context, keys []string) ([]string, error) {
	named := map[string]bool{}
	err := s.transact(ctx, func(tx *transaction) error {
		return tx.run(ctx, selectNamed, rowsOf(keys), func(scan scanner) error {
			var key string
			err := scan(&key)
			named[key] = true
			return err
		})
	})
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return named[key] }), err
}
