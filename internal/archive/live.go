package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
)

// LiveRun is a run that is not known to be deleted.
type LiveRun struct {
	UID string
	// ResourceVersion is empty if only a push has told of the run.
	ResourceVersion string
}

// Live lists the runs that are not known to be deleted, in the order of their UIDs, after a UID. Those that a later list of all objects
// lacks are gone.
func (s *Store) Live(ctx context.Context, afterUID string, limit int) ([]LiveRun, error) {
	var live []LiveRun
	err := s.list(ctx, listLive, []any{afterUID, pageSize(limit)}, func(scan scanner) error {
		var run LiveRun
		err := scan(&run.UID, &run.ResourceVersion)
		live = append(live, run)
		return err
	})
	return live, err
}

const listLive = "SELECT uid, resource_version FROM runs WHERE deleted = 0 AND uid > $1 ORDER BY uid LIMIT $2"

var markGone = bulk{
	columns: "uid text, at bigint",
	text: `UPDATE runs SET deleted = ` + deletedAt + `, ended = CASE WHEN ended = 0 THEN ` + deletedAt + ` ELSE ended END FROM {rows}
		WHERE runs.uid = x.uid AND runs.deleted = 0 RETURNING runs.id, runs.uid`,
}

// deletedAt is when a run is said to be deleted: not before what the API server has told of it, whatever the clock says.
const deletedAt = "CASE WHEN x.at >= runs.created AND x.at >= runs.started THEN x.at WHEN runs.started > runs.created THEN runs.started ELSE runs.created END"

// Gone says that the objects of runs are deleted. Runs that are known to be deleted stay as they are.
func (s *Store) Gone(ctx context.Context, uids []string, at time.Time) error {
	return s.transact(ctx, func(tx *transaction) error {
		a := applying{transaction: tx, now: microseconds(s.now()), ids: map[string]int64{}}
		var values rows
		for _, uid := range uids {
			values = append(values, []any{uid, microseconds(at)})
		}
		err := a.run(ctx, markGone, values, func(scan scanner) error {
			var id int64
			var uid string
			err := scan(&id, &uid)
			a.ids[uid] = id
			a.touch(id)
			return err
		})
		if err != nil {
			return err
		}
		return a.writeRetention(ctx)
	})
}

// UnsettledAttempt is an attempt that has ended, and whose output has not been dealt with.
type UnsettledAttempt struct {
	UID, Namespace, Name string
	Attempt              Attempt
}

const listUnsettled = "SELECT " + attemptColumns + `, r.uid, r.namespace, r.name
	FROM attempts a JOIN runs r ON r.id = a.run_id
	WHERE a.settled = 0 AND a.seen_ended > 0 ORDER BY a.seen_ended, a.run_id, a.number LIMIT $1`

// Unsettled lists attempts that have ended, or whose run has finished or is deleted, and whose output has not been dealt with since: see
// Settle. The oldest come first. An attempt whose whole output was pushed is settled by itself.
func (s *Store) Unsettled(ctx context.Context, limit int) ([]UnsettledAttempt, error) {
	var out []UnsettledAttempt
	err := s.list(ctx, listUnsettled, []any{pageSize(limit)}, func(scan scanner) error {
		var u UnsettledAttempt
		attempt, err := scanAttempt(scan, &u.UID, &u.Namespace, &u.Name)
		u.Attempt = attempt
		u.Attempt.UID = u.UID
		out = append(out, u)
		return err
	})
	return out, err
}

// FirstUnsettled is the lowest resourceVersion of a run with an attempt that Unsettled lists; empty if there is none.
func (s *Store) FirstUnsettled(ctx context.Context) (string, error) {
	var version string
	err := s.get(ctx, firstUnsettled, nil, &version)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return version, err
}

const firstUnsettled = `SELECT r.resource_version FROM attempts a JOIN runs r ON r.id = a.run_id
	WHERE a.settled = 0 AND a.seen_ended > 0 AND r.resource_version <> ''
	ORDER BY length(r.resource_version), r.resource_version LIMIT 1`

// HasEnded says whether an attempt is known to have ended.
func (s *Store) HasEnded(ctx context.Context, uid string, number int32) (bool, error) {
	var seen int64
	err := s.get(ctx, "SELECT a.seen_ended FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.uid = $1 AND a.number = $2", []any{uid, number}, &seen)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return seen > 0, err
}

// Settle says that the output of an attempt has been dealt with. note says in words what of it is missing and why; empty if nothing is.
func (s *Store) Settle(ctx context.Context, uid string, number int32, note string) error {
	return s.transact(ctx, func(tx *transaction) error {
		run, err := tx.lockRun(ctx, uid)
		if err != nil {
			return err
		}
		var text string
		err = tx.get(ctx, "SELECT missing FROM attempts WHERE run_id = $1 AND number = $2", []any{run.id, number}, &text)
		if err != nil {
			return fmt.Errorf("attempt %d of run %s: %w", number, uid, err)
		}
		if now := withMissing(text, note); now != text {
			text = now
			tx.touch(run.id)
		}
		_, err = tx.exec(ctx, "UPDATE attempts SET settled = 1, missing = $3 WHERE run_id = $1 AND number = $2", run.id, number, text)
		return err
	})
}

// withMissing adds notes to a list as it is stored, each once.
func withMissing(text string, notes ...string) string {
	missing := missingOf(text)
	for _, note := range notes {
		note = prose(note)
		if note != "" && len(missing) < push.MaxMissing && !slices.Contains(missing, note) {
			missing = append(missing, note)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	out, _ := json.Marshal(missing)
	return string(out)
}

func missingOf(text string) []string {
	var missing []string
	_ = json.Unmarshal([]byte(text), &missing) // we have written it
	return missing
}
