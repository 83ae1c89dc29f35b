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

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
)

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
	// figures are those of all programs of the point.
	figures *prometheus.Registry
	metrics *Metrics

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
		figures: prometheus.NewRegistry(),
	}
	h.metrics = NewMetrics(h.figures)
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
		Now: func() time.Time { return h.now }, Metrics: h.metrics,
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

// end removes all that the point has made.
func (h *history) end() {
	h.r.Close()
	ctx := context.Background()
	table := &v1alpha1.JobTable{ObjectMeta: metav1.ObjectMeta{Name: h.name, Namespace: h.s.Namespace}}
	h.must(client.IgnoreNotFound(h.s.Client.Delete(ctx, table)))
	h.must(h.s.Client.DeleteAllOf(ctx, &v1alpha1.TestRun{}, client.InNamespace(h.s.Namespace), client.MatchingLabels{v1alpha1.LabelJobTable: h.name}))
	h.exec("DROP TABLE %s")
}
