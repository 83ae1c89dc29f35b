package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mySQL is MySQL, and MariaDB.
type mySQL struct{}

func (mySQL) quote(identifier string) string {
	return "`" + strings.ReplaceAll(identifier, "`", "``") + "`"
}

func (mySQL) argument(int, column) string { return "?" }

// value gives a number as a number: an index on numbers is of no use for a text.
func (mySQL) value(text string, c column) any {
	if c.kind == integer {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n
		}
	}
	return text
}

func (m mySQL) text(c column) string { return "CAST(" + m.quote(c.name) + " AS CHAR)" }

// identity writes a TIMESTAMP as a number: as a text it depends on the time zone of the session, and twice a year two are written alike.
func (m mySQL) identity(c column) string {
	if c.kind == zonedMoment {
		return "CAST(UNIX_TIMESTAMP(" + m.quote(c.name) + ") AS CHAR)"
	}
	return m.text(c)
}

func (m mySQL) age(c column) string {
	switch c.kind {
	case zonedMoment, moment, date:
		return "(TIMESTAMPDIFF(SECOND, " + m.quote(c.name) + ", NOW()) + 0e0)"
	default:
		return "NULL"
	}
}

func (mySQL) skipLocked() string { return " FOR UPDATE SKIP LOCKED" }

// begin needs no limits of its own: the connection has them.
func (mySQL) begin(ctx context.Context, db *sql.DB, readOnly bool) (*sql.Tx, error) {
	return db.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
}

func (mySQL) createIndex(table string, columns ...string) string {
	return "CREATE INDEX job_status ON " + table + " (" + strings.Join(columns, ", ") + ")"
}

func (mySQL) grant(table, user string, written []string) string {
	name, host, _ := strings.Cut(user, "@")
	return fmt.Sprintf("GRANT SELECT, UPDATE (%s) ON %s TO '%s'@'%s'", strings.Join(written, ", "), table, name, host)
}

// minimum knows the first versions that skip locked rows.
func (mySQL) minimum(server string) string {
	var major, minor, patch int
	_, version, _ := strings.Cut(server, " ")
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return ""
	}
	switch number := major*10000 + minor*100 + patch; {
	case strings.HasPrefix(server, "MariaDB") && number < 100600:
		return "MariaDB 10.6"
	case strings.HasPrefix(server, "MySQL") && number < 80001:
		return "MySQL 8.0.1"
	}
	return ""
}

func (m mySQL) look(ctx context.Context, db *sql.DB, mapping *Mapping) (*found, error) {
	f := &found{columns: map[string]column{}}
	var version, place string
	var database sql.NullString
	err := db.QueryRowContext(ctx, "SELECT VERSION(), CURRENT_USER(), DATABASE(), @@global.read_only, CONCAT_WS('/', @@hostname, @@port, @@datadir)").
		Scan(&version, &f.user, &database, &f.isReadOnly, &place)
	if err != nil {
		return nil, err
	}
	f.server = "MySQL " + version
	if strings.Contains(version, "MariaDB") {
		f.server = "MariaDB " + version
	}
	schema, table := mapping.split()
	if schema == "" {
		schema = database.String
	}
	var relation string
	err = db.QueryRowContext(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
		schema, table).Scan(&f.schema, &f.name, &relation)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // there is no such table
	case err != nil:
		return nil, err
	}
	if relation != "BASE TABLE" {
		f.isKind = "a " + strings.ToLower(relation)
	}
	f.identity = strings.Join([]string{place, f.schema, f.name}, "/")
	if err := errors.Join(m.lookAtColumns(ctx, db, f), m.lookAtIndexes(ctx, db, f)); err != nil {
		return nil, err
	}
	return f, nil
}

func (mySQL) alike(ctx context.Context, db *sql.DB, table string) ([]string, error) {
	return namesOf(db.QueryContext(ctx, "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' "+
		"AND LOWER(TABLE_NAME) = LOWER(?) ORDER BY 1 LIMIT 5", table))
}

func (mySQL) lookAtColumns(ctx context.Context, db *sql.DB, f *found) error {
	result, err := db.QueryContext(ctx, "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0), LOWER(EXTRA), PRIVILEGES "+
		"FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", f.schema, f.name)
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var c column
		var base, extra, rights string
		var maxChars int64
		if err := result.Scan(&c.name, &base, &c.typeName, &maxChars, &extra, &rights); err != nil {
			return err
		}
		c.kind, c.bits = mySQLKinds[strings.ToLower(base)], mySQLBits[strings.ToLower(base)]
		c.isUnsigned = strings.Contains(c.typeName, "unsigned")
		c.maxChars = int(min(maxChars, 1<<30))
		if c.kind == enum {
			c.labels, c.maxChars = labelsOf(c.typeName), 0
		}
		c.isGenerated = strings.Contains(extra, "auto_increment")
		c.isComputed = strings.Contains(extra, "virtual generated") || strings.Contains(extra, "stored generated")
		c.followsUpdates = strings.Contains(extra, "on update")
		c.mayRead, c.mayWrite = strings.Contains(rights, "select"), strings.Contains(rights, "update")
		f.columns[c.name] = c
	}
	return result.Err()
}

var mySQLKinds = map[string]kind{
	"tinyint": integer, "smallint": integer, "mediumint": integer, "int": integer, "bigint": integer, "decimal": number,
	"varchar": text, "char": text, "tinytext": text, "text": text, "mediumtext": text, "longtext": text, "enum": enum, "uuid": uuid,
	"json": document, "datetime": moment, "timestamp": zonedMoment, "date": date,
}

var mySQLBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}

// labelsOf reads enum('a','it”s').
func labelsOf(typeName string) []string {
	inner := strings.TrimSuffix(strings.TrimPrefix(typeName, "enum('"), "')")
	labels := strings.Split(inner, "','")
	for i := range labels {
		labels[i] = strings.ReplaceAll(labels[i], "''", "'")
	}
	return labels
}

// lookAtIndexes reads an expression in an index of MySQL as a column without a name, as which it has none.
func (mySQL) lookAtIndexes(ctx context.Context, db *sql.DB, f *found) error {
	result, err := db.QueryContext(ctx, "SELECT MIN(NON_UNIQUE) = 0, GROUP_CONCAT(COALESCE(COLUMN_NAME, '') ORDER BY SEQ_IN_INDEX SEPARATOR '\n') "+
		"FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? GROUP BY INDEX_NAME", f.schema, f.name)
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var isUnique bool
		var names string
		if err := result.Scan(&isUnique, &names); err != nil {
			return err
		}
		columns := strings.Split(names, "\n")
		if isUnique && len(columns) == 1 {
			f.unique = append(f.unique, columns[0])
		}
		f.indexes = append(f.indexes, columns)
	}
	return result.Err()
}
