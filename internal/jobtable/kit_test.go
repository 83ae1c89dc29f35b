package jobtable

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/kit"
)

// seedJobTable is the JobTable for the table of the seed.
func seedJobTable() *v1alpha1.JobTable {
	return &v1alpha1.JobTable{
		ObjectMeta: metav1.ObjectMeta{Name: "catalyst"},
		Spec: v1alpha1.JobTableSpec{
			Database: "shop", Table: "job",
			Columns:  v1alpha1.JobTableColumns{ID: "id", Status: "status", Created: "created", Data: "data"},
			Statuses: v1alpha1.JobTableStatuses{Cancel: "cancelled"},
			Run: v1alpha1.JobTableRun{
				TestRef: v1alpha1.RowTestReference{Name: "perl-suite"},
				Params:  []v1alpha1.ColumnParam{{Name: "TEST_ID", Column: "test_id"}},
			},
		},
	}
}

// world is a namespace with a database, and a program that looks when the test says so.
type world struct {
	*kit.World
	*database
	folder string
	r      *Reconciler
	events *events.FakeRecorder
	table  *v1alpha1.JobTable
}

func newWorld(t *testing.T, kind string, statements ...string) *world {
	t.Helper()
	w := &world{World: kit.New(t), database: newDatabase(t, kind), folder: t.TempDir(), events: events.NewFakeRecorder(1000)}
	for _, statement := range statements {
		w.exec(statement)
	}
	w.put("shop", w.url)
	w.r = w.program()
	return w
}

// onSeedTable tries something with the table of the seed, on both databases.
func onSeedTable(t *testing.T, do func(w *world)) {
	t.Helper()
	onBoth(t, func(t *testing.T, kind string) {
		t.Helper()
		do(newWorld(t, kind, seedTable[kind]))
	})
}

// put writes the file of a database.
func (w *world) put(name, content string) {
	w.T.Helper()
	must(w.T, os.WriteFile(filepath.Join(w.folder, name), []byte(content), 0o600))
}

// program is a program as it starts: it remembers nothing.
func (w *world) program() *Reconciler {
	r := &Reconciler{
		Client: w.Client, Live: w.Client, Recorder: w.events, Folder: w.folder, Now: time.Now, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	w.T.Cleanup(r.Close)
	return r
}

// follow creates the JobTable.
func (w *world) follow(table *v1alpha1.JobTable) {
	w.T.Helper()
	w.Create(table)
	w.table = table
}

// take inserts that many rows, and has the program make their runs.
func (w *world) take(count int) {
	w.T.Helper()
	for range count {
		w.exec(insertRow, 1)
	}
	w.follow(seedJobTable())
	w.look()
}

// look has the program look at the table once.
func (w *world) look() {
	w.T.Helper()
	_, err := w.r.Reconcile(w.Ctx, reconcile.Request{NamespacedName: w.Key(w.table.Name)})
	must(w.T, err)
}

// status reads what the program says of the table.
func (w *world) status() v1alpha1.JobTableStatus {
	w.T.Helper()
	table := &v1alpha1.JobTable{}
	must(w.T, w.Client.Get(w.Ctx, w.Key(w.table.Name), table))
	return table.Status
}

// expectReady checks the condition Ready.
func (w *world) expectReady(reason string, quotes ...string) {
	w.T.Helper()
	expectCondition(w.T, w.status(), v1alpha1.ConditionReady, reason, quotes...)
}

func expectCondition(t *testing.T, status v1alpha1.JobTableStatus, kind, reason string, quotes ...string) {
	t.Helper()
	for _, condition := range status.Conditions {
		if condition.Type != kind {
			continue
		}
		if condition.Reason != reason {
			t.Errorf("%s is %s, want %s: %s", kind, condition.Reason, reason, condition.Message)
		}
		for _, quote := range quotes {
			if !strings.Contains(condition.Message, quote) {
				t.Errorf("the message of %s does not speak of %q: %s", kind, quote, condition.Message)
			}
		}
		return
	}
	t.Errorf("there is no condition %s", kind)
}

// runs are those of the table, by the ids of their rows.
func (w *world) runs() map[string]v1alpha1.TestRun {
	w.T.Helper()
	list := &v1alpha1.TestRunList{}
	must(w.T, w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace)))
	found := map[string]v1alpha1.TestRun{}
	for _, run := range list.Items {
		if ref, ok := referenceOf(&run); ok {
			if _, isTwice := found[ref.ID]; isTwice {
				w.T.Errorf("row %s has two runs", ref.ID)
			}
			found[ref.ID] = run
		}
	}
	return found
}

// runOf is the run of a row.
func (w *world) runOf(id string) *v1alpha1.TestRun {
	w.T.Helper()
	run, ok := w.runs()[id]
	if !ok {
		w.T.Fatalf("row %s has no run", id)
	}
	return &run
}

// start does what the operator does when the run's test runs.
func (w *world) start(id string) {
	w.T.Helper()
	must(w.T, start(w.Ctx, w.Client, w.runOf(id)))
}

// finish does what the operator does when the run's test has ended.
func (w *world) finish(id string, verdict v1alpha1.Verdict, reason string, cases ...v1alpha1.Case) {
	w.T.Helper()
	must(w.T, finish(w.Ctx, w.Client, w.runOf(id), verdict, reason, time.Now(), cases...))
}

func start(ctx context.Context, c client.Client, run *v1alpha1.TestRun) error {
	changed := run.DeepCopy()
	changed.Status.Phase = v1alpha1.PhaseInProgress
	return c.Status().Patch(ctx, changed, client.MergeFrom(run))
}

func finish(ctx context.Context, c client.Client, run *v1alpha1.TestRun, verdict v1alpha1.Verdict, reason string, at time.Time, cases ...v1alpha1.Case) error {
	changed := run.DeepCopy()
	changed.Status.Phase, changed.Status.Verdict = v1alpha1.PhaseFinished, verdict
	changed.Status.FinishTime = ptr.To(metav1.NewTime(at))
	for i := range changed.Status.Conditions {
		if changed.Status.Conditions[i].Type == v1alpha1.ConditionSucceeded {
			changed.Status.Conditions[i].Reason, changed.Status.Conditions[i].Message = reason, "the message of "+reason
		}
	}
	if len(cases) > 0 {
		changed.Status.Results = v1alpha1.Results{Format: v1alpha1.ResultsTAP, Total: int64(len(cases)), Cases: cases}
		for _, found := range cases {
			if found.Outcome == v1alpha1.OutcomePassed {
				changed.Status.Results.Passed++
			} else {
				changed.Status.Results.Failed++
			}
		}
		changed.Status.Results.Summary = fmt.Sprintf("%d/%d", changed.Status.Results.Passed, len(cases))
	}
	return c.Status().Patch(ctx, changed, client.MergeFrom(run))
}

// expectRow checks the status of a row.
func (w *world) expectRow(id, status string) {
	w.T.Helper()
	if got := w.one("SELECT status FROM job WHERE id = '" + id + "'"); got != status {
		w.T.Errorf("row %s is %s, want %s", id, got, status)
	}
}

// expectCancelled checks that the run of a row was told to end.
func (w *world) expectCancelled(id string) {
	w.T.Helper()
	if cancel := w.runOf(id).Spec.Cancel; cancel == nil || !*cancel {
		w.T.Errorf("the run of row %s is not cancelled", id)
	}
}

// dataOf reads the data of a row.
func (w *world) dataOf(id string) end {
	w.T.Helper()
	var e end
	text := w.one("SELECT data FROM job WHERE id = '" + id + "'")
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		w.T.Errorf("the data of row %s is %s: %v", id, text, err)
	}
	return e
}

// expectEnd checks that a row has finished, and how.
func (w *world) expectEnd(id string, verdict v1alpha1.Verdict, reason string, quotes ...string) end {
	w.T.Helper()
	w.expectRow(id, "finished")
	e := w.dataOf(id)
	if e.Verdict != verdict || e.Reason != reason {
		w.T.Errorf("row %s ended as %s %s, want %s %s: %s", id, e.Verdict, e.Reason, verdict, reason, e.Message)
	}
	for _, quote := range quotes {
		if !strings.Contains(e.Message, quote) {
			w.T.Errorf("the message of row %s does not speak of %q: %s", id, quote, e.Message)
		}
	}
	return e
}
