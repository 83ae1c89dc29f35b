package archive

import (
	"context"
	"maps"
	"slices"

	"github.com/testrun-dev/testrun/internal/push"
)

// Change is a run that was changed: its state, its progress or its counts, or that it is pinned or gone.
type Change struct {
	// Number is greater than those of all changes before it.
	Number int64
	Run    Run
	// Progress is that of the run's last attempt.
	Progress push.Progress
}

// Changes lists runs by their last changes, the oldest first, after the number of a change. A run is listed once, as it is now. Whoever asks
// for what comes after the last number of the page before misses nothing, whatever is written meanwhile.
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	var changes []Change
	err := s.list(ctx, listChanges, []any{after, pageSize(limit)}, func(scan scanner) error {
		var c Change
		var err error
		c.Run, err = scanListedRun(scan, &c.Number, &c.Progress.Done, &c.Progress.Failed, &c.Progress.Total)
		changes = append(changes, c)
		return err
	})
	return changes, err
}

const listChanges = "SELECT " + runColumns + `, c.change, coalesce(a.done, 0), coalesce(a.done_failed, 0), coalesce(a.total, 0)
	FROM changes c JOIN runs r ON r.id = c.run_id
	LEFT JOIN attempts a ON a.run_id = r.id AND a.number = (SELECT max(m.number) FROM attempts m WHERE m.run_id = r.id)
	WHERE c.change > $1 ORDER BY c.change LIMIT $2`

// LastChange is the number after which Changes lists what will change from now on.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	var last int64
	err := s.get(ctx, "SELECT coalesce(max(change), 0) FROM changes", nil, &last)
	return last, err
}

// touch says that the transaction changes what is shown of a run.
func (tx *transaction) touch(run int64) {
	if tx.touched == nil {
		tx.touched = map[int64]bool{}
	}
	tx.touched[run] = true
}

// In PostgreSQL the lock on the last number makes transactions commit in the order of their numbers: else a reader could see a number
// before a lower one, and miss that one. So this comes last in a transaction, and is one statement. SQLite has a single writer.
var numberChanges = bulk{
	columns: "run_id bigint",
	text: `WITH n AS (UPDATE change_number SET last = last + (SELECT count(*) FROM {rows}) RETURNING last)
		INSERT INTO changes (change, run_id) SELECT n.last + 1 - row_number() OVER (ORDER BY x.run_id DESC), x.run_id FROM {rows} CROSS JOIN n
		ON CONFLICT (run_id) DO UPDATE SET change = excluded.change`,
	each: "INSERT OR REPLACE INTO changes (run_id) VALUES ($1)",
}

// numberChanges gives the runs that the transaction has touched their new numbers.
func (tx *transaction) numberChanges(ctx context.Context) error {
	return tx.run(ctx, numberChanges, rowsOf(slices.Sorted(maps.Keys(tx.touched))), nil)
}
