package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// RunState is a state of a run, as the watch tells of it.
type RunState struct {
	// Run with Deleted set means that the object is gone, and that this was its last state.
	Run Run
	// Attempts are those of the status. Their Counts, Progress, Ended, Missing and Settled come from pushes, and are not looked at.
	Attempts []Attempt
	// Cases are those that the status shows, of the attempt CasesOf; 0 if there are none. They are kept only while nobody has pushed cases
	// of that attempt.
	CasesOf int32
	Cases   []CaseResult
	// Object is the whole object as JSON, compressed with gzip.
	Object []byte
}

// Batch is what one transaction of the watch stores.
type Batch struct {
	Runs []RunState
	// Cursor is up to which resourceVersion everything is stored with this batch. Empty leaves the cursor as it is. One that is before
	// the kept one does, too, unless Restored is set.
	Cursor string
	// Restored means that the API server was restored from a backup, so that its versions began anew: the states replace what is kept,
	// whatever version that has.
	Restored bool
}

// Apply stores a batch in one transaction. A state that is not newer than the one that is kept of the run changes nothing.
func (s *Store) Apply(ctx context.Context, batch Batch) error {
	return s.transact(ctx, func(tx *transaction) error {
		a := applying{transaction: tx, batch: batch, now: microseconds(s.now())}
		return a.apply(ctx)
	})
}

// Cursor is up to which resourceVersion everything is stored; empty if nothing is.
func (s *Store) Cursor(ctx context.Context) (string, error) {
	var version string
	err := s.get(ctx, "SELECT resource_version FROM cursor_of_watch WHERE id = 1", nil, &version)
	return version, err
}

// applying is a batch that is being applied.
type applying struct {
	*transaction
	batch Batch
	now   int64
	// states are those that change something, one for each run; old is what is kept of it, and ids its id.
	states []RunState
	old    map[string]runRow
	ids    map[string]int64
}

func (a *applying) apply(ctx context.Context) error {
	// The lock on the cursor lets two replicas apply one after the other.
	var cursor string
	err := a.get(ctx, "SELECT resource_version FROM cursor_of_watch WHERE id = 1 {lock}", nil, &cursor)
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		a.choose, a.writeRuns, a.writeLabels, a.writeObjects, a.writeAttempts, a.writeRetention, a.writeCases, a.writeRollups,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if next := a.batch.Cursor; next != "" && (a.batch.Restored || isNewer(next, cursor)) {
		_, err = a.exec(ctx, "UPDATE cursor_of_watch SET resource_version = $1 WHERE id = 1", next)
	}
	return err
}

// isNewer compares resourceVersions. Anything is newer than none.
func isNewer(version, than string) bool {
	if than == "" {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(version, than)
	// What is no version of Kubernetes' has no order, so it is taken as it comes.
	return err != nil && version != than || err == nil && order > 0
}

// choose keeps of the states the newest of each run, if it is newer than what is kept, and locks the kept runs in the order of their UIDs.
func (a *applying) choose(ctx context.Context) error {
	newest := map[string]RunState{}
	for _, state := range a.batch.Runs {
		if state.Run.UID == "" || state.Run.ResourceVersion == "" {
			return fmt.Errorf("%w: a state of a run has no UID or no resourceVersion", ErrInvalid)
		}
		kept, ok := newest[state.Run.UID]
		if !ok || a.batch.Restored || !isNewer(kept.Run.ResourceVersion, state.Run.ResourceVersion) {
			newest[state.Run.UID] = state
		}
	}
	var err error
	if a.old, err = a.lockRuns(ctx, newest); err != nil {
		return err
	}
	a.ids = map[string]int64{}
	for uid, state := range newest {
		old, isKept := a.old[uid]
		isGone := !state.Run.Deleted.IsZero() && old.deleted == 0 && state.Run.ResourceVersion == old.version
		if !isKept || a.batch.Restored || isGone || isNewer(state.Run.ResourceVersion, old.version) {
			a.states = append(a.states, state)
		}
	}
	slices.SortFunc(a.states, func(x, y RunState) int { return strings.Compare(x.Run.UID, y.Run.UID) })
	return nil
}

// runRow is what is kept of a run, as far as it matters for what follows.
type runRow struct {
	id                                             int64
	uid, namespace, name, series, version, verdict string
	phase                                          string
	flaky, pinned                                  bool
	created, started, finished, deleted, ended     int64
	length, size, cases, chunks                    int64
}

const selectRun = `SELECT r.id, r.uid, r.namespace, r.name, r.series, r.resource_version, r.phase, r.verdict, r.flaky, r.pinned, r.created,
	r.started, r.finished, r.deleted, r.ended, r.length, r.size, r.cases, r.chunks FROM `

func scanRun(scan scanner) (runRow, error) {
	var r runRow
	err := scan(&r.id, &r.uid, &r.namespace, &r.name, &r.series, &r.version, &r.phase, &r.verdict, &r.flaky, &r.pinned, &r.created,
		&r.started, &r.finished, &r.deleted, &r.ended, &r.length, &r.size, &r.cases, &r.chunks)
	return r, err
}

func (a *applying) lockRuns(ctx context.Context, states map[string]RunState) (map[string]runRow, error) {
	var uids rows
	for uid := range states {
		uids = append(uids, []any{uid})
	}
	kept := map[string]runRow{}
	err := a.run(ctx, bulk{
		columns: "uid text",
		text:    selectRun + "runs r WHERE r.uid IN (SELECT x.uid FROM {rows}) ORDER BY r.uid {lock}",
	}, uids, func(scan scanner) error {
		row, err := scanRun(scan)
		kept[row.uid] = row
		return err
	})
	return kept, err
}

var upsertRun = bulk{
	columns: "uid text, namespace text, name text, test text, series text, queue text, phase text, verdict text, reason text, message text, " +
		"flaky smallint, pinned smallint, created bigint, started bigint, finished bigint, deleted bigint, passed bigint, failed bigint, " +
		"errored bigint, skipped bigint, flaky_cases bigint, resource_version text, heard bigint, ended bigint",
	text: `INSERT INTO runs (uid, namespace, name, test, series, queue, phase, verdict, reason, message, flaky, pinned, created, started, finished,
			deleted, passed, failed, errored, skipped, flaky_cases, resource_version, heard, ended)
		SELECT x.uid, x.namespace, x.name, x.test, x.series, x.queue, x.phase, x.verdict, x.reason, x.message, x.flaky, x.pinned, x.created, x.started,
			x.finished, x.deleted, x.passed, x.failed, x.errored, x.skipped, x.flaky_cases, x.resource_version, x.heard, x.ended
		FROM {rows} WHERE true
		ON CONFLICT (uid) DO UPDATE SET test = excluded.test, series = excluded.series, queue = excluded.queue, phase = excluded.phase, verdict = excluded.verdict,
			reason = excluded.reason, message = excluded.message, flaky = excluded.flaky, pinned = excluded.pinned,
			started = excluded.started, finished = excluded.finished, deleted = excluded.deleted, passed = excluded.passed,
			failed = excluded.failed, errored = excluded.errored, skipped = excluded.skipped, flaky_cases = excluded.flaky_cases,
			resource_version = excluded.resource_version, ended = excluded.ended
		RETURNING id, uid`,
}

func (a *applying) writeRuns(ctx context.Context) error {
	var values rows
	for i := range a.states {
		run := &a.states[i].Run
		a.tidy(run)
		values = append(values, []any{
			run.UID, run.Namespace, run.Name, run.Test, run.Series, run.Queue, run.Phase, run.Verdict, run.Reason, run.Message, bit(run.Flaky),
			bit(run.Pinned), microseconds(run.Created), microseconds(run.Started), microseconds(run.Finished), microseconds(run.Deleted),
			run.Counts.Passed, run.Counts.Failed, run.Counts.Errored, run.Counts.Skipped, run.Counts.Flaky, run.ResourceVersion, a.now,
			endedOf(run),
		})
	}
	return a.run(ctx, upsertRun, values, func(scan scanner) error {
		var id int64
		var uid string
		err := scan(&id, &uid)
		a.ids[uid] = id
		a.touch(id)
		return err
	})
}

// tidy makes a run fit to be stored, and keeps what a later state may not take back.
func (a *applying) tidy(run *Run) {
	for _, text := range []*string{&run.Namespace, &run.Name, &run.Test, &run.Series, &run.Queue, &run.Phase, &run.Verdict, &run.Reason} {
		*text = plain(*text)
	}
	run.Message = prose(run.Message)
	if run.Series == "" {
		run.Series = SeriesOf(run.Test, nil, "", run.Name)
	}
	old, isKept := a.old[run.UID]
	if !isKept {
		tidyTimes(run)
		return
	}
	// What never changes of an object is as it was first.
	run.Namespace, run.Name, run.Created = old.namespace, old.name, timeOf(old.created)
	if run.Deleted.IsZero() && !a.batch.Restored {
		run.Deleted = timeOf(old.deleted)
	}
	tidyTimes(run)
}

// tidyTimes corrects the one time that comes from the clock of this program: a run is not deleted before it was created and started.
func tidyTimes(run *Run) {
	if !run.Deleted.IsZero() {
		run.Deleted = latest(run.Deleted, run.Created, run.Started)
	}
}

// endedOf is when the retention of a run begins to count; 0 if it does not yet. When it was created says the API server. The other times come
// from clocks that may be behind.
func endedOf(run *Run) int64 {
	switch {
	case !run.Finished.IsZero():
		return microseconds(latest(run.Finished, run.Created))
	case !run.Deleted.IsZero():
		return microseconds(latest(run.Deleted, run.Created))
	}
	return 0
}

func latest(times ...time.Time) time.Time {
	return slices.MaxFunc(times, time.Time.Compare)
}
