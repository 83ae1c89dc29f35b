package archive

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// caseRow is a row of case_results, in the order of its history: see before.
type caseRow struct {
	created, run                                   int64
	attempt                                        int32
	number                                         int64
	caseID, duration, line, detail, outcome, flaky int64
}

const caseColumns = "c.created, c.run_id, c.attempt, c.number, c.case_id, c.duration, c.line, c.detail_id, c.outcome, c.flaky"

func scanCase(scan scanner, more ...any) (caseRow, error) {
	var c caseRow
	err := scan(append([]any{
		&c.created, &c.run, &c.attempt, &c.number, &c.caseID, &c.duration, &c.line, &c.detail, &c.outcome, &c.flaky,
	}, more...)...)
	return c, err
}

func (c *caseRow) before(other *caseRow) bool { return c.compare(other) < 0 }

func (c *caseRow) compare(other *caseRow) int {
	return cmp.Or(cmp.Compare(c.created, other.created), cmp.Compare(c.run, other.run), cmp.Compare(c.attempt, other.attempt),
		cmp.Compare(c.number, other.number))
}

// outcomeNumbers are the outcomes as they are stored. Everything but Passed is greater than 0: an index relies on it.
var outcomeNumbers = []results.Outcome{results.Passed, results.Failed, results.Errored, results.Skipped}

// The numbers of outcomes.
const (
	numberPassed = iota
	numberFailed
	numberErrored
	numberSkipped
	// numberWithdrawn is that of a row without a case: see push.Case. It stays, so that a line that comes late does not bring the case back.
	numberWithdrawn
)

// noCase is the case of a withdrawn row. No query that looks for cases finds it.
const noCase = 0

func isWithdrawn(line push.Case) bool { return line.Outcome == "" }

func outcomeNumber(outcome results.Outcome) int64 {
	if number := slices.Index(outcomeNumbers, outcome); number >= 0 {
		return int64(number)
	}
	return numberErrored
}

func outcomeOf(number int64) results.Outcome {
	if number < 0 || number >= int64(len(outcomeNumbers)) {
		return results.Errored
	}
	return outcomeNumbers[number]
}

// AddCases keeps lines of the stream of cases. A line replaces one with the same number that begins before it in the stream; one that
// begins behind it stays. So lines may come in any order, and again.
func (s *Store) AddCases(ctx context.Context, owner Owner, lines []CaseLine) error {
	return s.transact(ctx, func(tx *transaction) error {
		run, err := tx.lockOwner(ctx, owner)
		if err != nil {
			return err
		}
		added, err := tx.addCases(ctx, &run, owner.Attempt, seriesOf(&run, owner), lines)
		if err != nil {
			return err
		}
		return tx.add(ctx, &run, Amount{Cases: added})
	})
}

// seriesOf is the series of the run as who pushes has read it, which may be newer than what the watch has told.
func seriesOf(run *runRow, owner Owner) string {
	if series := plain(owner.Series); series != "" {
		return series
	}
	return run.series
}

// statusLine is the line of cases that a status shows: every pushed one replaces it.
const statusLine = -1

// addCases writes cases, and what follows from them: it returns by how many rows there are more.
func (tx *transaction) addCases(ctx context.Context, run *runRow, attempt int32, series string, lines []CaseLine) (added int64, err error) {
	newest := map[int64]CaseLine{}
	for _, line := range lines {
		if line.Number < 1 || line.Number > math.MaxInt32 {
			return 0, fmt.Errorf("%w: a case has the number %d", ErrInvalid, line.Number)
		}
		if kept, ok := newest[line.Number]; !ok || kept.Offset < line.Offset {
			newest[line.Number] = line
		}
	}
	old, err := tx.keptCases(ctx, run, attempt, newest)
	if err != nil {
		return 0, err
	}
	for number, row := range old {
		if row.line >= newest[number].Offset {
			delete(newest, number)
			delete(old, number)
		}
	}
	changes, err := tx.changesOf(ctx, run, attempt, series, newest, old)
	if err != nil {
		return 0, err
	}
	return tx.writeChanges(ctx, run, attempt, series, changes)
}

// caseChange is what becomes of a case: old is nil for one that is new, and new is nil for one that is removed.
type caseChange struct{ old, new *caseRow }

var selectCases = bulk{
	columns: "created bigint, run_id bigint, attempt smallint, number integer",
	text: "SELECT " + caseColumns + ` FROM {rows} JOIN case_results c
		ON c.created = x.created AND c.run_id = x.run_id AND c.attempt = x.attempt AND c.number = x.number`,
}

// keptCases are the kept rows with the numbers of the lines.
func (tx *transaction) keptCases(
	ctx context.Context, run *runRow, attempt int32, lines map[int64]CaseLine,
) (map[int64]*caseRow, error) {
	var keys rows
	for _, number := range slices.Sorted(maps.Keys(lines)) {
		keys = append(keys, []any{run.created, run.id, int64(attempt), number})
	}
	kept := map[int64]*caseRow{}
	err := tx.run(ctx, selectCases, keys, func(scan scanner) error {
		row, err := scanCase(scan)
		kept[row.number] = &row
		return err
	})
	return kept, err
}

func (tx *transaction) changesOf(
	ctx context.Context, run *runRow, attempt int32, series string, lines map[int64]CaseLine, old map[int64]*caseRow,
) ([]caseChange, error) {
	numbers := slices.Sorted(maps.Keys(lines))
	names := make(map[int64]CaseName, len(numbers))
	details := make(map[int64]detail, len(numbers))
	for _, number := range numbers {
		if line := lines[number]; !isWithdrawn(line.Case) {
			names[number] = CaseName{run.namespace, series, line.Suite, line.Name}.storable()
			details[number] = detail{storable(line.Location, maxName), prose(line.Message)}
		}
	}
	caseIDs, err := tx.caseIDs(ctx, inOrder(numbers, names))
	if err != nil {
		return nil, err
	}
	detailIDs, err := tx.detailIDs(ctx, run, inOrder(numbers, details))
	if err != nil {
		return nil, err
	}
	changes := make([]caseChange, len(numbers))
	for i, number := range numbers {
		line := lines[number]
		row := &caseRow{created: run.created, run: run.id, attempt: attempt, number: number, line: line.Offset}
		if isWithdrawn(line.Case) {
			row.caseID, row.outcome = noCase, numberWithdrawn
		} else {
			row.caseID, row.detail, row.outcome = caseIDs[names[number]], detailIDs[details[number]], outcomeNumber(line.Outcome)
			row.duration, row.flaky = boundedMicroseconds(line.Microseconds), bit(line.Flaky)
		}
		changes[i] = caseChange{old[number], row}
	}
	return changes, nil
}

// inOrder are the values of the keys that have one.
func inOrder[V any](keys []int64, values map[int64]V) []V {
	all := make([]V, 0, len(values))
	for _, key := range keys {
		if value, ok := values[key]; ok {
			all = append(all, value)
		}
	}
	return all
}

var upsertCases = bulk{
	columns: "created bigint, run_id bigint, attempt smallint, number integer, case_id bigint, duration bigint, line bigint, " +
		"detail_id bigint, outcome smallint, flaky smallint",
	text: `INSERT INTO case_results (created, run_id, attempt, number, case_id, duration, line, detail_id, outcome, flaky)
		SELECT x.created, x.run_id, x.attempt, x.number, x.case_id, x.duration, x.line, x.detail_id, x.outcome, x.flaky
		FROM {rows} WHERE true
		ON CONFLICT (created, run_id, attempt, number) DO UPDATE SET case_id = excluded.case_id, duration = excluded.duration,
			line = excluded.line, detail_id = excluded.detail_id, outcome = excluded.outcome, flaky = excluded.flaky`,
}

var deleteCases = bulk{
	columns: "created bigint, run_id bigint, attempt smallint, number integer",
	text: `DELETE FROM case_results WHERE (created, run_id, attempt, number) IN
		(SELECT x.created, x.run_id, x.attempt, x.number FROM {rows})`,
}

// writeChanges stores changed cases of an attempt, and adds them to everything that adds cases up.
func (tx *transaction) writeChanges(
	ctx context.Context, run *runRow, attempt int32, series string, changes []caseChange,
) (added int64, err error) {
	var inserted, replaced, removed rows
	var counts [numberWithdrawn + 1]int64
	var flaky int64
	for _, change := range changes {
		if c := change.old; c != nil {
			counts[c.outcome]--
			flaky -= c.flaky
			added--
		}
		if c := change.new; c != nil {
			counts[c.outcome]++
			flaky += c.flaky
			added++
			row := []any{
				c.created, c.run, int64(c.attempt), c.number, c.caseID, c.duration, c.line, c.detail, c.outcome, c.flaky,
			}
			if change.old == nil {
				inserted = append(inserted, row)
			} else {
				replaced = append(replaced, row)
			}
		} else {
			removed = append(removed, []any{change.old.created, change.old.run, int64(change.old.attempt), change.old.number})
		}
	}
	if len(changes) == 0 {
		return 0, nil
	}
	tx.touch(run.id)
	if err := tx.insert(ctx, "case_results", upsertCases, inserted); err != nil {
		return 0, err
	}
	if err := tx.run(ctx, upsertCases, replaced, nil); err != nil {
		return 0, err
	}
	if err := tx.run(ctx, deleteCases, removed, nil); err != nil {
		return 0, err
	}
	_, err = tx.exec(ctx, `UPDATE attempts SET passed = passed + $3, failed = failed + $4, errored = errored + $5, skipped = skipped + $6,
		flaky_cases = flaky_cases + $7 WHERE run_id = $1 AND number = $2`,
		run.id, attempt, counts[numberPassed], counts[numberFailed], counts[numberErrored], counts[numberSkipped], flaky)
	if err != nil {
		return 0, err
	}
	if err := tx.updateStates(ctx, run.namespace, series, changes); err != nil {
		return 0, err
	}
	return added, tx.updateCaseDays(ctx, run, changes)
}

// keepStatusCases keeps the cases that a status shows, unless cases of that attempt were pushed. It returns by how many rows there are more.
func (a *applying) keepStatusCases(ctx context.Context, run *runRow, state *RunState) (int64, error) {
	if _, err := a.exec(ctx, "INSERT INTO attempts (run_id, number) VALUES ($1, $2) ON CONFLICT DO NOTHING", run.id, state.CasesOf); err != nil {
		return 0, err
	}
	stream, err := a.stream(ctx, run, state.CasesOf, push.Stream{Kind: push.Cases}, FromStatus)
	if err != nil || Source(stream.source) != FromStatus || stream.expired != 0 {
		return 0, err
	}
	removed, err := a.removeStatusCases(ctx, run, state.CasesOf)
	if err != nil {
		return 0, err
	}
	lines := make([]CaseLine, len(state.Cases))
	for i, c := range state.Cases {
		lines[i] = CaseLine{push.Case{
			Number: int64(i + 1), Name: c.Name, Suite: c.Suite, Outcome: c.Outcome, Microseconds: int64(c.Duration / time.Microsecond),
			Location: c.Location, Message: c.Message, Flaky: c.Flaky,
		}, statusLine}
	}
	added, err := a.addCases(ctx, run, state.CasesOf, run.series, lines)
	return added - removed, err
}

// removeStatusCases removes the cases of an attempt that come from a status.
func (tx *transaction) removeStatusCases(ctx context.Context, run *runRow, attempt int32) (removed int64, err error) {
	var changes []caseChange
	err = tx.list(ctx, "SELECT "+caseColumns+` FROM case_results c
		WHERE c.created = $1 AND c.run_id = $2 AND c.attempt = $3 AND c.line < 0`,
		[]any{run.created, run.id, attempt}, func(scan scanner) error {
			row, err := scanCase(scan)
			changes = append(changes, caseChange{old: &row})
			return err
		})
	if err != nil {
		return 0, err
	}
	added, err := tx.writeChanges(ctx, run, attempt, run.series, changes)
	return -added, err
}
