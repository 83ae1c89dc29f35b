package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/points"
)

// death is the end of a process at one of its calls to what keeps things: before the call is done, or after it.
type death struct {
	point int
	after bool
	die   func()

	mu    sync.Mutex
	calls int
	died  bool
}

var errDied = errors.New("the process is dead")

func (d *death) call(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.died {
		return errDied
	}
	d.calls++
	if d.calls != d.point {
		return do()
	}
	if d.after {
		_ = do()
	}
	d.died = true
	d.die()
	return errDied
}

func (d *death) hasStruck() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.died
}

// mortal is a store whose caller dies.
type mortal struct {
	*archive.Store
	*death
}

func (m mortal) Apply(ctx context.Context, batch archive.Batch) error {
	return m.call(func() error { return m.Store.Apply(ctx, batch) })
}

func (m mortal) Gone(ctx context.Context, uids []string, at time.Time) error {
	return m.call(func() error { return m.Store.Gone(ctx, uids, at) })
}

// eachPoint tries a scenario with a death at each of its points, before and after, until there are no more.
func eachPoint(t *testing.T, count *points.Counter, scenario func(t *testing.T, d *death)) {
	t.Helper()
	onEachDatabase(t, func(t *testing.T) {
		t.Helper()
		tried := 0
		for point, more := 1, true; more; point++ {
			for _, after := range []bool{false, true} {
				d := &death{point: point, after: after}
				t.Run(fmt.Sprintf("call %d after=%t", point, after), func(t *testing.T) {
					scenario(t, d)
					if d.hasStruck() {
						count.Tried(t)
					}
				})
				if more = d.hasStruck() && !t.Failed(); !more {
					break
				}
				tried++
			}
		}
		if tried == 0 && !t.Failed() {
			t.Error("no point was tried")
		}
	})
}

// watchUntil watches with a process that dies, until that or what is wanted has happened.
func (w *watching) watchUntil(d *death, wanted func() bool) {
	w.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.die = cancel
	mortalWatch := &Watch{
		Client: w.watch.Client, Store: mortal{w.store, d}, Log: slog.New(slog.DiscardHandler), Metrics: NewWatchMetrics(prometheus.NewRegistry()),
	}
	var done sync.WaitGroup
	done.Go(func() { mortalWatch.Run(ctx) })
	w.WaitFor("the process dies, or has done all", func() bool { return d.hasStruck() || wanted() })
	cancel()
	done.Wait()
}

// expectStoredUpToTheCursor checks that what the database says of itself is true.
func (w *watching) expectStoredUpToTheCursor(gone ...*v1alpha1.TestRun) {
	w.T.Helper()
	cursor := w.cursor()
	list := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace)))
	for _, run := range list.Items {
		if kept, err := w.store.Run(w.Ctx, string(run.UID)); !isNewer(run.ResourceVersion, cursor) && (err != nil || kept.ResourceVersion != run.ResourceVersion) {
			w.T.Errorf("the cursor is %s, and of run %s is kept %s, not %s, %v", cursor, run.Name, kept.ResourceVersion, run.ResourceVersion, err)
		}
	}
	if !isNewer(list.ResourceVersion, cursor) {
		for _, run := range gone {
			if kept, err := w.store.Run(w.Ctx, string(run.UID)); err != nil || kept.Deleted.IsZero() {
				w.T.Errorf("the cursor is %s, and run %s that is gone is kept as %+v, %v", cursor, run.Name, kept, err)
			}
		}
	}
}

func TestAWatchThatDiesAnywhereLosesNothing(t *testing.T) {
	count := points.Of(t, "the server dies at a step while it watches")
	for name, prepare := range map[string]func(*watching){
		"for the first time":           func(w *watching) { w.Must(w.store.Apply(w.Ctx, archive.Batch{})) },
		"from its cursor":              func(*watching) {},
		"after its cursor has expired": func(w *watching) { w.Must(w.store.Apply(w.Ctx, archive.Batch{Cursor: "1", Restored: true})) },
	} {
		t.Run(name, func(t *testing.T) {
			eachPoint(t, count, func(t *testing.T, d *death) {
				t.Helper()
				w := newWatching(t)
				same, changed, gone := w.add("same"), w.add("changed"), w.add("gone")
				if name != "for the first time" {
					stop := w.start()
					for _, run := range []*v1alpha1.TestRun{same, changed, gone} {
						w.waitForKept(run, "it was created", isThere)
					}
					stop()
				}
				prepare(w)
				w.finish(changed)
				if name != "for the first time" { // what was deleted before nobody can know
					w.delete(gone)
				}
				created := w.add("created")
				all := func() bool {
					for run, is := range map[*v1alpha1.TestRun]func(archive.Run) bool{
						same: isThere, changed: isFinished, created: isThere,
						gone: func(kept archive.Run) bool { return isDeleted(kept) == (name != "for the first time") },
					} {
						if kept, err := w.store.Run(w.Ctx, string(run.UID)); err != nil || !is(kept) {
							return false
						}
					}
					return !isNewer(created.ResourceVersion, w.cursor())
				}
				w.watchUntil(d, all)
				if name == "for the first time" {
					w.expectStoredUpToTheCursor()
				} else {
					w.expectStoredUpToTheCursor(gone)
				}
				w.start()
				w.WaitFor("all is stored", all)
			})
		})
	}
}
