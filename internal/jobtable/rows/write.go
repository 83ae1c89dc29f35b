package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Change is what is written into a row: InProgress or Finished, and with Finished the data and the verdict, for the columns that there are.
type Change struct {
	State         State
	Data, Verdict string
}

// Outcome is what became of a change.
type Outcome int

// The outcomes.
const (
	// Changed means that the row says it now.
	Changed Outcome = iota
	// Unchanged means that there is nothing to do: the row says it already, is gone, or has a status from which the change does not lead on.
	Unchanged
	// Locked means that somebody holds a lock on the row.
	Locked
)

// Write changes a row, if it still has a status from which the change leads on: a row never goes back. It waits for no lock on the row.
func (t *Table) Write(ctx context.Context, key Key, change Change) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	outcome, err := t.write(ctx, key, change)
	if err == nil && outcome == Locked {
		states, err := t.States(ctx, []Key{key})
		if _, isThere := states[key]; err == nil && !isThere {
			return Unchanged, nil
		}
	}
	if err != nil {
		return outcome, fmt.Errorf("writing the row: %w", err)
	}
	return outcome, nil
}

func (t *Table) write(ctx context.Context, key Key, change Change) (outcome Outcome, err error) {
	tx, err := t.dialect.begin(ctx, t.database.db, false)
	if err != nil {
		return Locked, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	s := (&statement{dialect: t.dialect}).add("SELECT ")
	t.state(s)
	s.add(" FROM ", t.quoted)
	t.whereKey(s, key)
	s.add(t.dialect.skipLocked())
	var state State
	err = tx.QueryRowContext(ctx, s.sql.String(), s.args...).Scan(&state)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Locked, tx.Commit()
	case err != nil:
		return Locked, err
	case state == Finished, state == Other, change.State == InProgress && state != Pending:
		return Unchanged, tx.Commit()
	}
	update := t.update(key, change)
	if _, err = tx.ExecContext(ctx, update.sql.String(), update.args...); err != nil {
		return Locked, err
	}
	return Changed, tx.Commit()
}

func (t *Table) whereKey(s *statement, key Key) {
	id := t.columns[t.mapping.ID]
	s.add(" WHERE ", t.dialect.quote(id.name), " = ").arg(key.ID, id)
	if t.mapping.Created != "" {
		s.add(" AND ", t.identity(), " = ").arg(key.Created, anyText)
	}
}

// update is an UPDATE that changes nothing in a row that has gone on.
func (t *Table) update(key Key, change Change) *statement {
	status := t.columns[t.mapping.Status]
	s := (&statement{dialect: t.dialect}).add("UPDATE ", t.quoted, " SET ", t.dialect.quote(status.name), " = ").arg(t.mapping.word(change.State), status)
	from := []State{Pending}
	if change.State == Finished {
		from = t.mapping.unfinished()
		for name, value := range map[string]string{t.mapping.Data: change.Data, t.mapping.Verdict: change.Verdict} {
			if name != "" {
				s.add(", ", t.dialect.quote(name), " = ").arg(value, t.columns[name])
			}
		}
	}
	t.whereKey(s, key)
	s.add(" AND ", t.dialect.quote(status.name), " IN ")
	var words []string
	for _, state := range from {
		words = append(words, t.mapping.word(state))
	}
	return s.list(words, status)
}
