// Package rows reads and writes the rows of an application's job table, in PostgreSQL, MySQL and MariaDB. It knows nothing of Kubernetes.
package rows

import "strings"

// Mapping says what the columns of a table mean, and what is read of them.
type Mapping struct {
	// Table is a table's name, or schema.table, without quotes.
	Table string
	// ID and Status are the columns of the key and of the status. Created, Data and Verdict are empty if the table has none.
	ID, Status, Created, Data, Verdict string
	// Match selects rows: all have to agree.
	Match []Match
	// Pending, InProgress and Finished are the words of the status. Cancel is empty if no word cancels.
	Pending, InProgress, Finished, Cancel string
	// Columns are the others that are read.
	Columns []string
	// Verdicts are the words that may be written into the column Verdict.
	Verdicts []string
}

// Match selects rows by the text of one column.
type Match struct {
	Column string
	Values []string
}

// State is the meaning of a row's status.
type State int

// The states. Other is a word that the mapping does not know.
const (
	Other State = iota
	Pending
	InProgress
	Finished
	Cancel
)

// word is the word for a state; empty if there is none.
func (m *Mapping) word(state State) string {
	return map[State]string{Pending: m.Pending, InProgress: m.InProgress, Finished: m.Finished, Cancel: m.Cancel}[state]
}

// unfinished are the states that a row may leave for Finished.
func (m *Mapping) unfinished() []State {
	if m.Cancel == "" {
		return []State{Pending, InProgress}
	}
	return []State{Pending, InProgress, Cancel}
}

// Key tells a row from all others, and from a later one that has the same id. Both are texts that the database made; Created is empty if
// the column is NULL, or if there is none.
type Key struct {
	ID, Created string
}

// Row is a row that has not finished.
type Row struct {
	Key
	// Age is how many seconds ago it was created, by the database's own clock; nil if that is not known.
	Age *float64
	// Values are the texts of the columns that are read, cut after MaxValue + 1 characters; nil is NULL.
	Values map[string]*string
}

// MaxValue is how many characters of a value are of use.
const MaxValue = 1024

// maxKey is how many characters the text of a key may have.
const maxKey = 255

// PageSize is how many rows are read at once.
const PageSize = 200

// MaxCount is up to where rows are counted.
const MaxCount = 100_000

// split is the schema, which may be empty, and the name of the table.
func (m *Mapping) split() (schema, table string) {
	if schema, table, found := strings.Cut(m.Table, "."); found {
		return schema, table
	}
	return "", m.Table
}

// written are the columns that are changed.
func (m *Mapping) written() []string {
	columns := []string{m.Status}
	for _, column := range []string{m.Data, m.Verdict} {
		if column != "" {
			columns = append(columns, column)
		}
	}
	return columns
}

// read are the columns that are read, each once.
func (m *Mapping) read() []string {
	columns := []string{m.ID, m.Status}
	if m.Created != "" {
		columns = append(columns, m.Created)
	}
	columns = append(columns, m.Columns...)
	for _, match := range m.Match {
		columns = append(columns, match.Column)
	}
	seen := map[string]bool{}
	var once []string
	for _, column := range columns {
		if !seen[column] {
			seen[column] = true
			once = append(once, column)
		}
	}
	return once
}
