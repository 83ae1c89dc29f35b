package rows

import (
	"context"
	"database/sql"
	"strings"
)

// kind is what a column can hold.
type kind int

const (
	other kind = iota
	integer
	number
	text
	enum
	uuid
	document
	moment      // a time without a zone
	zonedMoment // a time with one
	date
)

// column is a column of the table as the database describes it.
type column struct {
	name string
	kind kind
	// typeName is how the database writes its type.
	typeName string
	// maxChars is how many characters it holds; 0 is any number.
	maxChars int
	// bits are those of an integer.
	bits int
	// isUnsigned means that an integer is never below zero.
	isUnsigned bool
	// labels are those of an enum.
	labels []string
	// isGenerated means that the database makes its values: serial, identity or AUTO_INCREMENT.
	isGenerated bool
	// isComputed means that it cannot be written.
	isComputed bool
	// followsUpdates means that the database changes it when the row changes.
	followsUpdates bool
	// mayRead and mayWrite are the user's rights.
	mayRead, mayWrite bool
}

// found is what a database says of a table.
type found struct {
	schema, name string
	// identity is the database's own name for the table, the same for all who use it.
	identity string
	server   string
	user     string
	columns  map[string]column
	// isKind says what the relation is, if it is no table.
	isKind string
	// isFiltered means that the user sees only the rows that a policy of the table shows.
	isFiltered bool
	// isReadOnly means that the server takes no writes.
	isReadOnly bool
	// unique and indexes are columns of indexes: of those that allow each value once, and of all, by their leading columns.
	unique  []string
	indexes [][]string
}

// dialect is what differs between the databases.
type dialect interface {
	quote(identifier string) string
	// argument is the nth argument as a value of the column's type.
	argument(n int, c column) string
	// value is the argument itself.
	value(text string, c column) any
	// text is the column's text. identity is one that no setting of the session changes. age is how many seconds ago it was.
	text(c column) string
	identity(c column) string
	age(c column) string
	// skipLocked ends a SELECT that locks what it finds, but for what is locked already.
	skipLocked() string
	// begin begins a transaction that waits for no lock for long.
	begin(ctx context.Context, db *sql.DB, readOnly bool) (*sql.Tx, error)
	// look describes the table; nil if there is none.
	look(ctx context.Context, db *sql.DB, m *Mapping) (*found, error)
	// alike are up to five tables, schema.table, of that name in any schema and any case.
	alike(ctx context.Context, db *sql.DB, table string) ([]string, error)
	// createIndex is the statement that makes an index on columns, which are quoted.
	createIndex(table string, columns ...string) string
	// grant is the statement that gives the rights.
	grant(table, user string, written []string) string
	// minimum says which versions are needed; empty if this one is enough.
	minimum(server string) string
}

// anyText stands for a value that is compared with a text.
var anyText = column{kind: text, typeName: "text"}

// statement is SQL with its arguments, in the order of the text.
type statement struct {
	dialect dialect
	sql     strings.Builder
	args    []any
}

func (s *statement) add(parts ...string) *statement {
	for _, part := range parts {
		s.sql.WriteString(part)
	}
	return s
}

// arg adds an argument that is a value of the column.
func (s *statement) arg(value string, c column) *statement {
	s.args = append(s.args, s.dialect.value(value, c))
	return s.add(s.dialect.argument(len(s.args), c))
}

// list adds arguments in parentheses.
func (s *statement) list(values []string, c column) *statement {
	s.add("(")
	for i, value := range values {
		if i > 0 {
			s.add(", ")
		}
		s.arg(value, c)
	}
	return s.add(")")
}
