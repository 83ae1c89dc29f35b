package archive

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// transaction executes statements that are all stored, or none is.
type transaction struct {
	store *Store
	conn  *sql.Conn
	tx    *sql.Tx
	// touched are the ids of runs of which something changes that is shown: see numberChanges.
	touched map[int64]bool
}

// tries is how often a transaction is tried that another one was in the way of.
const tries = 5

// transact executes do in a transaction, and again if another one was in its way: do begins anew then.
func (s *Store) transact(ctx context.Context, do func(tx *transaction) error) error {
	var err error
	for range tries {
		if err = s.tryTransact(ctx, do); err == nil || !mayRetry(err) {
			break
		}
	}
	if err == nil {
		s.readOnly.Store(nil)
	}
	return s.explain(err)
}

func (s *Store) tryTransact(ctx context.Context, do func(tx *transaction) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	begun, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer begun.Rollback() //nolint:errcheck // it has no effect after the commit, and the first error counts
	tx := &transaction{store: s, conn: conn, tx: begun}
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.numberChanges(ctx); err != nil {
		return err
	}
	if err := tx.before(); err != nil {
		return err
	}
	return begun.Commit()
}

// before is called before each statement, and before the commit.
func (tx *transaction) before() error {
	if hook := tx.store.beforeStatement; hook != nil {
		return hook(tx)
	}
	return nil
}

func (tx *transaction) exec(ctx context.Context, statement string, args ...any) (changed int64, err error) {
	if err := tx.before(); err != nil {
		return 0, err
	}
	result, err := tx.tx.ExecContext(ctx, tx.store.dialect.text(statement), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// get reads one row. The error is ErrNotFound if there is none.
func (tx *transaction) get(ctx context.Context, statement string, args []any, into ...any) error {
	if err := tx.before(); err != nil {
		return err
	}
	err := tx.tx.QueryRowContext(ctx, tx.store.dialect.text(statement), args...).Scan(into...)
	if err == sql.ErrNoRows {
		return ErrNotFound
	}
	return err
}

// list calls each for every row.
func (tx *transaction) list(ctx context.Context, statement string, args []any, each func(scan scanner) error) error {
	if err := tx.before(); err != nil {
		return err
	}
	rows, err := tx.tx.QueryContext(ctx, tx.store.dialect.text(statement), args...)
	return eachRow(rows, err, each)
}

// scanner reads the columns of a row.
type scanner func(into ...any) error

func eachRow(rows *sql.Rows, err error, each func(scan scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// get reads one row outside of a transaction. The error is ErrNotFound if there is none.
func (s *Store) get(ctx context.Context, statement string, args []any, into ...any) error {
	return s.explain(s.read.QueryRowContext(ctx, statement, sendable(args)...).Scan(into...))
}

// list calls each for every row, outside of a transaction.
func (s *Store) list(ctx context.Context, statement string, args []any, each func(scan scanner) error) error {
	rows, err := s.read.QueryContext(ctx, statement, sendable(args)...)
	return s.explain(eachRow(rows, err, each))
}

// bulk is a statement for many rows. Its text has {rows} in the place of a table x that has the columns.
//
// PostgreSQL gets all rows in one statement, since each takes a journey; SQLite gets one after the other, since it has no arrays.
type bulk struct {
	// columns are names and types, as in "id bigint, name text".
	columns string
	text    string
	// each replaces text for SQLite, if it is set: $1 and so on are the columns.
	each string
}

// width is the number of the columns.
func (b bulk) width() int { return strings.Count(b.columns, ", ") + 1 }

// rows are the values of a bulk's columns, row by row.
type rows [][]any

// run executes the bulk for all rows. each gets what it returns, in no order; nil if it returns nothing.
func (tx *transaction) run(ctx context.Context, b bulk, values rows, each func(scan scanner) error) error {
	if len(values) == 0 {
		return nil
	}
	columns := strings.Split(b.columns, ", ")
	if tx.store.dialect == postgres {
		return tx.runArrays(ctx, b, columns, values, each)
	}
	text := b.each
	if text == "" {
		text = strings.ReplaceAll(b.text, "{rows}", oneRow(columns))
	}
	statement, err := tx.tx.PrepareContext(ctx, tx.store.dialect.text(text))
	if err != nil {
		return err
	}
	defer statement.Close()
	for _, row := range values {
		if err := tx.before(); err != nil {
			return err
		}
		if each == nil {
			if _, err := statement.ExecContext(ctx, row...); err != nil {
				return err
			}
			continue
		}
		found, err := statement.QueryContext(ctx, row...)
		if err := eachRow(found, err, each); err != nil {
			return err
		}
	}
	return nil
}

// insert executes the bulk, which adds rows to a table that has none with their keys. PostgreSQL gets them by COPY instead, which takes 0.6
// of the time of INSERT and three quarters of its write-ahead log.
func (tx *transaction) insert(ctx context.Context, table string, b bulk, values rows) error {
	if tx.store.dialect != postgres || len(values) == 0 {
		return tx.run(ctx, b, values, nil)
	}
	if err := tx.before(); err != nil {
		return err
	}
	var names []string
	for column := range strings.SplitSeq(b.columns, ", ") {
		name, _, _ := strings.Cut(column, " ")
		names = append(names, name)
	}
	return tx.conn.Raw(func(conn any) error {
		_, err := conn.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, names, pgx.CopyFromRows(values))
		return err
	})
}

// oneRow is the table x with a single row.
func oneRow(columns []string) string {
	var out strings.Builder
	for i, column := range columns {
		name, _, _ := strings.Cut(column, " ")
		out.WriteString(separator(i) + placeholder(i) + " AS " + name)
	}
	return "(SELECT " + out.String() + ") AS x"
}

func (tx *transaction) runArrays(ctx context.Context, b bulk, columns []string, values rows, each func(scan scanner) error) error {
	var arrays, names strings.Builder
	args := make([]any, len(columns))
	for i, column := range columns {
		name, kind, _ := strings.Cut(column, " ")
		arrays.WriteString(separator(i) + placeholder(i) + "::" + kind + "[]")
		names.WriteString(separator(i) + name)
		args[i] = arrayOf(kind, values, i)
	}
	text := strings.ReplaceAll(b.text, "{rows}", "unnest("+arrays.String()+") AS x("+names.String()+")")
	if each == nil {
		_, err := tx.exec(ctx, text, args...)
		return err
	}
	return tx.list(ctx, text, args, each)
}

// arrayOf is a column of the rows as an array of PostgreSQL.
func arrayOf(kind string, values rows, column int) any {
	switch kind {
	case "text":
		return arrayAs[string](values, column)
	case "bytea":
		return arrayAs[[]byte](values, column)
	case "double precision":
		return arrayAs[float64](values, column)
	}
	// Numbers may be NULL.
	out := make([]*int64, len(values))
	for i, row := range values {
		if row[column] != nil {
			number := row[column].(int64)
			out[i] = &number
		}
	}
	return out
}

func arrayAs[T any](values rows, column int) []T {
	out := make([]T, len(values))
	for i, row := range values {
		if row[column] != nil {
			out[i] = row[column].(T)
		}
	}
	return out
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ", "
}

func placeholder(i int) string { return "$" + strconv.Itoa(i+1) }
