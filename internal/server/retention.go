package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/ingest"
)

const (
	// sweepPeriod is the time from one portion of the sweep to the next. After every expirePeriod of them follows what has expired.
	sweepPeriod  = time.Minute
	expirePeriod = 10
	// atOnce is how many things one portion deletes, and between the time from one portion to the next: others use the database, too.
	atOnce  = 500
	between = 100 * time.Millisecond
)

// retention deletes what was kept for as long as it should be.
type retention struct {
	store   *archive.Store
	sweeper *ingest.Sweeper
	policy  archive.Policy
	log     *slog.Logger
	now     func() time.Time
	// last is what the clock said at the round before; zero before the first one.
	last time.Time

	runs, streams, blobs, errors prometheus.Counter
}

func newRetention(store *archive.Store, sweeper *ingest.Sweeper, policy archive.Policy, log *slog.Logger, registry prometheus.Registerer) *retention {
	r := &retention{
		store: store, sweeper: sweeper, policy: policy, log: log, now: time.Now,
		runs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_expired_runs_total", Help: "Runs whose rows were deleted by retention.",
		}),
		streams: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_expired_streams_total", Help: "Streams, output and artifacts, whose bytes were deleted by retention.",
		}),
		blobs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_deleted_blobs_total", Help: "Blobs that were deleted, since no row names them any more.",
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "testrun_archive_retention_errors_total", Help: "Rounds of retention that ended with an error. The next one goes on.",
		}),
	}
	registry.MustRegister(r.runs, r.streams, r.blobs, r.errors)
	return r
}

// run deletes until the context ends.
func (r *retention) run(ctx context.Context) {
	for round := 0; ctx.Err() == nil; round++ {
		var err error
		if round%expirePeriod == 0 {
			err = r.expire(ctx)
		}
		if err == nil {
			err = r.sweep(ctx)
		}
		if err != nil && ctx.Err() == nil {
			r.errors.Inc()
			r.log.Warn("Retention was interrupted, and goes on later", "error", err)
		}
		pause(ctx, sweepPeriod)
	}
}

func (r *retention) sweep(ctx context.Context) error {
	removed, err := r.sweeper.Sweep(ctx)
	r.blobs.Add(float64(removed))
	return err
}

// expire deletes what was due at this round and at the one before, minutes ago. So a clock that is ahead for a moment, as that of a computer
// that was just started may be, deletes nothing. See docs/decisions/archive-store.md.
func (r *retention) expire(ctx context.Context) error {
	now := r.now().Round(0) // what the clock says, without what Go measures beside it
	due := now
	if r.last.Before(now) {
		due = r.last
	}
	isFirst := r.last.IsZero()
	r.last = now
	if isFirst {
		return nil
	}
	for more := true; more; pause(ctx, between) {
		var expired archive.Expired
		var err error
		if expired, more, err = r.store.Expire(ctx, due, r.policy, atOnce); err != nil {
			return err
		}
		r.runs.Add(float64(expired.Runs))
		r.streams.Add(float64(expired.Streams))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
