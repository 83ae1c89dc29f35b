package jobtable

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// mistake is something that somebody gets wrong, and what the JobTable then says.
type mistake struct {
	name string
	// only is the database that can be wrong in this way; empty for both.
	only string
	// ddl is the table; empty is that of the seed.
	ddl string
	// wrong makes the mistake.
	wrong  func(w *world, table *v1alpha1.JobTable)
	reason string
	quotes []string
	// mend makes up for it; nil if the JobTable itself is wrong.
	mend func(w *world)
}

var mistakes = []mistake{
	{
		name: "no database of that name", reason: v1alpha1.ReasonDatabaseNotFound, quotes: []string{"There is no database store", "key of that name"},
		wrong: func(_ *world, table *v1alpha1.JobTable) { table.Spec.Database = "store" },
		mend:  func(w *world) { w.put("store", w.url) },
	},
	{
		name: "a URL that is none", reason: v1alpha1.ReasonDatabaseInvalid, quotes: []string{"postgres://USER:PASSWORD@HOST/DATABASE"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.put("shop", "oracle://scott:tiger@host/db") },
		mend:  func(w *world) { w.put("shop", w.url) },
	},
	{
		name: "a URL with an option that is unknown", only: onMariaDB, reason: v1alpha1.ReasonDatabaseInvalid, quotes: []string{"tls, ca and socket"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.put("shop", w.url+"&allowAllFiles=true") },
		mend:  func(w *world) { w.put("shop", w.url) },
	},
	{
		name: "a wrong password", reason: v1alpha1.ReasonLoginRefused, quotes: []string{"shop", "correct the URL in the Secret"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.put("shop", strings.Replace(w.url, "secret", "s3cr3t", 1)) },
		mend:  func(w *world) { w.put("shop", w.url) },
	},
	{
		name: "a database that does not answer", reason: v1alpha1.ReasonDatabaseUnreachable, quotes: []string{"cannot be reached", "NetworkPolicy"},
		wrong: func(w *world, _ *v1alpha1.JobTable) {
			scheme, _, _ := strings.Cut(w.url, "://")
			w.put("shop", scheme+"://shop:secret@127.0.0.1:1/shop")
		},
		mend: func(w *world) { w.put("shop", w.url) },
	},
	{
		name: "no table", reason: v1alpha1.ReasonTableNotFound, quotes: []string{"There is no table jobs"},
		wrong: func(_ *world, table *v1alpha1.JobTable) { table.Spec.Table = "jobs" },
		mend: func(w *world) {
			w.exec("CREATE TABLE jobs AS SELECT * FROM job")
			w.exec("ALTER TABLE jobs ADD PRIMARY KEY (id)")
		},
	},
	{
		name: "a table of another schema", only: onPostgres, reason: v1alpha1.ReasonTableNotFound, quotes: []string{"There is no table job ", "There is app.job"},
		wrong: func(w *world, _ *v1alpha1.JobTable) {
			w.exec("CREATE SCHEMA app")
			w.exec("ALTER TABLE job SET SCHEMA app")
		},
		mend: func(w *world) { w.exec("ALTER TABLE app.job SET SCHEMA public") },
	},
	{
		name: "a table whose name is written in another case", reason: v1alpha1.ReasonTableNotFound, quotes: []string{"There is no table Job ", "There is ", ".job"},
		wrong: func(_ *world, table *v1alpha1.JobTable) { table.Spec.Table = "Job" },
	},
	{
		name: "no right to the schema", only: onPostgres, reason: v1alpha1.ReasonPermissionDenied, quotes: []string{"permission denied for schema app", "USAGE on the schema"},
		wrong: func(w *world, table *v1alpha1.JobTable) {
			w.exec("CREATE SCHEMA app")
			w.exec("ALTER TABLE job SET SCHEMA app")
			table.Spec.Table = "app.job"
		},
		mend: func(w *world) { w.exec("GRANT USAGE ON SCHEMA app TO shop") },
	},
	{
		name: "no right to the database", only: onPostgres, reason: v1alpha1.ReasonPermissionDenied, quotes: []string{"permission denied for database", "CONNECT on the database"},
		wrong: func(w *world, _ *v1alpha1.JobTable) {
			w.exec("REVOKE CONNECT ON DATABASE " + w.one("SELECT current_database()") + " FROM PUBLIC")
		},
		mend: func(w *world) { w.exec("GRANT CONNECT ON DATABASE " + w.one("SELECT current_database()") + " TO shop") },
	},
	{
		name: "a view", reason: v1alpha1.ReasonTableNotFound, quotes: []string{"is a view"},
		wrong: func(w *world, table *v1alpha1.JobTable) {
			w.exec("CREATE VIEW seen AS SELECT * FROM job")
			table.Spec.Table = "seen"
		},
	},
	{
		name: "no column", reason: v1alpha1.ReasonColumnNotFound, quotes: []string{"no column finished_at", "created, data, id, status, test_id"},
		wrong: func(_ *world, table *v1alpha1.JobTable) {
			table.Spec.Run.Params[0].Column = "finished_at"
		},
		mend: func(w *world) { w.exec("ALTER TABLE job ADD finished_at integer") },
	},
	{
		name: "no right to read", reason: v1alpha1.ReasonPermissionDenied, only: onPostgres, quotes: []string{"may not read the column", "GRANT SELECT, UPDATE"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.exec("REVOKE SELECT ON job FROM shop") },
		mend:  func(w *world) { w.exec("GRANT SELECT ON job TO shop") },
	},
	{
		name: "no right to write", reason: v1alpha1.ReasonPermissionDenied, quotes: []string{"may not write the column status", "GRANT SELECT, UPDATE"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.allow("SELECT") },
		mend:  func(w *world) { w.allow("SELECT, UPDATE") },
	},
	{
		name: "no right to ask which server it is", only: onPostgres, reason: v1alpha1.ReasonPermissionDenied, quotes: []string{"GRANT EXECUTE ON FUNCTION pg_control_system()"},
		wrong: func(w *world, _ *v1alpha1.JobTable) {
			w.exec("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
		},
		mend: func(w *world) { w.exec("GRANT EXECUTE ON FUNCTION pg_control_system() TO shop") },
	},
	{
		name: "a key that is a time", reason: v1alpha1.ReasonWrongType, quotes: []string{"The column created", "number, a text or a uuid"},
		wrong: func(_ *world, table *v1alpha1.JobTable) {
			table.Spec.Columns.ID, table.Spec.Columns.Created = "created", ""
		},
	},
	{
		name: "a status that is a time", reason: v1alpha1.ReasonWrongType, quotes: []string{"The column created", "text, an enum or a whole number"},
		wrong: func(_ *world, table *v1alpha1.JobTable) {
			table.Spec.Columns.Status, table.Spec.Columns.Created = "created", ""
		},
	},
	{
		name: "data that is a number", reason: v1alpha1.ReasonWrongType, quotes: []string{"The column test_id", "JSON"},
		wrong: func(_ *world, table *v1alpha1.JobTable) { table.Spec.Columns.Data = "test_id" },
	},
	{
		name: "an enum without a word", reason: v1alpha1.ReasonWrongType, quotes: []string{"has no value in_progress", "pending, finished"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.enum("status", "pending", "finished") },
		mend:  func(w *world) { w.enum("status", "pending", "in_progress", "finished", "cancelled") },
	},
	{
		name: "a status that is a number, and words", reason: v1alpha1.ReasonWrongType, quotes: []string{"cannot hold the word pending", "as a number"},
		wrong: func(_ *world, table *v1alpha1.JobTable) { table.Spec.Columns.Status = "test_id" },
	},
	{
		name: "a status that is too small a number", reason: v1alpha1.ReasonWrongType, quotes: []string{"is smallint", "cannot hold the word 70000"},
		ddl: "CREATE TABLE job (id serial, test_id integer, status smallint DEFAULT 0, created timestamp DEFAULT now(), data varchar(1000))",
		wrong: func(_ *world, table *v1alpha1.JobTable) {
			table.Spec.Statuses = v1alpha1.JobTableStatuses{Pending: "0", InProgress: "1", Finished: "70000"}
		},
		mend: func(w *world) { w.widen("status", "integer DEFAULT 0") },
	},
	{
		name: "a status without a sign, and a word with one", only: onMariaDB, reason: v1alpha1.ReasonWrongType, quotes: []string{"unsigned", "cannot hold the word -1"},
		ddl: "CREATE TABLE job (id serial, test_id integer, status tinyint unsigned DEFAULT 0, created timestamp DEFAULT now(), data varchar(1000))",
		wrong: func(_ *world, table *v1alpha1.JobTable) {
			table.Spec.Statuses = v1alpha1.JobTableStatuses{Pending: "0", InProgress: "1", Finished: "2", Cancel: "-1"}
		},
		mend: func(w *world) { w.widen("status", "integer DEFAULT 0") },
	},
	{
		name: "a table without a key", reason: v1alpha1.ReasonKeyNotUnique, quotes: []string{"may have the same number", "ADD PRIMARY KEY"},
		wrong: func(w *world, table *v1alpha1.JobTable) {
			w.exec("ALTER TABLE job ADD number integer")
			table.Spec.Columns.ID = "number"
		},
		mend: func(w *world) { w.exec("CREATE UNIQUE INDEX job_number ON job (number)") },
	},
	{
		name: "a status that is too short for a word", reason: v1alpha1.ReasonValueTooLong, quotes: []string{"holds 8 characters", "in_progress"},
		ddl:   "CREATE TABLE job (id serial, test_id integer, status varchar(8) DEFAULT 'pending', created timestamp DEFAULT now(), data varchar(1000))",
		wrong: func(*world, *v1alpha1.JobTable) {},
		mend:  func(w *world) { w.widen("status", "varchar(20) DEFAULT 'pending'") },
	},
	{
		name: "data that is too short for anything", reason: v1alpha1.ReasonValueTooLong, quotes: []string{"holds 50 characters", "columns.data"},
		ddl:   "CREATE TABLE job (id serial, test_id integer, status varchar(20) DEFAULT 'pending', created timestamp DEFAULT now(), data varchar(50))",
		wrong: func(*world, *v1alpha1.JobTable) {},
		mend:  func(w *world) { w.widen("data", "varchar(200)") },
	},
	{
		name: "a time that changes with the row", only: onMariaDB, reason: v1alpha1.ReasonCreatedChanges, quotes: []string{"ALTER TABLE", "MODIFY `created`"},
		ddl: "CREATE TABLE job (id serial, test_id integer, status varchar(20) DEFAULT 'pending', created timestamp DEFAULT now() ON UPDATE now(), " +
			"data varchar(1000))",
		wrong: func(*world, *v1alpha1.JobTable) {},
		mend:  func(w *world) { w.exec("ALTER TABLE job MODIFY created timestamp DEFAULT CURRENT_TIMESTAMP") },
	},
	{
		name: "a read-only replica", reason: v1alpha1.ReasonReadOnly, quotes: []string{"replica", "primary"},
		wrong: func(w *world, _ *v1alpha1.JobTable) { w.readOnly(true) },
		mend:  func(w *world) { w.readOnly(false) },
	},
	{
		name: "another JobTable for the table", reason: v1alpha1.ReasonTableTaken, quotes: []string{"The JobTable before takes the same rows"},
		wrong: func(w *world, table *v1alpha1.JobTable) {
			first := seedJobTable()
			first.Name = "before"
			w.follow(first)
			w.look()
			w.put("alias", w.url)
			table.Name, table.Spec.Database = "catalyst2", "alias"
		},
		mend: func(w *world) {
			first := seedJobTable()
			first.Name, first.Namespace = "before", w.Namespace
			must(w.T, w.Client.Delete(w.Ctx, first))
		},
	},
}

func TestEveryMistakeIsASentenceOnTheObject(t *testing.T) {
	onBoth(t, func(t *testing.T, kind string) {
		t.Helper()
		for _, m := range mistakes {
			if m.only != "" && m.only != kind {
				continue
			}
			t.Run(m.name, func(t *testing.T) {
				ddl := m.ddl
				if ddl == "" {
					ddl = seedTable[kind]
				}
				w := newWorld(t, kind, ddl)
				w.exec(insertRow, 1)
				table := seedJobTable()
				m.wrong(w, table)
				w.follow(table)
				w.look()
				w.expectReady(m.reason, m.quotes...)
				w.expectSentence()
				for _, run := range w.runs() {
					if run.Labels[v1alpha1.LabelJobTable] == table.Name {
						t.Error("a run was made all the same")
					}
				}
				if m.mend == nil {
					return
				}
				m.mend(w)
				w.r = w.program()
				w.look()
				w.expectReady(v1alpha1.ReasonWorking)
			})
		}
	})
}

// expectSentence checks that the message is one, and tells no password.
func (w *world) expectSentence() {
	w.T.Helper()
	for _, condition := range w.status().Conditions {
		if strings.Contains(condition.Message, "secret") || strings.Contains(condition.Message, "s3cr3t") || strings.Contains(condition.Message, "tiger") {
			w.T.Errorf("the message holds a password: %s", condition.Message)
		}
		if len(condition.Message) < 20 || strings.ContainsAny(condition.Message, "\n\t") {
			w.T.Errorf("the message is no sentence: %q", condition.Message)
		}
	}
}

// allow gives the program's user those rights on the table, and no others.
func (w *world) allow(rights string) {
	w.T.Helper()
	if w.kind == onPostgres {
		w.exec("REVOKE ALL ON job FROM shop")
		w.exec("GRANT " + rights + " ON job TO shop")
		return
	}
	name := w.one("SELECT DATABASE()")
	w.exec("REVOKE ALL ON " + name + ".* FROM shop@localhost")
	w.exec("GRANT " + rights + " ON " + name + ".* TO shop@localhost")
}

// enum makes a column one of words.
func (w *world) enum(column string, words ...string) {
	w.T.Helper()
	list := "'" + strings.Join(words, "', '") + "'"
	if w.kind == onMariaDB {
		w.exec(fmt.Sprintf("ALTER TABLE job MODIFY %s enum(%s) DEFAULT 'pending'", column, list))
		return
	}
	w.exec("DROP TYPE IF EXISTS job_words CASCADE")
	w.exec("CREATE TYPE job_words AS ENUM (" + list + ")")
	w.exec(fmt.Sprintf("ALTER TABLE job DROP COLUMN IF EXISTS %s", column))
	w.exec(fmt.Sprintf("ALTER TABLE job ADD %s job_words DEFAULT 'pending'", column))
}

func (w *world) widen(column, to string) {
	w.T.Helper()
	if w.kind == onMariaDB {
		w.exec("ALTER TABLE job MODIFY " + column + " " + to)
		return
	}
	w.exec("ALTER TABLE job ALTER " + column + " TYPE " + strings.Split(to, " ")[0])
}

// readOnly makes the server, or the database, one that takes no writes of the program.
func (w *world) readOnly(on bool) {
	w.T.Helper()
	if w.kind == onMariaDB {
		w.exec(fmt.Sprintf("SET GLOBAL read_only = %t", on))
		w.T.Cleanup(func() { w.sql.ExecContext(context.Background(), "SET GLOBAL read_only = 0") }) //nolint:errcheck // it may be so already
		return
	}
	w.exec(fmt.Sprintf("ALTER DATABASE %s SET default_transaction_read_only = %t", w.one("SELECT current_database()"), on))
}

func TestATableThatIsLockedIsASentenceAndNotTheEnd(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.take(1)
		w.start("1")
		lock, unlock := "LOCK TABLE job IN ACCESS EXCLUSIVE MODE", "COMMIT"
		if w.kind == onMariaDB {
			lock, unlock = "LOCK TABLES job WRITE", "UNLOCK TABLES"
		}
		conn, err := w.sql.Conn(w.Ctx)
		w.Must(err)
		defer conn.Close()
		if w.kind == onPostgres {
			_, err = conn.ExecContext(w.Ctx, "BEGIN")
			w.Must(err)
		}
		_, err = conn.ExecContext(w.Ctx, lock)
		w.Must(err)
		w.look()
		w.expectReady(v1alpha1.ReasonTableLocked, "end the transaction that holds the lock")
		_, err = conn.ExecContext(w.Ctx, unlock)
		w.Must(err)
		w.look()
		w.expectReady(v1alpha1.ReasonWorking)
		w.expectRow("1", "in_progress")
	})
}

func TestARowThatIsLockedHoldsUpNoOther(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("ALTER TABLE job ADD PRIMARY KEY (id)")
		w.take(3)
		for _, id := range []string{"1", "2", "3"} {
			w.start(id)
		}
		tx, err := w.sql.BeginTx(w.Ctx, nil)
		w.Must(err)
		defer tx.Rollback() //nolint:errcheck // it is committed
		_, err = tx.ExecContext(w.Ctx, "UPDATE job SET test_id = 7 WHERE id = 1")
		w.Must(err)
		w.look()
		w.expectReady(v1alpha1.ReasonWorking, "holds a lock on 1 rows")
		w.expectRow("1", "pending")
		w.expectRow("2", "in_progress")
		w.expectRow("3", "in_progress")
		w.Must(tx.Commit())
		w.look()
		w.expectRow("1", "in_progress")
	})
}

// A trigger of the application's own may refuse what it likes.
func TestARowThatTheDatabaseRefusesToChangeHoldsUpNoOther(t *testing.T) {
	onSeedTable(t, func(w *world) {
		if w.kind == onPostgres {
			w.exec(`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.test_id = 13 THEN RAISE 'not thirteen'; END IF; RETURN NEW; END $$`)
			w.exec("CREATE TRIGGER no BEFORE UPDATE ON job FOR EACH ROW EXECUTE FUNCTION no()")
		} else {
			w.exec(`CREATE TRIGGER no BEFORE UPDATE ON job FOR EACH ROW IF OLD.test_id = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not thirteen'; END IF`)
		}
		for _, test := range []int{13, 14} {
			w.exec(insertRow, test)
		}
		w.follow(seedJobTable())
		w.look()
		w.start("1")
		w.start("2")
		w.look()
		w.expectReady(v1alpha1.ReasonRowsRefused, "refuses to change 1 rows", "Of row 1", "not thirteen")
		w.expectRow("2", "in_progress")
		w.finish("2", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.look()
		w.expectEnd("2", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	})
}

func TestRowLevelSecurityIsSpokenOf(t *testing.T) {
	w := newWorld(t, onPostgres, seedTable[onPostgres], "ALTER TABLE job ENABLE ROW LEVEL SECURITY")
	w.exec(insertRow, 1)
	w.follow(seedJobTable())
	w.look()
	w.expectReady(v1alpha1.ReasonWorking, "row level security", "no policy shows to the user shop")
	if n := len(w.runs()); n != 0 {
		t.Errorf("%d runs were made of rows that nobody may see", n)
	}
	w.exec("CREATE POLICY all_rows ON job TO shop USING (true)")
	w.look()
	w.runOf("1")
}

func TestTwoJobTablesShareATableByAColumn(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("ALTER TABLE job ADD type varchar(20)")
		for _, kind := range []string{"a", "b"} {
			table := seedJobTable()
			table.Name = "catalyst-" + kind
			table.Spec.Match = []v1alpha1.ColumnMatch{{Column: "type", Values: []string{kind}}}
			w.exec("INSERT INTO job (test_id, type) VALUES (1, ?)", kind)
			w.follow(table)
			w.look()
			w.expectReady(v1alpha1.ReasonWorking)
		}
		if got := len(w.runs()); got != 2 {
			w.T.Errorf("there are %d runs, want 2", got)
		}
	})
}

func TestAFileOutsideTheFolderIsNoDatabase(t *testing.T) {
	r := &Reconciler{Folder: t.TempDir()}
	must(t, os.WriteFile(filepath.Join(r.Folder, "large"), make([]byte, maxURL+1), 0o600))
	for _, name := range []string{"none", "large"} {
		if _, err := r.readURL(name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
