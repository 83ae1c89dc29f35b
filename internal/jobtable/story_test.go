package jobtable

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

func TestACancelledRowCancelsItsRun(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("INSERT INTO job (status) VALUES ('cancelled'), ('pending'), ('pending')")
		w.follow(seedJobTable())
		w.look()
		w.expectEnd("1", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "before its test ran")
		w.start("2")
		w.exec("UPDATE job SET status = 'cancelled' WHERE id IN (2, 3)")
		w.look()
		w.expectCancelled("2")
		w.expectCancelled("3")
		w.finish("2", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		w.finish("3", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed) // it had ended just before
		w.look()
		w.expectEnd("2", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		w.expectEnd("3", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		if len(w.runs()) != 2 {
			w.T.Errorf("there are %d runs, want 2", len(w.runs()))
		}
	})
}

func TestARunIsPinnedUntilItsRowHasSaidForAWhileThatItFinished(t *testing.T) {
	onSeedTable(t, func(w *world) {
		now := time.Now()
		w.r.Now = func() time.Time { return now }
		w.exec(insertRow, 1)
		w.follow(seedJobTable())
		isPinned := func() bool { return w.runOf("1").Annotations[v1alpha1.AnnotationPinned] != "" }
		w.look()
		w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		if !isPinned() {
			w.T.Fatal("the run is not pinned while its row is pending")
		}
		w.look()
		w.look()
		w.expectRow("1", "finished")
		if !isPinned() {
			w.T.Error("the run is pinned no more right after its row has ended")
		}
		now = now.Add(holdTime + time.Second)
		w.look()
		if isPinned() || w.runOf("1").Labels[v1alpha1.LabelOpenRow] != "" {
			w.T.Error("the run is still pinned")
		}
		w.look()
		w.expectRow("1", "finished")
	})
}

func TestAWordOfSomebodyElseIsLeft(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.take(1)
		w.start("1")
		w.exec("UPDATE job SET status = 'on hold'")
		w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.look()
		w.look()
		w.expectRow("1", "on hold")
		if len(w.events.Events) != 1 || !strings.Contains(<-w.events.Events, eventForeignWord) {
			w.T.Error("there is not one event about it")
		}
	})
}

func TestARowThatIsDeletedCancelsItsRun(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.take(1)
		w.exec("DELETE FROM job")
		w.look()
		w.expectCancelled("1")
	})
}

// A table that is emptied may begin to count anew.
func TestAnIDThatIsUsedAgainIsAnotherRow(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("INSERT INTO job (id, test_id, created) VALUES (1, 1, '2026-01-31 10:00:00')")
		w.follow(seedJobTable())
		w.look()
		first := w.runOf("1")
		w.exec("DELETE FROM job")
		w.exec("INSERT INTO job (id, test_id, created) VALUES (1, 2, '2026-01-31 11:00:00')")
		w.Must(finish(w.Ctx, w.Client, first, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, time.Now()))
		w.look()
		w.expectRow("1", "pending")
		w.Must(w.Client.Delete(w.Ctx, first))
		if second := w.runOf("1"); second.Name == first.Name {
			w.T.Error("the second row has the name of the first one's run")
		}
	})
}

// Sequences do not wait for transactions: a row with a lower id may appear after one with a higher id.
func TestARowThatIsCommittedLateIsFound(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.follow(seedJobTable())
		slow, err := w.sql.BeginTx(w.Ctx, nil)
		w.Must(err)
		_, err = slow.ExecContext(w.Ctx, "INSERT INTO job (test_id) VALUES (1)")
		w.Must(err)
		rolledBack, err := w.sql.BeginTx(w.Ctx, nil)
		w.Must(err)
		_, err = rolledBack.ExecContext(w.Ctx, "INSERT INTO job (test_id) VALUES (2)")
		w.Must(err)
		w.exec(insertRow, 3)
		w.look()
		if got := len(w.runs()); got != 1 {
			w.T.Fatalf("there are %d runs before the commit, want 1", got)
		}
		w.Must(slow.Commit())
		w.Must(rolledBack.Rollback())
		w.look()
		if got := len(w.runs()); got != 2 {
			w.T.Errorf("there are %d runs, want 2", got)
		}
		w.runOf("1")
	})
}

func TestMoreRowsThanMayRunWaitInTheTable(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("ALTER TABLE job ADD type varchar(20)")
		const many = 450 // more than two pages
		for n := range many {
			test := "unit"
			if n < 220 {
				test = "NOT A TEST" // more than a page of bad rows stands in front
			}
			w.exec("INSERT INTO job (test_id, type) VALUES (?, ?)", n, test)
		}
		table := seedJobTable()
		table.Spec.Run.TestRef.Name = "$(type)"
		table.Spec.MaxRuns = 230
		w.follow(table)
		w.look()
		w.expectReady(v1alpha1.ReasonWorking)
		if got := w.one("SELECT count(*) FROM job WHERE status = 'finished'"); got != "220" {
			w.T.Errorf("%s bad rows have ended, want 220: %+v", got, w.status())
		}
		ended := 0
		for range 6 {
			w.look()
			runs := w.runs()
			if open := len(runs) - ended; open > 230 {
				w.T.Fatalf("%d runs are open, want at most 230", open)
			}
			ended = len(runs)
			for _, run := range runs {
				if run.Status.Phase != v1alpha1.PhaseFinished {
					w.Must(finish(w.Ctx, w.Client, &run, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, time.Now()))
				}
			}
		}
		if got := w.one("SELECT count(*) FROM job WHERE status = 'finished'"); got != fmt.Sprint(many) {
			w.T.Errorf("%s rows have finished, want %d", got, many)
		}
	})
}

func TestSuspendKeepsRowsPendingAndLetsRunsEnd(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.take(1)
		table := &v1alpha1.JobTable{}
		w.Must(w.Client.Get(w.Ctx, w.Key(w.table.Name), table))
		table.Spec.Suspend = ptr.To(true)
		w.Must(w.Client.Update(w.Ctx, table))
		w.exec(insertRow, 2)
		w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.look()
		w.expectReady(v1alpha1.ReasonSuspended)
		w.expectRow("1", "finished")
		w.expectRow("2", "pending")
		status := w.status()
		if *status.Pending != 1 || *status.InProgress != 0 || *status.Runs != 0 || status.OldestPending == nil {
			w.T.Errorf("the status is %+v", status)
		}
	})
}

// All that a table of one's own may have otherwise.
func TestAnyOtherTableWorksByMapping(t *testing.T) {
	tables := map[string][]string{
		onPostgres: {
			`CREATE SCHEMA "My App"`, `GRANT USAGE ON SCHEMA "My App" TO shop`, `CREATE TYPE "My App".state AS ENUM ('new', 'busy', 'done')`,
			`CREATE TABLE "My App"."Job ""Queue""" (key uuid PRIMARY KEY, "State" "My App".state DEFAULT 'new', at timestamptz, result jsonb, "how it ended" varchar(12), "a b" text)`,
			`GRANT SELECT, UPDATE ON "My App"."Job ""Queue""" TO shop`,
			`INSERT INTO "My App"."Job ""Queue""" VALUES ('01234567-89ab-cdef-0123-456789abcdef', 'new', '2026-01-31 10:00:00.123456+05', NULL, NULL, 'Ünïcode ''"$(x)'), ` +
				`('01234567-89ab-cdef-0123-456789abcde0', 'new', 'infinity', NULL, NULL, NULL)`,
		},
		onMariaDB: {
			"CREATE TABLE `Job ``Queue``` (`key` varchar(36) PRIMARY KEY, `State` enum('new','busy','done') DEFAULT 'new', at timestamp(6) NULL, result json, " +
				"`how it ended` varchar(12), `a b` text) CHARACTER SET latin1",
			"INSERT INTO `Job ``Queue``` VALUES ('01234567-89ab-cdef-0123-456789abcdef', 'new', '2026-01-31 10:00:00.123456', NULL, NULL, 'Ünïcode ''\"$(x)'), " +
				"('01234567-89ab-cdef-0123-456789abcde0', 'new', NULL, NULL, NULL, NULL)",
		},
	}
	onBoth(t, func(t *testing.T, kind string) {
		t.Helper()
		w := newWorld(t, kind, tables[kind]...)
		table := seedJobTable()
		name, quoted := `My App.Job "Queue"`, `"My App"."Job ""Queue"""`
		state, verdict := `"State"`, `"how it ended"`
		if kind == onMariaDB {
			name, quoted, state, verdict = "Job `Queue`", "`Job ``Queue```", "`State`", "`how it ended`"
		}
		table.Spec.Table = name
		table.Spec.Columns = v1alpha1.JobTableColumns{ID: "key", Status: "State", Created: "at", Data: "result", Verdict: "how it ended"}
		table.Spec.Statuses = v1alpha1.JobTableStatuses{Pending: "new", InProgress: "busy", Finished: "done"}
		table.Spec.Run.Params = []v1alpha1.ColumnParam{{Name: "WHAT", Column: "a b"}}
		w.follow(table)
		w.look()
		w.expectReady(v1alpha1.ReasonWorking)
		first, second := "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcde0"
		if got := *w.runOf(first).Spec.Params[0].Value; got != `Ünïcode '"$(x)` {
			t.Errorf("the param is %s", got)
		}
		if got := w.runOf(second).Spec.Params; len(got) != 0 {
			t.Errorf("NULL became the param %v", got)
		}
		for _, id := range []string{first, second} {
			w.start(id)
			w.look()
			w.finish(id, v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed, v1alpha1.Case{Name: "größer 😀", Outcome: v1alpha1.OutcomeFailed})
			w.look()
		}
		if got := w.one("SELECT count(*) FROM " + quoted + " WHERE " + state + " = 'done' AND " + verdict + " = 'Failed' AND result IS NOT NULL"); got != "2" {
			t.Errorf("%s rows are as they should be, want 2", got)
		}
	})
}

func TestStatusesAreWhateverTheApplicationWrites(t *testing.T) {
	for name, test := range map[string]struct {
		column string
		words  v1alpha1.JobTableStatuses
	}{
		"numbers": {"integer", v1alpha1.JobTableStatuses{Pending: "0", InProgress: "1", Finished: "2", Cancel: "-1"}},
		// A column holds so many characters, and not bytes.
		"another language": {"varchar(9)", v1alpha1.JobTableStatuses{Pending: "ожидает", InProgress: "идёт", Finished: "завершено"}},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, kind string) {
				t.Helper()
				ddl := "CREATE TABLE job (id integer PRIMARY KEY, status " + test.column + " NOT NULL)"
				if kind == onMariaDB {
					ddl += " CHARACTER SET utf8mb4"
				}
				w := newWorld(t, kind, ddl)
				w.exec("INSERT INTO job (id, status) VALUES (1, '" + test.words.Pending + "')")
				table := seedJobTable()
				table.Spec.Columns = v1alpha1.JobTableColumns{ID: "id", Status: "status"}
				table.Spec.Statuses = test.words
				table.Spec.Run.Params = nil
				w.follow(table)
				w.look()
				w.start("1")
				w.look()
				w.expectRow("1", test.words.InProgress)
				w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
				w.look()
				w.expectRow("1", test.words.Finished)
			})
		})
	}
}

func TestAValueThatIsTooLongEndsItsRowAlone(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("ALTER TABLE job ADD note text")
		table := seedJobTable()
		table.Spec.Run.Params = []v1alpha1.ColumnParam{{Name: "NOTE", Column: "note"}}
		w.follow(table)
		w.exec("INSERT INTO job (note) VALUES (?)", strings.Repeat("ä", 1025))
		w.exec("INSERT INTO job (note) VALUES (?)", strings.Repeat("ä", 1024))
		w.look()
		w.expectEnd("1", v1alpha1.VerdictError, v1alpha1.ReasonInvalidRow, "the column note holds more than 1024")
		if got := len(*w.runOf("2").Spec.Params[0].Value); got != 2048 {
			w.T.Errorf("the param of the other row has %d bytes", got)
		}
	})
}

// A JobTable that is deleted leaves its runs to retention; one that comes back finds them.
func TestAJobTableThatComesBackFindsItsRuns(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.take(1)
		w.start("1")
		w.look()
		w.Must(w.Client.Delete(w.Ctx, w.table))
		w.look()
		if run := w.runOf("1"); run.Annotations[v1alpha1.AnnotationPinned] != "" || run.Spec.Cancel != nil {
			w.T.Errorf("the run is still pinned, or was cancelled: %+v", run)
		}
		w.follow(seedJobTable())
		w.look()
		w.expectRow("1", "in_progress")
		w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.look()
		w.expectEnd("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	})
}

// Between a look at a row and its UPDATE, the row may have been replaced by another one with the same id.
func TestAWriteChangesNoOtherRowWithTheSameID(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("INSERT INTO job (id, test_id, created) VALUES (1, 1, '2026-01-31 10:00:00')")
		w.follow(seedJobTable())
		w.look()
		ref, _ := referenceOf(w.runOf("1"))
		table := w.r.memoryOf(w.Key(w.table.Name)).table
		w.exec("UPDATE job SET created = '2026-01-31 11:00:00'")
		outcome, err := table.Write(w.Ctx, ref.key(), rows.Change{State: rows.Finished})
		w.Must(err)
		if outcome != rows.Unchanged {
			w.T.Errorf("the outcome is %d, want %d", outcome, rows.Unchanged)
		}
		w.expectRow("1", "pending")
	})
}
