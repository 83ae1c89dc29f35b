package jobtable

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/points"
)

// strikes are all that goes wrong at each point.
var strikes = []strike{
	{name: "the program is killed before a call", before: true, kills: true},
	{name: "the program is killed after a call", after: true, kills: true},
	{name: "a connection breaks before a call", before: true},
	{name: "a connection breaks after a call", after: true},
	{name: "another program looks at the same time", beside: (*history).another},
	{name: "the tests get on", beside: (*history).operate},
	{name: "retention deletes what it may", beside: (*history).retain},
	{name: "the application cancels a row", beside: func(h *history) {
		h.application("UPDATE %s SET status = 'cancelled' WHERE test_id = 2 AND status <> 'finished'")
	}},
	{name: "the application deletes a row", beside: func(h *history) { h.application("DELETE FROM %s WHERE test_id = 2") }},
	{name: "a user deletes a run", beside: (*history).deleteRun},
	{name: "the database fails over and loses its last changes", beside: (*history).failOver},
	{name: "the cache falls behind", beside: func(h *history) { h.behind = 1 }},
	{name: "the cache falls behind what another program does", beside: (*history).fallBehind},
}

// shared is the database in which all points have their tables, and the namespace of their runs.
type shared struct {
	*world
	tables atomic.Int64
}

const auditPostgres = `
CREATE TABLE history (number serial PRIMARY KEY, tab text, id bigint, was text, now text, hand text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN INSERT INTO history (tab, id, was, now, hand) VALUES (TG_TABLE_NAME, NEW.id, OLD.status, NEW.status, session_user); RETURN NULL; END $$;`

// history is one point: a table with its rows, its JobTable, and all that happened to both.
type history struct {
	t     *testing.T
	s     *shared
	name  string
	now   time.Time
	calls *calls
	r     *Reconciler

	mu sync.Mutex
	// created are the UIDs of the runs that were made, by the ids of the rows, and verdicts how they ended.
	created  map[string][]string
	verdicts map[string]v1alpha1.Verdict
	// deleted are the rows whose runs a user deleted.
	deleted map[string]bool
	// saved is what the database has after a fail-over.
	saved string
	// behind is for how many looks the program sees the runs as they were when it looked before.
	behind int
	seen   *v1alpha1.TestRunList
	// late are things that wait for a lock of the program's.
	late sync.WaitGroup
}

func newShared(t *testing.T, kind string) *shared {
	t.Helper()
	s := &shared{world: newWorld(t, kind)}
	if kind == onPostgres {
		s.exec(auditPostgres)
	} else {
		s.exec("CREATE TABLE history (number serial, tab varchar(64), id bigint, was varchar(20), now varchar(20), hand varchar(100))")
	}
	return s
}

// begin makes the table and its rows. One of these is inserted first and committed last, as by an application whose transaction takes long.
func (s *shared) begin(t *testing.T, c *calls) *history {
	t.Helper()
	h := &history{
		t: t, s: s, name: fmt.Sprintf("job%d", s.tables.Add(1)), now: time.Now().Truncate(time.Second), calls: c,
		created: map[string][]string{}, verdicts: map[string]v1alpha1.Verdict{}, deleted: map[string]bool{},
	}
	c.beside = func() { c.strike.beside(h) }
	h.exec(strings.Replace(seedTable[s.kind], "TABLE job", "TABLE %s", 1))
	if s.kind == onPostgres {
		h.exec("CREATE TRIGGER audit AFTER UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION audit()")
	} else {
		h.exec("CREATE TRIGGER audit_%s AFTER UPDATE ON %s FOR EACH ROW INSERT INTO history (tab, id, was, now, hand) VALUES ('%s', NEW.id, OLD.status, NEW.status, USER())")
	}
	h.exec("ALTER TABLE %s ADD type varchar(40)")
	table := seedJobTable()
	table.Name, table.Namespace, table.Spec.Table = h.name, s.Namespace, h.name
	table.Spec.Run.TestRef.Name = "$(type)"
	h.must(s.Client.Create(context.Background(), table))
	h.r = h.program(c)
	return h
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// exec executes a statement about the table.
func (h *history) exec(statement string) {
	h.t.Helper()
	_, err := h.s.sql.ExecContext(context.Background(), strings.ReplaceAll(statement, "%s", h.name))
	if err != nil {
		h.t.Errorf("%s: %v", statement, err)
	}
}

// application executes a statement of the application's, which may have to wait for the program.
func (h *history) application(statement string) {
	done := make(chan struct{})
	h.late.Go(func() {
		defer close(done)
		h.exec(statement)
	})
	select {
	case <-done:
	case <-time.After(20 * time.Millisecond):
	}
}

// program is one that has just started.
func (h *history) program(c *calls) *Reconciler {
	api, err := client.New(apiserver.Through(apiserver.Config, c.through(h.made)), client.Options{Scheme: apiserver.Scheme, Mapper: apiserver.Client.RESTMapper()})
	h.must(err)
	return &Reconciler{
		Client: behind{api, h, c != h.calls}, Live: api, Recorder: events.NewFakeRecorder(100), Folder: h.s.folder, Wrap: c.wrap,
		Now: func() time.Time { return h.now },
	}
}

// behind is a client whose cache may be behind.
type behind struct {
	client.Client
	h         *history
	isAnother bool
}

func (b behind) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	runs, ok := list.(*v1alpha1.TestRunList)
	if !ok {
		return b.Client.List(ctx, list, options...)
	}
	now := &v1alpha1.TestRunList{}
	if err := b.Client.List(ctx, now, options...); err != nil {
		return err
	}
	if b.h.behind > 0 && b.h.seen != nil && !b.isAnother {
		b.h.seen.DeepCopyInto(runs)
		return nil
	}
	if !b.isAnother {
		b.h.seen = now.DeepCopy()
	}
	now.DeepCopyInto(runs)
	return nil
}

// made is told of each run that was made.
func (h *history) made(body []byte) {
	run := &v1alpha1.TestRun{}
	if err := json.Unmarshal(body, run); err != nil {
		h.t.Error(err)
		return
	}
	ref, _ := referenceOf(run)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.created[ref.ID] = append(h.created[ref.ID], string(run.UID))
}

// look has the program look once, and starts another if it dies of that.
func (h *history) look() {
	_, _ = h.r.Reconcile(context.Background(), reconcile.Request{NamespacedName: h.s.Key(h.name)})
	if h.calls.dead {
		h.r.Close()
		h.calls = &calls{}
		h.r = h.program(h.calls)
	}
}

// another is a second program that looks once.
func (h *history) another() {
	second := h.program(&calls{})
	defer second.Close()
	_, _ = second.Reconcile(context.Background(), reconcile.Request{NamespacedName: h.s.Key(h.name)})
}

// fallBehind has another program take rows and write them, while this one's cache stays as it is.
func (h *history) fallBehind() {
	h.behind = 2
	h.another()
	h.operate()
	h.another()
}

func (h *history) runs() []v1alpha1.TestRun {
	list := &v1alpha1.TestRunList{}
	if err := h.s.Client.List(context.Background(), list, client.InNamespace(h.s.Namespace), client.MatchingLabels{v1alpha1.LabelJobTable: h.name}); err != nil {
		h.t.Error(err)
	}
	return list.Items
}

// operate has each test get on by one step, as the operator does.
func (h *history) operate() {
	for _, run := range h.runs() {
		ref, _ := referenceOf(&run)
		ctx := context.Background()
		var err error
		switch isCancelled := run.Spec.Cancel != nil && *run.Spec.Cancel; {
		case run.Status.Phase == v1alpha1.PhaseFinished:
			continue
		case isCancelled:
			err = finish(ctx, h.s.Client, &run, v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, h.now)
			h.verdicts[ref.ID] = v1alpha1.VerdictCancelled
		case run.Status.Phase == v1alpha1.PhasePending:
			err = start(ctx, h.s.Client, &run)
		default:
			verdict, reason := v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed
			if *run.Spec.Params[0].Value == "1" {
				verdict, reason = v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed
			}
			err = finish(ctx, h.s.Client, &run, verdict, reason, h.now)
			h.verdicts[ref.ID] = verdict
		}
		if client.IgnoreNotFound(err) != nil {
			h.t.Error(err)
		}
	}
}

// retain deletes what has finished and is not pinned, as retention does with a TTL of nothing.
func (h *history) retain() {
	for _, run := range h.runs() {
		if pin, isPinned := run.Annotations[v1alpha1.AnnotationPinned]; run.Status.Phase == v1alpha1.PhaseFinished && (!isPinned || pin == "false") {
			if err := client.IgnoreNotFound(h.s.Client.Delete(context.Background(), &run)); err != nil {
				h.t.Error(err)
			}
		}
	}
}

// deleteRun deletes the run of a row as a user does, which the watch tells the program.
func (h *history) deleteRun() {
	for _, run := range h.runs() {
		ref, _ := referenceOf(&run)
		if len(run.Spec.Params) > 0 && *run.Spec.Params[0].Value == "2" && h.verdicts[ref.ID] == "" {
			if err := h.s.Client.Delete(context.Background(), &run); err != nil {
				h.t.Error(err)
			}
			h.deleted[ref.ID] = true
			h.r.SawDeleted(&run)
		}
	}
}

// failOver has the database go back to what it had when the program looked before.
func (h *history) failOver() {
	if h.saved == "" {
		return
	}
	for _, line := range strings.Split(h.saved, "\n") {
		id, status, _ := strings.Cut(line, " ")
		h.application("UPDATE %s SET status = '" + status + "', data = NULL WHERE id = " + id + " AND status <> '" + status + "'")
	}
}

// save notes what the rows say.
func (h *history) save() {
	var lines []string
	found, err := h.s.sql.QueryContext(context.Background(), "SELECT id, status FROM "+h.name)
	h.must(err)
	defer found.Close()
	for found.Next() {
		var id, status string
		h.must(found.Scan(&id, &status))
		lines = append(lines, id+" "+status)
	}
	h.must(found.Err())
	h.saved = strings.Join(lines, "\n")
}

// live is the life of four rows. The strike happens somewhere in it.
func (h *history) live() {
	ctx := context.Background()
	slow, err := h.s.sql.BeginTx(ctx, nil)
	h.must(err)
	insert := "INSERT INTO " + h.name + " (test_id, type) VALUES (%d, '%s')"
	_, err = slow.ExecContext(ctx, fmt.Sprintf(insert, 1, "unit"))
	h.must(err)
	for test, name := range map[int]string{2: "unit", 3: "unit", 4: "No such test"} {
		h.exec(fmt.Sprintf(insert, test, name))
	}
	before := ""
	for step := range 14 {
		h.save()
		if before != "" {
			h.saved, before = before, h.saved
		} else {
			before = h.saved
		}
		h.look()
		if step == 0 {
			h.must(slow.Commit())
		}
		h.late.Wait() // after the commit: MariaDB's UPDATE waits for rows that are inserted
		h.behind = max(0, h.behind-1)
		h.now = h.now.Add(35 * time.Second)
		if step == 2 {
			h.exec("UPDATE %s SET status = 'cancelled' WHERE test_id = 3 AND status <> 'finished'")
		}
		h.operate()
		h.retain()
		if step > 4 && h.hasEnded() {
			return
		}
	}
}

// hasEnded says whether all rows have finished, and no run is open.
func (h *history) hasEnded() bool {
	var open int
	h.must(h.s.sql.QueryRowContext(context.Background(), "SELECT count(*) FROM "+h.name+" WHERE status <> 'finished'").Scan(&open))
	for _, run := range h.runs() {
		if run.Labels[v1alpha1.LabelOpenRow] != "" {
			open++
		}
	}
	return open == 0
}

// check holds what happened against the promises.
func (h *history) check() {
	h.t.Helper()
	if !h.hasEnded() {
		h.t.Errorf("not every row has ended: %s", h.describe())
	}
	for id, uids := range h.created {
		if len(uids) > 1 {
			h.t.Errorf("row %s has had %d runs", id, len(uids))
		}
	}
	h.checkHands()
	found, err := h.s.sql.QueryContext(context.Background(), "SELECT id, test_id, data FROM "+h.name)
	h.must(err)
	defer found.Close()
	for found.Next() {
		var id string
		var test int
		var data *string
		h.must(found.Scan(&id, &test, &data))
		var e end
		if data == nil || json.Unmarshal([]byte(*data), &e) != nil {
			h.t.Errorf("row %s has no data: %s", id, h.describe())
			continue
		}
		h.checkEnd(id, test, e)
	}
}

func (h *history) checkEnd(id string, test int, e end) {
	h.t.Helper()
	want := h.verdicts[id]
	isDeleted := e.Verdict == v1alpha1.VerdictError && e.Reason == v1alpha1.ReasonRunDeleted
	switch {
	case test == 4:
		if e.Reason != v1alpha1.ReasonInvalidRow {
			h.t.Errorf("the row without a test ended as %s", e.Reason)
		}
	case h.deleted[id] && (isDeleted || e.Verdict == want || e.Reason == v1alpha1.ReasonCancelled):
	case want == "" && e.Reason == v1alpha1.ReasonCancelled && len(h.created[id]) == 0: // it was cancelled before it had a run
	case e.Verdict != want:
		h.t.Errorf("row %s says %s %s, and its run ended as %s: %s", id, e.Verdict, e.Reason, want, h.describe())
	}
}

// checkHands checks each change that the program made: no row goes back.
func (h *history) checkHands() {
	h.t.Helper()
	found, err := h.s.sql.QueryContext(context.Background(), "SELECT id, was, now FROM history WHERE tab = '"+h.name+"' AND hand LIKE 'shop%' ORDER BY number")
	h.must(err)
	defer found.Close()
	changes := 0
	for found.Next() {
		var id, was, now string
		h.must(found.Scan(&id, &was, &now))
		changes++
		switch was + " " + now {
		case "pending in_progress", "pending finished", "in_progress finished", "cancelled finished":
		default:
			h.t.Errorf("the program took row %s from %s to %s", id, was, now)
		}
	}
	if changes < 3 {
		h.t.Errorf("only %d changes are in the history", changes)
	}
}

// describe says where all is.
func (h *history) describe() string {
	h.save()
	var text []string
	for _, run := range h.runs() {
		text = append(text, fmt.Sprintf("%s %s %s open=%s", run.Name, run.Status.Phase, run.Status.Verdict, run.Labels[v1alpha1.LabelOpenRow]))
	}
	table := &v1alpha1.JobTable{}
	_ = h.s.Client.Get(context.Background(), h.s.Key(h.name), table)
	return fmt.Sprintf("rows %q, runs %q, created %v, verdicts %v, status %+v", h.saved, text, h.created, h.verdicts, table.Status.Conditions)
}

// end removes all that the point has made.
func (h *history) end() {
	h.r.Close()
	ctx := context.Background()
	table := &v1alpha1.JobTable{ObjectMeta: metav1.ObjectMeta{Name: h.name, Namespace: h.s.Namespace}}
	h.must(client.IgnoreNotFound(h.s.Client.Delete(ctx, table)))
	h.must(h.s.Client.DeleteAllOf(ctx, &v1alpha1.TestRun{}, client.InNamespace(h.s.Namespace), client.MatchingLabels{v1alpha1.LabelJobTable: h.name}))
	h.exec("DROP TABLE %s")
}

// stride is from how many points one is tried, when not all are.
const stride = 97

func TestARowKeepsItsPromisesWhateverStrikes(t *testing.T) {
	count := points.Of(t, "job tables: something strikes at a call to SQL or Kubernetes")
	onBoth(t, func(t *testing.T, kind string) {
		t.Helper()
		if kind == onMariaDB && !points.All() {
			t.Skip("make jobtable-faults tries MariaDB as well")
		}
		s := newShared(t, kind)
		for i, what := range strikes {
			t.Run(what.name, func(t *testing.T) {
				first, step := 1+i, stride
				if points.All() {
					first, step = 1, 1
				}
				for point, more := first, true; more; point += step {
					t.Run(fmt.Sprintf("call %d", point), func(t *testing.T) {
						c := &calls{point: point, strike: what}
						h := s.begin(t, c)
						h.live()
						h.check()
						if c.struck {
							count.Tried(t)
						}
						more = c.struck
						h.end()
					})
				}
			})
		}
	})
}
