package jobtable

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const insertRow = "INSERT INTO job (test_id) VALUES (?)"

func TestTheSeedsTableWorksAsItIs(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.follow(seedJobTable())
		w.exec(insertRow, 42)
		w.look()
		w.expectReady(v1alpha1.ReasonWorking)
		w.expectRow("1", "pending")
		run := w.runOf("1")
		if run.Spec.TestRef.Name != "perl-suite" || len(run.Spec.Params) != 1 || *run.Spec.Params[0].Value != "42" {
			w.T.Errorf("the run is %+v", run.Spec)
		}
		w.start("1")
		w.look()
		w.expectRow("1", "in_progress")
		w.finish("1", v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed,
			v1alpha1.Case{Name: "adds up", Outcome: v1alpha1.OutcomeFailed, Message: "expected 3, got 4 – größer", Duration: &metav1.Duration{Duration: 12 * time.Millisecond}},
			v1alpha1.Case{Name: "opens", Outcome: v1alpha1.OutcomePassed})
		w.look()
		e := w.expectEnd("1", v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed)
		want := []step{{Name: "adds up", MS: ptr.To[int64](12), Message: "expected 3, got 4 – größer"}, {Name: "opens", OK: true}}
		if len(e.Steps) != 2 || e.Steps[0].Message != want[0].Message || *e.Steps[0].MS != 12 || e.Steps[0].OK || !e.Steps[1].OK {
			w.T.Errorf("the steps are %+v, want %+v", e.Steps, want)
		}
	})
}

// The INSERT of the seed names a column type, which its own table lacks.
func TestAnInsertThatNamesATypeWorksOnceTheTableHasTheColumn(t *testing.T) {
	onSeedTable(t, func(w *world) {
		table := seedJobTable()
		table.Spec.Match = []v1alpha1.ColumnMatch{{Column: "type", Values: []string{"test_foo", "test_bar"}}}
		table.Spec.Run.TestRef.Name = "$(type).suite"
		w.follow(table)
		w.look()
		w.expectReady(v1alpha1.ReasonColumnNotFound, "no column type", "created, data, id, status, test_id")
		w.exec("ALTER TABLE job ADD type varchar(40)")
		w.exec("INSERT INTO job (type, test_id) VALUES ('test-foo', 1), ('test_foo', 2), ('other', 3)")
		w.look()
		w.expectReady(v1alpha1.ReasonWorking)
		w.expectRow("1", "pending") // no value that matches
		w.expectRow("3", "pending")
		w.expectEnd("2", v1alpha1.VerdictError, v1alpha1.ReasonInvalidRow, `"test_foo.suite"`)
		w.exec("UPDATE job SET type = 'test_bar' WHERE id = 1")
		if runs := w.runs(); len(runs) != 0 {
			w.T.Errorf("there are runs: %v", runs)
		}
	})
}

// Two daemons took the same row.
func TestTwoProgramsAndOneExecution(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.follow(seedJobTable())
		const rows = 30
		for n := range rows {
			w.exec(insertRow, n)
		}
		watched, err := w.Client.Watch(w.Ctx, &v1alpha1.TestRunList{}, client.InNamespace(w.Namespace))
		w.Must(err)
		defer watched.Stop()
		programs := []*Reconciler{w.program(), w.program(), w.program()}
		for range 3 {
			var group sync.WaitGroup
			for _, program := range programs {
				group.Go(func() {
					if _, err := program.Reconcile(w.Ctx, reconcile.Request{NamespacedName: w.Key(w.table.Name)}); err != nil {
						w.T.Error(err)
					}
				})
			}
			group.Wait()
			for id, run := range w.runs() {
				switch run.Status.Phase {
				case v1alpha1.PhasePending:
					w.start(id)
				case v1alpha1.PhaseInProgress:
					w.finish(id, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
				case v1alpha1.PhaseFinished:
				}
			}
		}
		for n := range rows {
			w.expectEnd(fmt.Sprint(n+1), v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		}
		if runs := w.runs(); len(runs) != rows {
			w.T.Errorf("%d rows have %d runs", rows, len(runs))
		}
		created := map[string]bool{}
		for len(watched.ResultChan()) > 0 {
			if event := <-watched.ResultChan(); event.Type == "ADDED" {
				created[string(event.Object.(*v1alpha1.TestRun).UID)] = true
			}
		}
		if len(created) > rows {
			w.T.Errorf("%d runs were created for %d rows", len(created), rows)
		}
	})
}

// The daemon was killed while a test ran.
func TestAfterAKillNoRowIsInProgressForEver(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.take(3)
		for _, id := range []string{"1", "2", "3"} {
			w.start(id)
		}
		w.look()
		w.r.Close() // it is killed; the tests go on
		w.finish("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.Must(w.Client.Delete(w.Ctx, w.runOf("2")))
		for _, id := range []string{"1", "2", "3"} {
			w.expectRow(id, "in_progress")
		}
		w.r = w.program()
		w.look()
		w.expectEnd("1", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.expectEnd("2", v1alpha1.VerdictError, v1alpha1.ReasonRunDeleted, "somebody has deleted it")
		w.expectRow("3", "in_progress")
		w.finish("3", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
		w.look()
		w.expectEnd("3", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	})
}

// A row whose test did not exist killed the daemon, and stayed the first one.
func TestARowWithATestThatDoesNotExistEndsAlone(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("ALTER TABLE job ADD type varchar(2000)")
		table := seedJobTable()
		table.Spec.Run.TestRef.Name = "$(type)"
		w.follow(table)
		for _, bad := range []any{"No Such Test!", "", nil, "ünïcode", "a/../b", "-", strings.Repeat("x", 64)} {
			w.exec("INSERT INTO job (test_id, type) VALUES (1, ?)", bad)
		}
		w.exec("INSERT INTO job (test_id, type) VALUES (1, 'no-such-test'), (2, 'perl-suite')")
		w.look()
		w.expectReady(v1alpha1.ReasonWorking)
		for id := 1; id <= 7; id++ {
			w.expectEnd(fmt.Sprint(id), v1alpha1.VerdictError, v1alpha1.ReasonInvalidRow, "the name of the Test")
		}
		// What the operator says of a Test that does not exist is what the row says.
		w.finish("8", v1alpha1.VerdictError, v1alpha1.ReasonTestNotFound)
		w.finish("9", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.look()
		w.expectEnd("8", v1alpha1.VerdictError, v1alpha1.ReasonTestNotFound)
		w.expectEnd("9", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	})
}

// With many jobs, polling, locks and DELETE made the daemon slow.
func TestAHundredAtOnceDoNotSlowItDown(t *testing.T) {
	onSeedTable(t, func(w *world) {
		w.exec("CREATE INDEX job_status ON job (status, id)")
		w.follow(seedJobTable())
		w.exec(insertRow, 0)
		w.look() // opens the connections
		timeOf := func(do func()) time.Duration {
			began := time.Now()
			do()
			return time.Since(began)
		}
		var one, hundred time.Duration
		one = timeOf(func() {
			w.exec(insertRow, 1)
			w.look()
		})
		for n := range 100 {
			w.exec(insertRow, n)
		}
		hundred = timeOf(w.look)
		if got := len(w.runs()); got != 102 {
			w.T.Errorf("%d runs after one look, want all 102", got)
		}
		// A hundred take less than as often one: the look itself, and what it waits for, are shared.
		w.T.Logf("one row %s, a hundred at once %s", one, hundred)
		if hundred > 100*one {
			w.T.Errorf("a hundred rows took %s, and one %s", hundred, one)
		}
		for id := range w.runs() {
			w.finish(id, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		}
		w.look()
		if got := w.one("SELECT count(*) FROM job WHERE status = 'finished'"); got != "102" {
			w.T.Errorf("%s rows have finished after one more look, want all 102", got)
		}
	})
}
