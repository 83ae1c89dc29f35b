package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// bare is a table with the columns and the key of the results of cases, and nothing else. Rows are inserted into it by plain statements, as
// many in a transaction as a run has cases: what the archive does is compared with that.
type bare struct {
	*sql.DB
	statement string
	// rows is how many one statement has, and writers how many transactions there are at a time.
	rows, writers int
	next          atomic.Int64
}

const bareColumns = 10

// openBare begins anew. The drivers are those of the archive, and so is what SQLite is told.
func openBare(ctx context.Context, kind, address string) (*bare, error) {
	b := &bare{rows: 100, writers: writers}
	driver := "pgx"
	if kind == "sqlite" {
		driver, b.rows, b.writers = "sqlite", 1, 1
		address = (&url.URL{Scheme: "file", Path: address}).String() +
			"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)"
	}
	var err error
	if b.DB, err = sql.Open(driver, address); err != nil {
		return nil, err
	}
	b.SetMaxOpenConns(b.writers)
	b.SetMaxIdleConns(b.writers)
	for _, statement := range []string{"DROP TABLE IF EXISTS bare", `CREATE TABLE bare (created BIGINT NOT NULL, run_id BIGINT NOT NULL,
		case_id BIGINT NOT NULL, duration BIGINT NOT NULL, line BIGINT NOT NULL, detail_id BIGINT NOT NULL, number INTEGER NOT NULL,
		attempt SMALLINT NOT NULL, outcome SMALLINT NOT NULL, flaky SMALLINT NOT NULL, PRIMARY KEY (created, run_id, attempt, number))`} {
		if _, err := b.ExecContext(ctx, statement); err != nil {
			b.Close()
			return nil, err
		}
	}
	var values []string
	for row := range b.rows {
		var one []string
		for column := range bareColumns {
			one = append(one, fmt.Sprintf("$%d", row*bareColumns+column+1))
		}
		values = append(values, "("+strings.Join(one, ", ")+")")
	}
	b.statement = "INSERT INTO bare VALUES " + strings.Join(values, ", ")
	return b, nil
}

// insert adds the rows of some runs.
func (b *bare) insert(ctx context.Context, runs int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.writers)
	for range runs {
		group.Go(func() error { return b.insertRun(ctx, b.next.Add(1)) })
	}
	return group.Wait()
}

func (b *bare) insertRun(ctx context.Context, run int64) error {
	tx, err := b.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it has no effect after the commit, and the first error counts
	insert, err := tx.PrepareContext(ctx, b.statement)
	if err != nil {
		return err
	}
	defer insert.Close()
	for first := 0; first < casesOfRun; first += b.rows {
		var args []any
		for number := first; number < first+b.rows; number++ {
			args = append(args, 1_700_000_000_000_000+run*1_000_000, run, run%200*casesOfRun+int64(number), 1_000_000, number*150, 0, number+1, 1, 0, 0)
		}
		if _, err := insert.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}
