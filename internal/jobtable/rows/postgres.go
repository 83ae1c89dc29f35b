package rows

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// postgres is PostgreSQL. All arguments are texts, which the statement converts: so no type has to be known here.
type postgres struct{}

func (postgres) quote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}

func (postgres) argument(n int, c column) string {
	return fmt.Sprintf("CAST($%d AS %s)", n, c.typeName)
}
func (postgres) value(text string, _ column) any { return text }
func (p postgres) text(c column) string          { return p.quote(c.name) + "::text" }

// identity writes times in a way of its own: how PostgreSQL writes them depends on DateStyle and TimeZone.
func (p postgres) identity(c column) string {
	const format = `'YYYY-MM-DD"T"HH24:MI:SS.US BC'`
	name := p.quote(c.name)
	switch c.kind {
	case zonedMoment:
		return fmt.Sprintf("CASE WHEN isfinite(%s) THEN to_char(%s AT TIME ZONE 'UTC', %s) ELSE %s::text END", name, name, format, name)
	case moment, date:
		return fmt.Sprintf("CASE WHEN isfinite(%s) THEN to_char(%s::timestamp, %s) ELSE %s::text END", name, name, format, name)
	default:
		return p.text(c)
	}
}

func (p postgres) age(c column) string {
	now := "now()"
	switch c.kind {
	case zonedMoment:
	case moment, date:
		now = "LOCALTIMESTAMP"
	default:
		return "NULL"
	}
	name := p.quote(c.name)
	return fmt.Sprintf("CASE WHEN isfinite(%s) THEN EXTRACT(EPOCH FROM (%s - %s))::float8 END", name, now, name)
}

// skipLocked locks no more than an UPDATE of the status needs: rows of other tables may go on to refer to this one.
func (postgres) skipLocked() string { return " FOR NO KEY UPDATE SKIP LOCKED" }

// begin sets its limits for the transaction alone: behind a pooler, the next one on the connection is somebody else's.
func (postgres) begin(ctx context.Context, db *sql.DB, readOnly bool) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		return nil, err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("SELECT set_config('lock_timeout', '%d', true), set_config('statement_timeout', '%d', true)",
		lockTime.Milliseconds(), statementTime.Milliseconds()))
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

func (postgres) createIndex(table string, columns ...string) string {
	return "CREATE INDEX CONCURRENTLY ON " + table + " (" + strings.Join(columns, ", ") + ")"
}

func (p postgres) grant(table, user string, written []string) string {
	return fmt.Sprintf("GRANT SELECT, UPDATE (%s) ON %s TO %s", strings.Join(written, ", "), table, p.quote(user))
}

func (postgres) minimum(server string) string {
	major, _, _ := strings.Cut(strings.TrimPrefix(server, "PostgreSQL "), ".")
	if version, err := strconv.Atoi(strings.Fields(major + " 0")[0]); err == nil && version < 12 {
		return "PostgreSQL 12"
	}
	return ""
}

func (p postgres) look(ctx context.Context, db *sql.DB, m *Mapping) (*found, error) {
	tx, err := p.begin(ctx, db, true)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // it read only
	f := &found{columns: map[string]column{}}
	var version string
	err = tx.QueryRowContext(ctx, "SELECT current_setting('server_version'), current_user::text, pg_is_in_recovery() OR "+
		"current_setting('default_transaction_read_only') = 'on'").Scan(&version, &f.user, &f.isReadOnly)
	if err != nil {
		return nil, err
	}
	f.server = "PostgreSQL " + version
	schema, table := m.split()
	name := p.quote(table)
	if schema != "" {
		name = p.quote(schema) + "." + name
	}
	var oid int64
	var relation string
	err = tx.QueryRowContext(ctx, "SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, row_security_active(c.oid) FROM pg_class c "+
		"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)", name).Scan(&oid, &f.schema, &f.name, &relation, &f.isFiltered)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil //nolint:nilnil // there is no such table
	case err != nil:
		return nil, err
	}
	if relation != "r" && relation != "p" {
		f.isKind = map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "i": "an index"}[relation]
	}
	err = errors.Join(p.lookAtColumns(ctx, tx, oid, f), p.lookAtIndexes(ctx, tx, oid, f))
	if err == nil {
		err = tx.QueryRowContext(ctx, "SELECT s.system_identifier::text || '/' || d.oid::text || '/' || $1::text FROM pg_control_system() s, "+
			"pg_database d WHERE d.datname = current_database()", strconv.FormatInt(oid, 10)).Scan(&f.identity)
		if denied := (*pgconn.PgError)(nil); errors.As(err, &denied) && denied.Code == permissionDenied {
			return nil, problem(v1alpha1.ReasonPermissionDenied, "The user %s may not ask which server this is. Without that, the tables of two servers cannot be told apart: "+
				"GRANT EXECUTE ON FUNCTION pg_control_system() TO %s", f.user, p.quote(f.user))
		}
	}
	return f, err
}

func (postgres) alike(ctx context.Context, db *sql.DB, table string) ([]string, error) {
	return namesOf(db.QueryContext(ctx, "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "+
		"WHERE c.relkind IN ('r', 'p') AND lower(c.relname) = lower($1) ORDER BY 1 LIMIT 5", table))
}

const postgresColumns = `
SELECT a.attname::text, format_type(a.atttypid, -1), coalesce(b.typname, t.typname)::text,
	CASE WHEN coalesce(b.typname, t.typname) IN ('varchar', 'bpchar') AND greatest(a.atttypmod, t.typtypmod) > 4
		THEN greatest(a.atttypmod, t.typtypmod) - 4 ELSE 0 END,
	a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%', a.attgenerated <> '' OR a.attidentity = 'a',
	has_column_privilege(a.attrelid, a.attnum, 'SELECT'), has_column_privilege(a.attrelid, a.attnum, 'UPDATE'),
	coalesce((SELECT string_agg(e.enumlabel, E'\n' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = coalesce(b.oid, t.oid)), '')
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped`

func (postgres) lookAtColumns(ctx context.Context, tx *sql.Tx, oid int64, f *found) error {
	result, err := tx.QueryContext(ctx, postgresColumns, strconv.FormatInt(oid, 10))
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var c column
		var base, labels string
		if err := result.Scan(&c.name, &c.typeName, &base, &c.maxChars, &c.isGenerated, &c.isComputed, &c.mayRead, &c.mayWrite, &labels); err != nil {
			return err
		}
		c.kind, c.bits = postgresKinds[base], postgresBits[base]
		if labels != "" {
			c.kind, c.labels = enum, strings.Split(labels, "\n")
		}
		f.columns[c.name] = c
	}
	return result.Err()
}

var postgresKinds = map[string]kind{
	"int2": integer, "int4": integer, "int8": integer, "numeric": number, "varchar": text, "bpchar": text, "text": text, "citext": text,
	"uuid": uuid, "json": document, "jsonb": document, "timestamp": moment, "timestamptz": zonedMoment, "date": date,
}

var postgresBits = map[string]int{"int2": 16, "int4": 32, "int8": 64}

// lookAtIndexes reads those that hold all rows.
func (postgres) lookAtIndexes(ctx context.Context, tx *sql.Tx, oid int64, f *found) error {
	result, err := tx.QueryContext(ctx, `
SELECT i.indisunique, i.indnkeyatts::int, (SELECT string_agg(coalesce(a.attname::text, ''), E'\n' ORDER BY k.position)
	FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, position) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number)
FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL`, strconv.FormatInt(oid, 10))
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var isUnique bool
		var keys int
		var names string
		if err := result.Scan(&isUnique, &keys, &names); err != nil {
			return err
		}
		columns := strings.Split(names, "\n")
		columns = columns[:min(keys, len(columns))]
		if isUnique && keys == 1 {
			f.unique = append(f.unique, columns[0])
		}
		f.indexes = append(f.indexes, slices.Clone(columns))
	}
	return result.Err()
}
