package ingest

import (
	"sync/atomic"
	"testing"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/points"
)

// jumps are by how much a clock is wrong.
var jumps = map[string]time.Duration{
	"an hour ahead": time.Hour, "an hour behind": -time.Hour, "a year ahead": 366 * 24 * time.Hour, "a year behind": -366 * 24 * time.Hour,
}

// jumpingClock is wrong by so many nanoseconds.
type jumpingClock struct{ by atomic.Int64 }

// now has nothing that Go measures beside the clock.
func (c *jumpingClock) now() time.Time { return time.Now().Round(0).Add(time.Duration(c.by.Load())) }

// eachJump tries something with a clock that is wrong, and right again once it is told to be.
func eachJump(t *testing.T, count *points.Counter, try func(t *testing.T, clock func() time.Time, putRight func())) {
	t.Helper()
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T) {
				t.Helper()
				clock := &jumpingClock{}
				clock.by.Store(int64(jump))
				try(t, clock.now, func() { clock.by.Store(0) })
				count.Tried(t)
			})
		})
	}
}

func TestALogIsReadWhateverTheClockSaid(t *testing.T) {
	count := points.Of(t, "the clock jumps before a log is read")
	eachJump(t, count, func(t *testing.T, clock func() time.Time, putRight func()) {
		t.Helper()
		l := newLogging(t)
		l.store.SetClock(clock)
		l.node.away.Store(true)
		l.pod("smoke", lines(1, 100))
		l.run("smoke")
		putRight()
		l.start()
		l.ExpectNever("nobody waits for the kubelet", time.Second, func() bool {
			waiting, err := l.store.Unsettled(l.Ctx, 0)
			l.Must(err)
			return len(waiting) == 0
		})
		l.node.away.Store(false)
		l.expectNotes("smoke", l.waitForSettled("smoke"))
		l.expectOutput("smoke", lines(1, 100), archive.FromKubelet)
	})
}

func TestNoRunIsLostWhateverTheClockSaid(t *testing.T) {
	count := points.Of(t, "the clock jumps while the server watches")
	eachJump(t, count, func(t *testing.T, clock func() time.Time, putRight func()) {
		t.Helper()
		w := newWatching(t)
		w.store.SetClock(clock)
		w.watch.clock = clock
		stays, goes, found := w.add("stays"), w.add("goes"), w.add("found")
		stop := w.start()
		for _, run := range []*v1alpha1.TestRun{stays, goes, found} {
			w.waitForKept(run, "it was created", isThere)
		}
		w.WaitFor("the cursor is kept", func() bool { return w.cursor() != "" })
		w.delete(goes)
		if kept := w.waitForKept(goes, "it is deleted", isDeleted); kept.Deleted.Before(kept.Created) {
			t.Errorf("it was created at %s and deleted at %s", kept.Created, kept.Deleted)
		}
		stop()
		putRight()
		// The cursor expires too, so that the runs are compared.
		w.delete(found)
		w.Must(w.store.Apply(w.Ctx, archive.Batch{Cursor: "1", Restored: true}))
		w.start()
		w.finish(stays)
		w.waitForKept(stays, "it has finished", isFinished)
		w.waitForKept(found, "it is deleted", isDeleted)
		runs, _, err := w.store.Runs(w.Ctx, archive.Filter{Namespace: w.Namespace}, archive.Page{})
		if err != nil || len(runs) != 3 {
			t.Errorf("%d runs are kept, %v", len(runs), err)
		}
	})
}
