package ingest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/points"
)

func (m mortal) Settle(ctx context.Context, uid string, number int32, note string) error {
	return m.call(func() error { return m.Store.Settle(ctx, uid, number, note) })
}

func (m mortal) SetCut(ctx context.Context, owner archive.Owner, stream push.Stream, source archive.Source, reason string) error {
	return m.call(func() error { return m.Store.SetCut(ctx, owner, stream, source, reason) })
}

func (m mortal) AddChunk(ctx context.Context, chunk archive.NewChunk) (state archive.StreamState, err error) {
	err = m.call(func() error {
		state, err = m.Store.AddChunk(ctx, chunk)
		return err
	})
	return state, err
}

func (m mortal) Advance(
	ctx context.Context, uid string, attempt int32, stream push.Stream, chunk archive.Chunk, data []byte,
) (state archive.StreamState, err error) {
	err = m.call(func() error {
		state, err = m.Store.Advance(ctx, uid, attempt, stream, chunk, data)
		return err
	})
	return state, err
}

// mortalBlobs are blobs whose caller dies.
type mortalBlobs struct {
	blobs.Blobs
	*death
}

func (m mortalBlobs) Put(ctx context.Context, key string, data []byte) error {
	return m.call(func() error { return m.Blobs.Put(ctx, key, data) })
}

func TestAReaderOfLogsThatDiesAnywhereKeepsThemWholeAndOnce(t *testing.T) {
	count := points.Of(t, "the server dies at a step while it reads a log")
	for name, pushed := range map[string]int{"that nobody pushed": 0, "that go on where a push stopped": 3000} {
		t.Run(name, func(t *testing.T) {
			eachPoint(t, count, func(t *testing.T, d *death) {
				t.Helper()
				l := newLogging(t)
				l.logs.MaxLog = 3 << 20
				printed := lines(1, 120_000)
				l.pod("smoke", printed)
				l.run("smoke")
				if pushed > 0 {
					l.push("smoke", lines(1, pushed), 0)
				}
				l.readUntilDead(d)
				l.start()
				l.waitForSettled("smoke")
				source := archive.FromKubelet
				if pushed > 0 {
					source = archive.FromRunner
				}
				l.expectOutput("smoke", printed, source)
			})
		})
	}
}

// readUntilDead reads logs with a process that dies, until that or all are settled.
func (l *logging) readUntilDead(d *death) {
	l.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.die = cancel
	store := mortal{l.store, d}
	reader := &KubeletLogs{
		Pods: l.logs.Pods, Store: store, Keeper: Keeper{Store: store, Blobs: mortalBlobs{l.blobs, d}}, MaxLog: l.logs.MaxLog,
		Log: slog.New(slog.DiscardHandler), Metrics: NewKubeletMetrics(prometheus.NewRegistry()), waiting: time.Hour, margin: time.Millisecond,
	}
	var done sync.WaitGroup
	done.Go(func() { reader.Run(ctx) })
	l.WaitFor("the process dies, or has done all", func() bool {
		waiting, err := l.store.Unsettled(l.Ctx, 0)
		l.Must(err)
		return d.hasStruck() || len(waiting) == 0
	})
	cancel()
	done.Wait()
}
