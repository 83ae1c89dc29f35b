package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// What the made-up runs are like.
const (
	namespaces  = 10
	seriesEach  = 20
	casesOfRun  = 500
	daysBack    = 90
	failing     = 0.01 // of the cases
	flakyCases  = 0.005
	writers     = 4
	runsOfBatch = 50
)

// world knows every run by its number. Run n is the n-th oldest.
type world struct {
	runs int
	now  time.Time
}

func newWorld(cases int, now time.Time) *world {
	return &world{max(cases/casesOfRun, 1), now.Truncate(24 * time.Hour)}
}

func uid(n int) string { return fmt.Sprintf("4a1f2c3d-0000-4000-8000-%012d", n) }

func (w *world) created(n int) time.Time {
	return w.now.Add(-daysBack * 24 * time.Hour).Add(time.Duration(n) * daysBack * 24 * time.Hour / time.Duration(w.runs)).Truncate(time.Second)
}

func namespaceOf(n int) string { return fmt.Sprintf("team-%d", n%namespaces) }

func seriesOf(n int) string { return fmt.Sprintf("suite-%02d", n/namespaces%seriesEach) }

func (w *world) run(n int) archive.Run {
	created := w.created(n)
	verdict := "Passed"
	if n%7 == 0 {
		verdict = "Failed"
	}
	return archive.Run{
		UID: uid(n), Namespace: namespaceOf(n), Name: fmt.Sprintf("%s-%d", seriesOf(n), n), Test: seriesOf(n), Series: seriesOf(n),
		Labels: map[string]string{"team": fmt.Sprint(n % 50), "testrun.dev/queue": "default"}, Phase: "Finished", Verdict: verdict,
		Reason: "Completed", Message: "The test ended", Created: created, Started: created.Add(5 * time.Second), Finished: created.Add(2 * time.Minute),
		ResourceVersion: fmt.Sprint(1000 + n),
	}
}

func (w *world) owner(n int) archive.Owner {
	run := w.run(n)
	return archive.Owner{
		UID: run.UID, Namespace: run.Namespace, Name: run.Name, Test: run.Test, Series: run.Series, Created: run.Created, Attempt: 1,
	}
}

func caseName(i int) (suite, name string) {
	return fmt.Sprintf("t/area-%02d.t", i/25), fmt.Sprintf("the answer to question %03d is what the manual says", i)
}

// lines are the cases of run n.
func (w *world) lines(n int) []archive.CaseLine {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	lines := make([]archive.CaseLine, casesOfRun)
	for i := range lines {
		suite, name := caseName(i)
		line := archive.CaseLine{Case: push.Case{
			Number: int64(i + 1), Suite: suite, Name: name, Outcome: results.Passed, Microseconds: random.Int64N(2_000_000),
		}, Offset: int64(i * 150)}
		// A part of the cases fails now and then.
		if i%10 == 0 && random.Float64() < 10*failing {
			line.Outcome, line.Location = results.Failed, fmt.Sprintf("%s:%d", suite, i)
			line.Message = fmt.Sprintf("got %d, expected %d", random.IntN(1000), i)
		} else if i%10 == 1 && random.Float64() < 10*flakyCases {
			line.Flaky = true
		}
		lines[i] = line
	}
	return lines
}

// fill keeps what is not kept yet, the way in which the server does: states in batches, and the cases of each run in one chunk.
func (w *world) fill(ctx context.Context, store *archive.Store) error {
	begin := w.kept(ctx, store)
	started := time.Now()
	var done atomic.Int64
	for first := begin; first < w.runs; first += runsOfBatch {
		last := min(first+runsOfBatch, w.runs)
		var batch archive.Batch
		for n := first; n < last; n++ {
			run := w.run(n)
			batch.Runs = append(batch.Runs, archive.RunState{
				Run: run, Object: make([]byte, 1500),
				Attempts: []archive.Attempt{{Number: 1, Job: run.Name + "-1", Pod: run.Name + "-1-x", Node: "node", Verdict: run.Verdict, Finished: run.Finished}},
			})
		}
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(writers)
		for n := first; n < last; n++ {
			group.Go(func() error { return w.push(groupCtx, store, n, &done) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		// The watch comes last, so that a run whose state is kept has all of its cases.
		if err := store.Apply(ctx, batch); err != nil {
			return err
		}
		if first/runsOfBatch%20 == 0 {
			fmt.Printf("%d of %d cases, %.0f a second\n", last*casesOfRun, w.runs*casesOfRun, float64(done.Load())/time.Since(started).Seconds())
		}
	}
	if done.Load() > 0 {
		fmt.Printf("ingest: %.0f cases a second\n", float64(done.Load())/time.Since(started).Seconds())
	}
	return nil
}

// kept is how many runs are kept with all of their cases.
func (w *world) kept(ctx context.Context, store *archive.Store) int {
	low, high := 0, w.runs
	for low < high {
		middle := (low + high) / 2
		if run, err := store.Run(ctx, uid(middle)); err == nil && run.ResourceVersion != "" {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low / runsOfBatch * runsOfBatch
}

func (w *world) push(ctx context.Context, store *archive.Store, n int, done *atomic.Int64) error {
	data := make([]byte, casesOfRun*150)
	_, err := store.AddChunk(ctx, archive.NewChunk{
		Owner: w.owner(n), Stream: push.Stream{Kind: push.Cases}, Source: archive.FromRunner, Data: data, Cases: w.lines(n),
		Chunk: archive.Chunk{Length: int64(len(data)), Size: 9000, Key: fmt.Sprintf("%s/%s/1/cases/0-%d", namespaceOf(n), uid(n), n)},
	})
	done.Add(casesOfRun)
	return err
}
