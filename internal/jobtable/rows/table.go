package rows

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Table is a job table that is as its mapping says.
type Table struct {
	// Name is schema.table, whatever the mapping left out.
	Name string
	// Identity is the same for each mapping of the table.
	Identity string
	// Server is the kind and version of the database.
	Server string
	// FilteredFor is the user, if row level security decides which rows it sees; else it is empty.
	FilteredFor string
	// Index is the statement that makes the index which is missing; empty if it is there.
	Index string

	database *Database
	dialect  dialect
	mapping  Mapping
	quoted   string
	columns  map[string]column
}

// minimalData is how long the shortest data may be.
const minimalData = 128

// Table looks at the table, and says what is wrong with it.
func (d *Database) Table(ctx context.Context, m Mapping) (*Table, error) {
	ctx, cancel := context.WithTimeout(ctx, statementTime)
	defer cancel()
	f, err := d.dialect.look(ctx, d.db, &m)
	if err != nil {
		return nil, ProblemOf(err)
	}
	if f == nil {
		return nil, d.noTable(ctx, m)
	}
	hash := sha256.Sum256([]byte(f.identity))
	t := &Table{
		Name: f.schema + "." + f.name, Identity: hex.EncodeToString(hash[:8]), Server: Bounded(f.server, 128),
		database: d, dialect: d.dialect, mapping: m, columns: f.columns,
		quoted: d.dialect.quote(f.schema) + "." + d.dialect.quote(f.name),
	}
	if p := t.check(f); p != nil {
		return nil, p
	}
	if f.isFiltered {
		t.FilteredFor = f.user
	}
	if !t.isIndexed(f.indexes) {
		t.Index = d.dialect.createIndex(t.quoted, d.dialect.quote(m.Status), d.dialect.quote(m.ID))
	}
	return t, nil
}

// noTable says that there is no such table, and which ones may be meant.
func (d *Database) noTable(ctx context.Context, m Mapping) *Problem {
	p := problem(v1alpha1.ReasonTableNotFound, "There is no table %s in the database, or its user may not see it: correct spec.table, or make the table", m.Table)
	_, table := m.split()
	if names, err := d.dialect.alike(ctx, d.db, table); err == nil && len(names) > 0 {
		p.Message += ". There is " + Bounded(strings.Join(names, ", "), 256)
	}
	return p
}

// namesOf reads a result that has one column.
func namesOf(result *sql.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var names []string
	for result.Next() {
		var name string
		if err := result.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, result.Err()
}

// check says what is wrong with the table, in the order in which somebody would mend it.
func (t *Table) check(f *found) *Problem {
	if needs := t.dialect.minimum(f.server); needs != "" {
		return problem(v1alpha1.ReasonDatabaseTooOld, "The database is %s, and it takes %s or newer", f.server, needs)
	}
	if f.isKind != "" {
		return problem(v1alpha1.ReasonTableNotFound, "%s is %s, and no table: name the table itself", t.Name, f.isKind)
	}
	for _, name := range append(t.mapping.read(), t.mapping.written()...) {
		if _, ok := f.columns[name]; !ok {
			return problem(v1alpha1.ReasonColumnNotFound, "The table %s has no column %s, which the JobTable names: it has %s. Correct the JobTable, or "+
				"add the column", t.Name, name, t.columnNames())
		}
	}
	if p := t.checkTypes(); p != nil {
		return p
	}
	if id := t.columns[t.mapping.ID]; !id.isGenerated && !slices.Contains(f.unique, id.name) {
		return problem(v1alpha1.ReasonKeyNotUnique, "Two rows of %s may have the same %s, so that nobody could tell them apart: ALTER TABLE %s ADD PRIMARY KEY (%s)",
			t.Name, id.name, t.quoted, t.dialect.quote(id.name))
	}
	if p := t.checkLengths(); p != nil {
		return p
	}
	if f.isReadOnly {
		return problem(v1alpha1.ReasonReadOnly, "The server takes no writes, since it is a replica, for one: name the primary in the URL")
	}
	return t.checkRights(f)
}

// columnNames are the names of the columns, for a sentence.
func (t *Table) columnNames() string {
	var names []string
	for name := range t.columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return Bounded(strings.Join(names, ", "), 256)
}

func (t *Table) checkTypes() *Problem {
	m := t.mapping
	for _, wanted := range []struct {
		column, meaning string
		kinds           []kind
	}{
		{m.ID, "the key has to be a number, a text or a uuid", []kind{integer, number, text, uuid}},
		{m.Status, "the status has to be a text, an enum or a whole number", []kind{text, enum, integer}},
		{m.Created, "it has to be a time, a number or a text", []kind{moment, zonedMoment, date, integer, number, text, uuid}},
		{m.Data, "the data is JSON, for a text or a column of JSON", []kind{text, document}},
		{m.Verdict, "the verdict has to be a text or an enum", []kind{text, enum}},
	} {
		if c, ok := t.columns[wanted.column]; ok && !slices.Contains(wanted.kinds, c.kind) {
			return problem(v1alpha1.ReasonWrongType, "The column %s of %s is %s: %s", c.name, t.Name, c.typeName, wanted.meaning)
		}
	}
	if created, ok := t.columns[m.Created]; ok && created.followsUpdates {
		return problem(v1alpha1.ReasonCreatedChanges, "The database sets the column %s of %s anew with each UPDATE, so that it does not say when the row was made: "+
			"ALTER TABLE %s MODIFY %s %s DEFAULT CURRENT_TIMESTAMP", created.name, t.Name, t.quoted, t.dialect.quote(created.name), created.typeName)
	}
	for _, name := range m.written() {
		if c := t.columns[name]; c.isComputed {
			return problem(v1alpha1.ReasonWrongType, "The database computes the column %s of %s: name one that can be written", c.name, t.Name)
		}
	}
	return nil
}

func (t *Table) checkLengths() *Problem {
	m := t.mapping
	words := []string{m.Pending, m.InProgress, m.Finished}
	if m.Cancel != "" {
		words = append(words, m.Cancel)
	}
	if p := t.checkWords(t.columns[m.Status], words); p != nil {
		return p
	}
	if verdict, ok := t.columns[m.Verdict]; ok {
		if p := t.checkWords(verdict, m.Verdicts); p != nil {
			return p
		}
	}
	if data := t.columns[m.Data]; data.maxChars > 0 && data.maxChars < minimalData {
		return problem(v1alpha1.ReasonValueTooLong, "The column %s of %s holds %d characters, and the shortest data takes %d: make it longer, or leave out columns.data",
			data.name, t.Name, data.maxChars, minimalData)
	}
	return nil
}

// checkWords says which of the words a column cannot hold.
func (t *Table) checkWords(c column, words []string) *Problem {
	for _, word := range words {
		switch {
		case c.kind == enum && !slices.Contains(c.labels, word):
			return problem(v1alpha1.ReasonWrongType, "The column %s of %s is an enum, and has no value %s: it has %s", c.name, t.Name, word,
				Bounded(strings.Join(c.labels, ", "), 256))
		case c.kind == integer && !c.holds(word):
			return problem(v1alpha1.ReasonWrongType, "The column %s of %s is %s, and cannot hold the word %s: give each of spec.statuses as a number that it holds",
				c.name, t.Name, c.typeName, word)
		case c.kind == text && c.maxChars > 0 && utf8.RuneCountInString(word) > c.maxChars:
			return problem(v1alpha1.ReasonValueTooLong, "The column %s of %s holds %d characters, too few for the word %s: make it longer, or use another word",
				c.name, t.Name, c.maxChars, word)
		}
	}
	return nil
}

// holds says whether an integer can be that number.
func (c column) holds(number string) bool {
	_, err := strconv.ParseInt(number, 10, c.bits)
	if c.isUnsigned {
		_, err = strconv.ParseUint(number, 10, c.bits)
	}
	return err == nil
}

func (t *Table) checkRights(f *found) *Problem {
	var written []string
	for _, name := range t.mapping.written() {
		written = append(written, t.dialect.quote(name))
	}
	grant := t.dialect.grant(t.quoted, f.user, written)
	for _, name := range t.mapping.read() {
		if !t.columns[name].mayRead {
			return problem(v1alpha1.ReasonPermissionDenied, "The user %s may not read the column %s of %s: %s", f.user, name, t.Name, grant)
		}
	}
	for _, name := range t.mapping.written() {
		if !t.columns[name].mayWrite {
			return problem(v1alpha1.ReasonPermissionDenied, "The user %s may not write the column %s of %s: %s", f.user, name, t.Name, grant)
		}
	}
	return nil
}

// isIndexed says whether an index leads to the rows with a status: its columns before that of the status are compared as well.
func (t *Table) isIndexed(indexes [][]string) bool {
	for _, columns := range indexes {
		at := slices.Index(columns, t.mapping.Status)
		if at >= 0 && !slices.ContainsFunc(columns[:at], func(name string) bool {
			return !slices.ContainsFunc(t.mapping.Match, func(match Match) bool { return match.Column == name })
		}) {
			return true
		}
	}
	return false
}

// DataLimit is how many bytes the data may have, of at most that many.
func (t *Table) DataLimit(atMost int) int {
	if limit := t.columns[t.mapping.Data].maxChars; limit > 0 {
		return min(limit, atMost)
	}
	return atMost
}

// HasData says whether the data has a column.
func (t *Table) HasData() bool { return t.mapping.Data != "" }
