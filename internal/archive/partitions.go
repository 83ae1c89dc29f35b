package archive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// In PostgreSQL the rows of cases are in one partition for each month, by when their run was created, since to drop a partition costs
// nothing. Rows for whose month there is none are in the partition case_results_rest.

// monthsAhead is for how many months partitions are made, with the current one. Retention makes them again and again.
const monthsAhead = 4

const (
	pgCheckViolation   = "23514"
	pgLockNotAvailable = "55P03"
)

// addPartitions makes the partitions of a month and of those that follow.
func (s *Store) addPartitions(ctx context.Context, at time.Time) error {
	for i := range monthsAhead {
		if err := s.addPartition(ctx, firstOfMonth(at).AddDate(0, i, 0)); err != nil {
			return err
		}
	}
	return nil
}

func firstOfMonth(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func partitionName(month time.Time) string { return "case_results_" + month.Format("2006_01") }

// addPartition makes the partition of a month. If there are rows of that month in the rest, they and all that follow stay there.
func (s *Store) addPartition(ctx context.Context, month time.Time) error {
	name := partitionName(month)
	var exists bool
	if err := s.get(ctx, "SELECT to_regclass($1) IS NOT NULL", []any{name}, &exists); err != nil || exists {
		return err
	}
	err := s.alter(ctx, func(tx *transaction) error {
		_, err := tx.exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s PARTITION OF case_results FOR VALUES FROM (%d) TO (%d)",
			name, month.UnixMicro(), month.AddDate(0, 1, 0).UnixMicro()))
		return err
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == pgCheckViolation {
		return nil
	}
	return err
}

// alter changes partitions. Who reads has precedence: if the tables are busy, nothing happens, and the next call tries again.
func (s *Store) alter(ctx context.Context, do func(tx *transaction) error) error {
	err := s.transact(ctx, func(tx *transaction) error {
		// Two replicas alter one after the other.
		if _, err := tx.exec(ctx, "SELECT pg_advisory_xact_lock(7357270001)"); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, "SET LOCAL lock_timeout = '3s'"); err != nil {
			return err
		}
		return do(tx)
	})
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == pgLockNotAvailable {
		return nil
	}
	return err
}

const listPartitions = `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'case_results'::regclass AND c.relname ~ '^case_results_[0-9]{4}_[0-9]{2}$' ORDER BY c.relname`

// dropPartitions drops the partitions whose runs have all been created long before a time. Rows of runs that are kept move to the rest.
func (s *Store) dropPartitions(ctx context.Context, before time.Time) error {
	var names []string
	err := s.list(ctx, listPartitions, nil, func(scan scanner) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		// Most runs end soon after they were created: a month later few rows have to move.
		month, err := time.Parse("2006_01", name[len("case_results_"):])
		if err != nil || month.AddDate(0, 2, 0).After(before) {
			continue
		}
		if err := s.dropPartition(ctx, name, before); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) dropPartition(ctx context.Context, name string, before time.Time) error {
	return s.alter(ctx, func(tx *transaction) error {
		if _, err := tx.exec(ctx, "ALTER TABLE case_results DETACH PARTITION "+name); err != nil {
			return err
		}
		_, err := tx.exec(ctx, "INSERT INTO case_results SELECT c.* FROM "+name+` c JOIN runs r ON r.id = c.run_id
			WHERE r.pinned = 1 OR r.ended = 0 OR r.deleted = 0 OR r.ended >= $1`, before.UnixMicro())
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, "DROP TABLE "+name)
		return err
	})
}
