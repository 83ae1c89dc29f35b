package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
)

// watching is a watch of the real API server that stores in a real database.
type watching struct {
	*kit.World
	store *archive.Store
	watch *Watch
}

func newWatching(t *testing.T) *watching {
	t.Helper()
	store := openStore(t)
	w := &watching{World: kit.New(t), store: store}
	w.watch = &Watch{Client: apiserver.Client, Store: store, Log: slog.New(slog.DiscardHandler), Metrics: NewWatchMetrics(prometheus.NewRegistry())}
	return w
}

// start watches until the returned function is called, or the test ends.
func (w *watching) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.watch.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
	})
	w.T.Cleanup(stop)
	return stop
}

// add creates a run. Nobody executes it.
func (w *watching) add(name string) *v1alpha1.TestRun {
	w.T.Helper()
	run := builders.TestRun(name).Build()
	w.Create(run)
	return run
}

// finish reports the end of a run, as the operator does.
func (w *watching) finish(run *v1alpha1.TestRun) {
	w.T.Helper()
	run.Status = finished().Status
	w.Must(w.Client.Status().Update(w.Ctx, run))
}

func (w *watching) delete(run *v1alpha1.TestRun) {
	w.T.Helper()
	w.Must(w.Client.Delete(w.Ctx, run))
}

// waitForKept waits until what is kept of a run is as it should be.
func (w *watching) waitForKept(run *v1alpha1.TestRun, what string, is func(archive.Run) bool) archive.Run {
	w.T.Helper()
	var kept archive.Run
	w.WaitFor(fmt.Sprintf("run %s is kept: %s", run.Name, what), func() bool {
		var err error
		kept, err = w.store.Run(w.Ctx, string(run.UID))
		if err != nil && !errors.Is(err, archive.ErrNotFound) {
			w.T.Fatal(err)
		}
		return err == nil && is(kept)
	})
	return kept
}

func isThere(kept archive.Run) bool    { return kept.Deleted.IsZero() }
func isDeleted(kept archive.Run) bool  { return !kept.Deleted.IsZero() }
func isFinished(kept archive.Run) bool { return kept.Phase == string(v1alpha1.PhaseFinished) }

func (w *watching) cursor() string {
	w.T.Helper()
	cursor, err := w.store.Cursor(w.Ctx)
	w.Must(err)
	return cursor
}

func TestWhatHappensToARunIsKeptAndItsLastStateToo(t *testing.T) {
	w := newWatching(t)
	before := w.add("before")
	w.start()
	w.waitForKept(before, "it was there before the watch", isThere)

	run := w.add("smoke")
	w.waitForKept(run, "it was created", isThere)
	w.finish(run)
	kept := w.waitForKept(run, "it has finished", isFinished)
	if kept.Verdict != "Failed" || kept.Counts.Failed != 1 || kept.ResourceVersion != run.ResourceVersion {
		t.Errorf("it is kept as %+v", kept)
	}
	cases, _, err := w.store.Cases(w.Ctx, archive.CaseQuery{UID: string(run.UID), Attempt: 2})
	if err != nil || len(cases) != 2 || cases[0].Name != "pays" {
		t.Errorf("its cases are %+v, %v", cases, err)
	}
	if isNewer(run.ResourceVersion, w.cursor()) {
		t.Errorf("the cursor is %s, and version %s is stored", w.cursor(), run.ResourceVersion)
	}
	w.delete(run)
	kept = w.waitForKept(run, "it is deleted", isDeleted)
	if kept.Verdict != "Failed" || kept.Counts.Failed != 1 {
		t.Errorf("after it was deleted it is kept as %+v", kept)
	}
}

func TestAWatchThatWasAwayMissesNothing(t *testing.T) {
	w := newWatching(t)
	deleted := w.add("deleted")
	stop := w.start()
	w.waitForKept(deleted, "it was created", isThere)
	w.WaitFor("the cursor is kept", func() bool { return w.cursor() != "" })
	stop()

	w.finish(deleted)
	w.delete(deleted)
	short := w.add("short") // nobody has ever seen it
	w.finish(short)
	w.delete(short)
	created := w.add("created")
	w.start()
	for _, run := range []*v1alpha1.TestRun{deleted, short} {
		if kept := w.waitForKept(run, "it is deleted", isDeleted); !isFinished(kept) {
			t.Errorf("its last state is not kept: %+v", kept)
		}
	}
	w.waitForKept(created, "it was created", isThere)
}

func TestAfterTheCursorHasExpiredAllRunsAreCompared(t *testing.T) {
	w := newWatching(t)
	same, changed, deleted := w.add("same"), w.add("changed"), w.add("deleted")
	stop := w.start()
	for _, run := range []*v1alpha1.TestRun{same, changed, deleted} {
		w.waitForKept(run, "it was created", isThere)
	}
	stop()
	// A push told of this one, and the watch has not seen it yet.
	pushed := w.add("pushed")
	w.finish(changed)
	w.delete(deleted)
	created := w.add("created")
	w.Must(w.store.Apply(w.Ctx, archive.Batch{Cursor: "1", Restored: true}))
	w.expectExpired("1")

	w.start()
	w.waitForKept(created, "it was created", isThere)
	w.waitForKept(pushed, "it was created", isThere)
	w.waitForKept(changed, "it has finished", isFinished)
	w.waitForKept(deleted, "it is deleted", isDeleted)
	if kept := w.waitForKept(same, "it is as it was", isThere); kept.ResourceVersion != same.ResourceVersion {
		t.Errorf("it is kept as %+v", kept)
	}
	w.WaitFor("the cursor is that of the list", func() bool {
		return isNewer(w.cursor(), created.ResourceVersion) || w.cursor() == created.ResourceVersion
	})
}

func (w *watching) expectExpired(version string) {
	w.T.Helper()
	events, err := w.Client.Watch(w.Ctx, newList(), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}})
	if err == nil {
		defer events.Stop()
		event := <-events.ResultChan()
		err = apierrors.FromObject(event.Object)
	}
	if !errors.Is(watchError(err), errExpired) {
		w.T.Fatalf("version %s has not expired: %v", version, err)
	}
}

// An API server that was restored from a backup tells of versions that are lower than the cursor.
func TestAfterTheAPIServerWasRestoredItsStateCounts(t *testing.T) {
	w := newWatching(t)
	run := w.add("smoke")
	state, err := stateOf(objectOf(t, run), time.Time{})
	w.Must(err)
	state.Run.ResourceVersion, state.Run.Phase = "999999999998", "Finished"
	lost := state
	lost.Run.UID, lost.Run.Name = "lost", "lost"
	w.Must(w.store.Apply(w.Ctx, archive.Batch{Runs: []archive.RunState{state, lost}, Cursor: "999999999999"}))

	w.start()
	w.waitForKept(run, "it is as the API server says", func(kept archive.Run) bool { return kept.ResourceVersion == run.ResourceVersion })
	w.WaitFor("the cursor goes back", func() bool { return !isNewer(w.cursor(), "999999999998") })
	if kept, err := w.store.Run(w.Ctx, "lost"); err != nil || kept.Deleted.IsZero() {
		t.Errorf("what the API server does not know is kept as %+v, %v", kept, err)
	}
	w.finish(run)
	w.waitForKept(run, "it has finished", isFinished)
}

// failing is a database that is away from time to time.
type failing struct {
	RunStore
	chance *rand.Rand // only the watch calls
	failed atomic.Int64
}

var errAway = errors.New("the database is away")

// do has a call fail before it is done, or after it, or not at all.
func (f *failing) do(call func() error) error {
	switch f.chance.IntN(8) {
	case 0:
		f.failed.Add(1)
		return errAway
	case 1:
		f.failed.Add(1)
		return errors.Join(call(), errAway)
	default:
		return call()
	}
}

func (f *failing) Apply(ctx context.Context, batch archive.Batch) error {
	return f.do(func() error { return f.RunStore.Apply(ctx, batch) })
}

func (f *failing) Cursor(ctx context.Context) (cursor string, err error) {
	err = f.do(func() error {
		cursor, err = f.RunStore.Cursor(ctx)
		return err
	})
	return cursor, err
}

func (f *failing) Gone(ctx context.Context, uids []string, at time.Time) error {
	return f.do(func() error { return f.RunStore.Gone(ctx, uids, at) })
}

func TestADatabaseThatIsAwayLosesNothing(t *testing.T) {
	w := newWatching(t)
	database := &failing{RunStore: w.store, chance: rand.New(rand.NewPCG(1, 2))}
	w.watch.Store = database
	gone := w.add("gone")
	w.start()
	w.waitForKept(gone, "it was created", isThere)
	w.WaitFor("there is a cursor: before that, nobody can know what was deleted", func() bool { return w.cursor() != "" })
	w.delete(gone)
	var runs []*v1alpha1.TestRun
	for i := range 20 {
		run := w.add(fmt.Sprintf("run-%d", i))
		w.finish(run)
		runs = append(runs, run)
	}
	for _, run := range runs[:10] {
		w.delete(run)
	}
	w.waitForKept(gone, "it is deleted", isDeleted)
	for i, run := range runs {
		w.waitForKept(run, "it has finished, and may be deleted", func(kept archive.Run) bool {
			return isFinished(kept) && isDeleted(kept) == (i < 10)
		})
	}
	if database.failed.Load() == 0 {
		t.Error("the database was never away")
	}
}

func TestTwoThatWatchStoreTheSame(t *testing.T) {
	w := newWatching(t)
	other := *w.watch
	other.Metrics = NewWatchMetrics(prometheus.NewRegistry())
	w.start()
	(&watching{World: w.World, store: w.store, watch: &other}).start()
	for i := range 10 {
		run := w.add(fmt.Sprintf("run-%d", i))
		w.finish(run)
		w.delete(run)
		w.waitForKept(run, "it has finished and is deleted", func(kept archive.Run) bool { return isFinished(kept) && isDeleted(kept) })
	}
	runs, _, err := w.store.Runs(w.Ctx, archive.Filter{Namespace: w.Namespace}, archive.Page{})
	if err != nil || len(runs) != 10 {
		t.Errorf("%d runs are kept, %v", len(runs), err)
	}
}

func TestABookmarkMovesTheCursorAndNothingElse(t *testing.T) {
	w := newWatching(t)
	bookmark := &unstructured.Unstructured{}
	bookmark.SetResourceVersion("77")
	events := make(chan watch.Event, 1)
	events <- watch.Event{Type: watch.Bookmark, Object: bookmark}
	batch, err := w.watch.collect(t.Context(), events)
	if err != nil || batch.Cursor != "77" || len(batch.Runs) != 0 {
		t.Fatalf("the batch is %+v, %v", batch, err)
	}
	w.Must(w.watch.apply(t.Context(), batch))
	if got := w.cursor(); got != "77" {
		t.Errorf("the cursor is %q", got)
	}
}

func TestABatchIsBounded(t *testing.T) {
	w := newWatching(t)
	events := make(chan watch.Event, 2*maxBatch)
	for range 2 * maxBatch {
		events <- watch.Event{Type: watch.Modified, Object: objectOf(t, finished())}
	}
	for left := 2 * maxBatch; left > 0; {
		batch, err := w.watch.collect(t.Context(), events)
		if err != nil || len(batch.Runs) == 0 || len(batch.Runs) > maxBatch {
			t.Fatalf("the batch has %d states, %v", len(batch.Runs), err)
		}
		left -= len(batch.Runs)
	}
}
