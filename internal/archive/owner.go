package archive

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Owner is an attempt of a run that something was pushed for, as the API server says. The watch may be behind: then the store makes a row
// for the run, without a phase.
type Owner struct {
	UID, Namespace, Name, Test, Series string
	// Created is when the run was created.
	Created time.Time
	Attempt int32
}

// maxAttempts bounds the number of an attempt, which comes from who pushes.
const maxAttempts = 10_000

// lockRun reads a run by its UID, and keeps others from writing what belongs to it until the transaction ends.
func (tx *transaction) lockRun(ctx context.Context, uid string) (runRow, error) {
	var run runRow
	err := tx.list(ctx, selectRun+"runs r WHERE r.uid = $1 {lock}", []any{uid}, func(scan scanner) error {
		var err error
		run, err = scanRun(scan)
		return err
	})
	if err == nil && run.id == 0 {
		err = fmt.Errorf("run %s: %w", uid, ErrNotFound)
	}
	return run, err
}

// lockOwner locks the run and makes sure that there are rows for it and its attempt.
func (tx *transaction) lockOwner(ctx context.Context, owner Owner) (runRow, error) {
	owner.Namespace, owner.Name, owner.UID = plain(owner.Namespace), plain(owner.Name), plain(owner.UID)
	if owner.UID == "" || owner.Attempt < 1 || owner.Attempt > maxAttempts {
		return runRow{}, fmt.Errorf("%w: attempt %d of run %q", ErrInvalid, owner.Attempt, owner.UID)
	}
	run, err := tx.lockRun(ctx, owner.UID)
	if errors.Is(err, ErrNotFound) {
		if err := tx.announce(ctx, owner); err != nil {
			return runRow{}, err
		}
		run, err = tx.lockRun(ctx, owner.UID)
		tx.touch(run.id)
	}
	if err != nil {
		return run, err
	}
	if run.namespace != owner.Namespace || run.name != owner.Name {
		return run, fmt.Errorf("%w: the UID %s is that of the run %s/%s", ErrInvalid, owner.UID, run.namespace, run.name)
	}
	_, err = tx.exec(ctx, `INSERT INTO attempts (run_id, number, seen_ended) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		run.id, owner.Attempt, tx.seenEnded(run))
	return run, err
}

// seenEnded is what an attempt begins with: one of a run that has ended is over.
func (tx *transaction) seenEnded(run runRow) int64 {
	if run.ended == 0 {
		return 0
	}
	return microseconds(tx.store.now())
}

// announce makes the row of a run that the watch has not told of yet.
func (tx *transaction) announce(ctx context.Context, owner Owner) error {
	series := plain(owner.Series)
	if series == "" {
		series = SeriesOf(plain(owner.Test), nil, "", owner.Name)
	}
	_, err := tx.exec(ctx, `INSERT INTO runs (uid, namespace, name, test, series, created, heard) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING`,
		owner.UID, owner.Namespace, owner.Name, plain(owner.Test), series, microseconds(owner.Created), microseconds(tx.store.now()))
	return err
}

// Amount is how much is kept.
type Amount struct {
	// Length is in bytes before compression, Size in bytes of blobs. Cases and Chunks are numbers of rows.
	Length, Size, Cases, Chunks int64
}

// add adds an amount to what a run and its namespace hold. It comes last in a transaction: many wait for the row of the namespace.
func (tx *transaction) add(ctx context.Context, run *runRow, amount Amount) error {
	if amount == (Amount{}) {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE runs SET length = length + $2, size = size + $3, cases = cases + $4, chunks = chunks + $5 WHERE id = $1`,
		run.id, amount.Length, amount.Size, amount.Cases, amount.Chunks)
	if err != nil {
		return err
	}
	return tx.addToNamespace(ctx, run.namespace, amount)
}

func (tx *transaction) addToNamespace(ctx context.Context, namespace string, amount Amount) error {
	_, err := tx.exec(ctx, `INSERT INTO namespaces (namespace, length, size, cases, chunks) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (namespace) DO UPDATE SET length = namespaces.length + excluded.length, size = namespaces.size + excluded.size,
			cases = namespaces.cases + excluded.cases, chunks = namespaces.chunks + excluded.chunks`,
		namespace, amount.Length, amount.Size, amount.Cases, amount.Chunks)
	return err
}

// Usage is how much is kept of a run, and of all runs of its namespace. What is not known yet is zero.
func (s *Store) Usage(ctx context.Context, namespace, uid string) (run, all Amount, err error) {
	for _, read := range []struct {
		statement, key string
		into           *Amount
	}{
		{"SELECT length, size, cases, chunks FROM runs WHERE uid = $1", uid, &run},
		{"SELECT length, size, cases, chunks FROM namespaces WHERE namespace = $1", namespace, &all},
	} {
		a := read.into
		err = s.get(ctx, read.statement, []any{read.key}, &a.Length, &a.Size, &a.Cases, &a.Chunks)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return run, all, err
		}
	}
	return run, all, nil
}

// Namespaces lists those that anything is kept of, in order.
func (s *Store) Namespaces(ctx context.Context) ([]string, error) {
	var names []string
	err := s.list(ctx, "SELECT namespace FROM namespaces ORDER BY namespace", nil, func(scan scanner) error {
		var name string
		err := scan(&name)
		names = append(names, name)
		return err
	})
	return names, err
}
