package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Counts are how many rows have not finished; MaxCount stands for more, too. Cancelled ones are InProgress.
type Counts struct{ Pending, InProgress int }

// reading calls do in a transaction that writes nothing, and ends soon.
func (t *Table) reading(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	tx, err := t.dialect.begin(ctx, t.database.db, true)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// alias is what a SELECT calls the table. ORDER BY needs it: without, it would mean the text of the key, in whose order 10 is before 9.
const alias = "job_row"

// where begins the condition for rows with a state that the mapping selects.
func (t *Table) where(s *statement, state State) {
	status := t.columns[t.mapping.Status]
	s.add(" FROM ", t.quoted, " AS ", alias, " WHERE ", t.dialect.quote(status.name), " = ").arg(t.mapping.word(state), status)
	for _, match := range t.mapping.Match {
		s.add(" AND ", t.dialect.text(t.columns[match.Column]), " IN ").list(match.Values, anyText)
	}
}

// identity is the expression for the text of the column created; an empty text without one.
func (t *Table) identity() string {
	if t.mapping.Created == "" {
		return "''"
	}
	return "COALESCE(" + t.dialect.identity(t.columns[t.mapping.Created]) + ", '')"
}

// Page returns up to PageSize rows with a state, by their keys, from that after a key on; nil is the first page. Rows whose key is too long
// are left out and counted.
func (t *Table) Page(ctx context.Context, state State, after *string) (page []Row, last *string, tooLong int, err error) {
	id := t.columns[t.mapping.ID]
	s := t.pageStatement(state, after)
	err = t.reading(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.QueryContext(ctx, s.sql.String(), s.args...)
		if err != nil {
			return err
		}
		defer result.Close()
		for result.Next() {
			row := Row{Values: map[string]*string{}}
			values := make([]*string, len(t.mapping.Columns))
			into := []any{&row.ID, &row.Created, &row.Age}
			for i := range values {
				into = append(into, &values[i])
			}
			if err := result.Scan(into...); err != nil {
				return err
			}
			for i, name := range t.mapping.Columns {
				row.Values[name] = values[i]
			}
			last = &row.ID
			if utf8.RuneCountInString(row.ID) > maxKey {
				tooLong++
				continue
			}
			page = append(page, row)
		}
		return result.Err()
	})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("reading rows by %s: %w", id.name, err)
	}
	if len(page)+tooLong < PageSize {
		last = nil
	}
	return page, last, tooLong, nil
}

func (t *Table) pageStatement(state State, after *string) *statement {
	id := t.columns[t.mapping.ID]
	name := t.dialect.quote(id.name)
	age := "NULL"
	if t.mapping.Created != "" {
		age = t.dialect.age(t.columns[t.mapping.Created])
	}
	s := &statement{dialect: t.dialect}
	s.add("SELECT ", t.dialect.text(id), ", ", t.identity(), ", ", age)
	for _, column := range t.mapping.Columns {
		s.add(", LEFT(", t.dialect.text(t.columns[column]), ", ", strconv.Itoa(MaxValue+1), ")")
	}
	t.where(s, state)
	s.add(" AND ", name, " IS NOT NULL")
	if after != nil {
		s.add(" AND ", name, " > ").arg(*after, id)
	}
	return s.add(" ORDER BY ", alias, ".", name, " LIMIT ", strconv.Itoa(PageSize))
}

// Count counts the rows that have not finished.
func (t *Table) Count(ctx context.Context) (counts Counts, err error) {
	err = t.reading(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, state := range t.mapping.unfinished() {
			s := (&statement{dialect: t.dialect}).add("SELECT count(*) FROM (SELECT 1 AS one")
			t.where(s, state)
			s.add(" LIMIT ", strconv.Itoa(MaxCount), ") counted")
			var count int
			if err := tx.QueryRowContext(ctx, s.sql.String(), s.args...).Scan(&count); err != nil {
				return err
			}
			if state == Pending {
				counts.Pending = count
			} else {
				counts.InProgress = min(counts.InProgress+count, MaxCount)
			}
		}
		return nil
	})
	if err != nil {
		return counts, fmt.Errorf("counting rows: %w", err)
	}
	return counts, nil
}

// state is an expression for the state of a row. The database compares: it knows whether Pending is pending.
func (t *Table) state(s *statement) {
	status := t.columns[t.mapping.Status]
	s.add("CASE")
	for _, state := range append(t.mapping.unfinished(), Finished) {
		s.add(" WHEN ", t.dialect.quote(status.name), " = ").arg(t.mapping.word(state), status).add(" THEN ", strconv.Itoa(int(state)))
	}
	s.add(" ELSE ", strconv.Itoa(int(Other)), " END")
}

// States returns the states of the rows with those keys, whatever the mapping selects. Rows that do not exist are absent.
func (t *Table) States(ctx context.Context, keys []Key) (map[Key]State, error) {
	states := map[Key]State{}
	wanted := map[Key]bool{}
	var ids []string
	for _, key := range keys {
		wanted[key] = true
		ids = append(ids, key.ID)
	}
	for len(ids) > 0 {
		chunk := ids[:min(PageSize, len(ids))]
		ids = ids[len(chunk):]
		if err := t.reading(ctx, func(ctx context.Context, tx *sql.Tx) error { return t.addStates(ctx, tx, chunk, wanted, states) }); err != nil {
			return nil, fmt.Errorf("reading the states of rows: %w", err)
		}
	}
	return states, nil
}

func (t *Table) addStates(ctx context.Context, tx *sql.Tx, ids []string, wanted map[Key]bool, states map[Key]State) error {
	id := t.columns[t.mapping.ID]
	s := (&statement{dialect: t.dialect}).add("SELECT ", t.dialect.text(id), ", ", t.identity(), ", ")
	t.state(s)
	s.add(" FROM ", t.quoted, " WHERE ", t.dialect.quote(id.name), " IN ").list(ids, id)
	result, err := tx.QueryContext(ctx, s.sql.String(), s.args...)
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var key Key
		var state State
		if err := result.Scan(&key.ID, &key.Created, &state); err != nil {
			return err
		}
		if wanted[key] {
			states[key] = state
		}
	}
	return result.Err()
}
