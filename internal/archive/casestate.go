package archive

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"
)

// caseState is what the history of a case comes to. It is computed from the rows of the case in their order, one after the other, and from
// the last stateWindow of them anew where one came late or changed. Skipped rows say nothing.
type caseState struct {
	// last is the newest row, and since the first one of those that ended like it without a break.
	last                   caseRow
	sinceCreated, sinceRun int64
	streak, flips          int64
	heat                   float64
}

// stateWindow is how many rows a state is computed from where it is computed anew.
const stateWindow = "100"

// halfLife is the time in which a flip counts half as much.
const halfLife = 7 * 24 * time.Hour

// add continues the history with the next row.
func (s *caseState) add(row *caseRow) {
	if row.outcome == numberSkipped {
		return
	}
	switch {
	case s.streak == 0, isBad(row) != isBad(&s.last):
		if s.streak != 0 {
			s.flip(row.created)
		}
		s.streak, s.sinceCreated, s.sinceRun = 1, row.created, row.run
	default:
		s.streak++
	}
	if row.flaky != 0 {
		s.flip(row.created)
	}
	s.last = *row
}

func isBad(row *caseRow) bool { return row.outcome == numberFailed || row.outcome == numberErrored }

// flip counts a change of the outcome. heat is the logarithm of the sum of all flips, each worth twice as much as one that is a half-life
// older. So the order of cases by their heat is right at any time, although it is computed only when a case flips.
func (s *caseState) flip(at int64) {
	s.flips++
	worth := float64(at) / float64(halfLife.Microseconds())
	if s.flips == 1 {
		s.heat = worth
		return
	}
	high, low := max(s.heat, worth), min(s.heat, worth)
	s.heat = high + math.Log2(1+math.Exp2(low-high))
}

// updateStates continues the states of the cases that changes are about. It locks them in the order of their ids.
func (tx *transaction) updateStates(ctx context.Context, namespace, series string, changes []caseChange) error {
	touched := map[int64][]caseChange{}
	for _, change := range changes {
		for _, row := range []*caseRow{change.old, change.new} {
			if row != nil && row.caseID != noCase && (row != change.new || change.old == nil || change.old.caseID != row.caseID) {
				touched[row.caseID] = append(touched[row.caseID], change)
			}
		}
	}
	ids := slices.Sorted(maps.Keys(touched))
	states, err := tx.lockStates(ctx, ids)
	if err != nil {
		return err
	}
	if err := tx.beginStates(ctx, namespace, series, ids, states); err != nil {
		return err
	}
	var anew []int64
	for _, id := range ids {
		state := states[id]
		if !state.continueWith(touched[id]) {
			anew = append(anew, id)
			state = caseState{}
		}
		states[id] = state
	}
	if err := tx.computeAnew(ctx, anew, states); err != nil {
		return err
	}
	return tx.writeStates(ctx, namespace, series, ids, states)
}

// continueWith adds rows that follow the last one. It says false if the state has to be computed anew instead.
func (s *caseState) continueWith(changes []caseChange) bool {
	// The changes are in the order of their numbers, and all of one attempt.
	for _, change := range changes {
		if change.old != nil || s.streak > 0 && change.new.before(&s.last) {
			return false
		}
		s.add(change.new)
	}
	return true
}

var lockStates = bulk{
	columns: "case_id bigint",
	text: `SELECT s.case_id, s.created, s.run_id, s.attempt, s.number, s.outcome, s.since_created, s.since_run_id, s.streak, s.flips, s.heat
		FROM case_state s WHERE s.case_id IN (SELECT x.case_id FROM {rows}) ORDER BY s.case_id {lock}`,
}

func (tx *transaction) lockStates(ctx context.Context, ids []int64) (map[int64]caseState, error) {
	states := map[int64]caseState{}
	err := tx.run(ctx, lockStates, rowsOf(ids), func(scan scanner) error {
		var s caseState
		err := scan(&s.last.caseID, &s.last.created, &s.last.run, &s.last.attempt, &s.last.number, &s.last.outcome, &s.sinceCreated,
			&s.sinceRun, &s.streak, &s.flips, &s.heat)
		states[s.last.caseID] = s
		return err
	})
	return states, err
}

var emptyStates = bulk{
	columns: "case_id bigint, namespace text, series text",
	text: `INSERT INTO case_state (case_id, namespace, series, created, run_id, number, attempt, outcome, since_created, since_run_id, streak,
			flips, heat)
		SELECT x.case_id, x.namespace, x.series, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM {rows} WHERE true ON CONFLICT DO NOTHING`,
}

// beginStates makes the rows of states that there are none of, and locks them too: a row that is not there cannot be locked, and of two runs
// that begin the history of a case at once, one would miss the other.
func (tx *transaction) beginStates(ctx context.Context, namespace, series string, ids []int64, states map[int64]caseState) error {
	var first []int64
	var empty rows
	for _, id := range ids {
		if _, known := states[id]; !known {
			first = append(first, id)
			empty = append(empty, []any{id, namespace, series})
		}
	}
	if len(first) == 0 {
		return nil
	}
	if err := tx.run(ctx, emptyStates, empty, nil); err != nil {
		return err
	}
	begun, err := tx.lockStates(ctx, first)
	maps.Copy(states, begun)
	return err
}

func rowsOf[T any](values []T) rows {
	out := make(rows, len(values))
	for i, value := range values {
		out[i] = []any{value}
	}
	return out
}

// SQLite has no LATERAL, and gets one case at a time anyhow.
var selectWindow = bulk{
	columns: "case_id bigint",
	text: `SELECT c.* FROM {rows} CROSS JOIN LATERAL (SELECT ` + caseColumns + ` FROM case_results c WHERE c.case_id = x.case_id
		ORDER BY c.created DESC, c.run_id DESC, c.attempt DESC, c.number DESC LIMIT ` + stateWindow + `) AS c`,
	each: `SELECT ` + caseColumns + ` FROM case_results c WHERE c.case_id = $1
		ORDER BY c.created DESC, c.run_id DESC, c.attempt DESC, c.number DESC LIMIT ` + stateWindow,
}

func (tx *transaction) computeAnew(ctx context.Context, ids []int64, states map[int64]caseState) error {
	history := map[int64][]caseRow{}
	err := tx.run(ctx, selectWindow, rowsOf(ids), func(scan scanner) error {
		row, err := scanCase(scan)
		history[row.caseID] = append(history[row.caseID], row)
		return err
	})
	if err != nil {
		return err
	}
	for id, window := range history {
		slices.SortFunc(window, func(x, y caseRow) int { return x.compare(&y) })
		state := states[id]
		for i := range window {
			state.add(&window[i])
		}
		states[id] = state
	}
	return nil
}

var upsertStates = bulk{
	columns: "case_id bigint, namespace text, series text, created bigint, run_id bigint, number integer, attempt smallint, " +
		"outcome smallint, since_created bigint, since_run_id bigint, streak bigint, flips bigint, heat double precision",
	text: `INSERT INTO case_state (case_id, namespace, series, created, run_id, number, attempt, outcome, since_created, since_run_id, streak,
			flips, heat)
		SELECT x.case_id, x.namespace, x.series, x.created, x.run_id, x.number, x.attempt, x.outcome, x.since_created, x.since_run_id,
			x.streak, x.flips, x.heat FROM {rows} WHERE true
		ON CONFLICT (case_id) DO UPDATE SET created = excluded.created, run_id = excluded.run_id, number = excluded.number,
			attempt = excluded.attempt, outcome = excluded.outcome, since_created = excluded.since_created,
			since_run_id = excluded.since_run_id, streak = excluded.streak, flips = excluded.flips, heat = excluded.heat`,
}

// writeStates stores states. A case that was never anything but skipped has none.
func (tx *transaction) writeStates(ctx context.Context, namespace, series string, ids []int64, states map[int64]caseState) error {
	var written, removed rows
	for _, id := range ids {
		s := states[id]
		if s.streak == 0 {
			removed = append(removed, []any{id})
			continue
		}
		written = append(written, []any{
			id, namespace, series, s.last.created, s.last.run, s.last.number, int64(s.last.attempt), s.last.outcome, s.sinceCreated, s.sinceRun,
			s.streak, s.flips, s.heat,
		})
	}
	if err := tx.run(ctx, upsertStates, written, nil); err != nil {
		return err
	}
	return tx.run(ctx, bulk{
		columns: "case_id bigint",
		text:    "DELETE FROM case_state WHERE case_id IN (SELECT x.case_id FROM {rows})",
	}, removed, nil)
}
