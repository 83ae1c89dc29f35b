package archive

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// table is a table as CopyTo copies it: in portions, in the order of its key, which are its first keys columns.
type table struct {
	name    string
	keys    int
	columns string
	portion int
}

// tables are all but those of the migrations and of the copy itself. A test compares them with the databases.
var tables = []table{
	{"case_defs", 1, "id bigint, hash bytea, namespace text, series text, suite text, name text", 5000},
	{"details", 1, "id bigint, hash bytea, location text, message text, used integer", 2000},
	{"runs", 1, "id bigint, " + strings.Replace(upsertRun.columns, "heard bigint, ended bigint",
		"heard bigint, ended bigint, length bigint, size bigint, cases bigint, chunks bigint", 1), 2000},
	{"changes", 1, "change bigint, run_id bigint", 5000},
	{"labels", 2, "run_id bigint, label text, namespace text, created bigint, uid text", 5000},
	{"objects", 1, "run_id bigint, object bytea", 100},
	{"attempts", 2, upsertAttempt.columns + ", passed bigint, failed bigint, errored bigint, skipped bigint, flaky_cases bigint, " +
		"done bigint, done_failed bigint, total bigint, pushed smallint, missing text, seen_ended bigint, settled smallint", 2000},
	{"streams", 1, "id bigint, run_id bigint, attempt integer, kind text, path text, source text, length bigint, hash_state bytea, " +
		"stored bigint, size bigint, wanted bigint, sha256 text, verified smallint, altered smallint, cut text, expired bigint, " +
		"class smallint, ended bigint", 2000},
	{"chunks", 2, "stream_id bigint, start bigint, length bigint, size bigint, blob text", 5000},
	{"garbage", 1, "blob text", 5000},
	{"case_results", 4, upsertCases.columns, 5000},
	{"case_state", 1, upsertStates.columns, 5000},
	{"case_daily", 2, writeBuckets.columns, 1000},
	{"test_daily", 3, "namespace text, series text, day integer, runs bigint, passed bigint, failed bigint, errored bigint, " +
		"timed_out bigint, cancelled bigint, flaky bigint, duration bigint, durations bytea", 5000},
	{"series", 2, "namespace text, series text, test text, last_created bigint, last_uid text, last_name text, last_verdict text", 5000},
	{"audit", 1, "id bigint, at bigint, actor text, action text, result text, namespace text, name text, uid text", 5000},
	{"ended_sessions", 1, "id text, ends bigint", 5000},
	{"namespaces", 1, "namespace text, length bigint, size bigint, cases bigint, chunks bigint", 5000},
}

// names are the columns without their types.
func (t *table) names() []string {
	var names []string
	for column := range strings.SplitSeq(t.columns, ", ") {
		name, _, _ := strings.Cut(column, " ")
		names = append(names, name)
	}
	return names
}

// Names of rows in the table copied that are no tables.
const (
	copySource = "source"
	copyDone   = "done"
)

// copying is a copy under way.
type copying struct {
	from, to *Store
	report   func(table string, rows int64)
	// portion, if it is set, takes the place of that of each table.
	portion int
	cursor  string
}

// CopyTo copies everything to another database, which is empty, or to which a copy from this one was broken off: then it goes on there.
// Nobody can write to this one meanwhile. report, if it is not nil, hears how many rows of a table were copied so far.
func (s *Store) CopyTo(ctx context.Context, to *Store, report func(table string, rows int64)) error {
	c := copying{from: s, to: to, report: report}
	return c.copy(ctx)
}

// copy copies everything while nobody writes to the source.
func (c *copying) copy(ctx context.Context) error {
	s := c.from
	lock, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(err)
	}
	defer lock.Rollback() //nolint:errcheck // it wrote nothing
	if s.dialect == postgres {
		if _, err := lock.ExecContext(ctx, "LOCK TABLE runs IN EXCLUSIVE MODE"); err != nil {
			return s.explain(err)
		}
	}
	if done, err := c.begin(ctx); err != nil || done {
		return err
	}
	for i := range tables {
		if err := c.copyTable(ctx, &tables[i]); err != nil {
			return fmt.Errorf("cannot copy %s: %w", tables[i].name, err)
		}
	}
	return c.finish(ctx)
}

// begin sees that a copy can begin or go on. done means that it was finished before.
func (c *copying) begin(ctx context.Context) (done bool, err error) {
	if c.cursor, err = c.from.Cursor(ctx); err != nil {
		return false, err
	}
	source, err := c.from.fingerprint(ctx, c.cursor)
	if err != nil {
		return false, err
	}
	if err := c.addPartitions(ctx); err != nil {
		return false, err
	}
	err = c.to.transact(ctx, func(tx *transaction) error {
		before, err := tx.copiedKey(ctx, copySource)
		if err != nil {
			return err
		}
		if before == nil {
			var runs int64
			if err := tx.get(ctx, "SELECT count(*) FROM (SELECT 1 FROM runs LIMIT 1) AS one", nil, &runs); err != nil {
				return err
			}
			if runs > 0 {
				return fmt.Errorf("%w: the target has runs of its own; give the copy an empty database", ErrInvalid)
			}
			return tx.setCopied(ctx, copySource, []any{source})
		}
		if before[0] != source {
			return fmt.Errorf("%w: the source has changed since the copy was begun; empty the target and begin anew", ErrInvalid)
		}
		finished, err := tx.copiedKey(ctx, copyDone)
		done = finished != nil
		return err
	})
	return done, err
}

// fingerprint changes when the watch or a push adds something.
func (s *Store) fingerprint(ctx context.Context, cursor string) (string, error) {
	var runs, length, cases, chunks int64
	err := s.get(ctx, `SELECT coalesce((SELECT max(id) FROM runs), 0), coalesce(sum(length), 0), coalesce(sum(cases), 0), coalesce(sum(chunks), 0)
		FROM namespaces`, nil, &runs, &length, &cases, &chunks)
	return fmt.Sprint(cursor, "/", runs, "/", length, "/", cases, "/", chunks), err
}

// addPartitions makes a partition for each month of which there are cases.
func (c *copying) addPartitions(ctx context.Context) error {
	if c.to.dialect != postgres {
		return nil
	}
	var first, last int64
	err := c.from.get(ctx, "SELECT coalesce(min(created), 0), coalesce(max(created), 0) FROM runs WHERE created > 0", nil, &first, &last)
	if err != nil || first == 0 {
		return err
	}
	const most = 240
	month := firstOfMonth(timeOf(first))
	for range most {
		if month.After(timeOf(last)) || month.After(time.Now()) {
			return nil
		}
		if err := c.to.addPartition(ctx, month); err != nil {
			return err
		}
		month = month.AddDate(0, 1, 0)
	}
	return nil
}

// copiedKey is the last key of a table that was copied; nil if there is none.
func (tx *transaction) copiedKey(ctx context.Context, name string) ([]any, error) {
	var text string
	err := tx.get(ctx, "SELECT last_key FROM copied WHERE name = $1", []any{name}, &text)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var key []any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&key); err != nil {
		return nil, err
	}
	for i, value := range key {
		if number, ok := value.(json.Number); ok {
			if key[i], err = number.Int64(); err != nil {
				return nil, err
			}
		}
	}
	return key, nil
}

func (tx *transaction) setCopied(ctx context.Context, name string, key []any) error {
	text, err := json.Marshal(key)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO copied (name, last_key) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET last_key = excluded.last_key`,
		name, string(text))
	return err
}

func (c *copying) copyTable(ctx context.Context, t *table) error {
	var key []any
	err := c.to.transact(ctx, func(tx *transaction) error {
		var err error
		key, err = tx.copiedKey(ctx, t.name)
		return err
	})
	var total int64
	for err == nil {
		var portion rows
		if portion, err = c.read(ctx, t, key); err != nil || len(portion) == 0 {
			break
		}
		key = portion[len(portion)-1][:t.keys]
		err = c.to.transact(ctx, func(tx *transaction) error {
			if err := tx.run(ctx, t.insert(), portion, nil); err != nil {
				return err
			}
			return tx.setCopied(ctx, t.name, key)
		})
		total += int64(len(portion))
		if c.report != nil && err == nil {
			c.report(t.name, total)
		}
	}
	return err
}

func (t *table) insert() bulk {
	names := t.names()
	return bulk{
		columns: t.columns,
		text: "INSERT INTO " + t.name + " (" + strings.Join(names, ", ") + ") SELECT x." + strings.Join(names, ", x.") +
			" FROM {rows} WHERE true ON CONFLICT DO NOTHING",
	}
}

// read reads the portion after a key; the first one if it is nil.
func (c *copying) read(ctx context.Context, t *table, key []any) (rows, error) {
	names := t.names()
	order := strings.Join(names[:t.keys], ", ")
	where := ""
	if key != nil {
		var values []string
		for i := range key {
			values = append(values, placeholder(i))
		}
		where = " WHERE (" + order + ") > (" + strings.Join(values, ", ") + ")"
	}
	var out rows
	err := c.from.list(ctx, fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s LIMIT %d",
		strings.Join(names, ", "), t.name, where, order, cmp.Or(c.portion, t.portion)), key, func(scan scanner) error {
		row := make([]any, len(names))
		into := make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		err := scan(into...)
		out = append(out, row)
		return err
	})
	return out, err
}

// finish lets new rows have new ids, and sets the cursor last: before that, nothing is watched for.
func (c *copying) finish(ctx context.Context) error {
	return c.to.transact(ctx, func(tx *transaction) error {
		for _, name := range []string{"case_defs", "details", "runs", "streams", "audit"} {
			if c.to.dialect != postgres {
				break
			}
			_, err := tx.exec(ctx, "SELECT setval(pg_get_serial_sequence('"+name+"', 'id'), (SELECT coalesce(max(id), 1) FROM "+name+"))")
			if err != nil {
				return err
			}
		}
		if c.to.dialect == postgres {
			if _, err := tx.exec(ctx, "UPDATE change_number SET last = (SELECT coalesce(max(change), 0) FROM changes)"); err != nil {
				return err
			}
		}
		if _, err := tx.exec(ctx, "UPDATE cursor_of_watch SET resource_version = $1 WHERE id = 1", c.cursor); err != nil {
			return err
		}
		return tx.setCopied(ctx, copyDone, []any{})
	})
}

// Backup writes a copy of the database, as it is now, to a new file. Others may read and write meanwhile. Only SQLite has it: PostgreSQL has
// tools of its own.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.dialect != sqlite {
		return fmt.Errorf("%w: back up PostgreSQL with its own tools, as pg_dump", ErrInvalid)
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%w: there is a file %s already", ErrInvalid, path)
	}
	db, err := sql.Open("sqlite", s.address)
	if err != nil {
		return err
	}
	defer db.Close()
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", part); err != nil {
		os.Remove(part)
		return fmt.Errorf("cannot back up to %s: %w", path, err)
	}
	return publish(part, path)
}

// publish gives a file its name once all of it is on the disk.
func publish(part, path string) error {
	file, err := os.Open(part)
	if err != nil {
		return err
	}
	err = errors.Join(file.Sync(), file.Close(), os.Rename(part, path))
	if err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
