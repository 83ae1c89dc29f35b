package main

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// newWorld goes on with the runs that are kept, if there are any.
func newWorld(ctx context.Context, store *archive.Store, cases int) *world {
	w := &world{max(cases/casesOfRun, 1), time.Now().Truncate(24 * time.Hour)}
	if first, err := store.Run(ctx, uid(0)); err == nil {
		w.now = first.Created.Add(daysBack * 24 * time.Hour)
	}
	return w
}

func uid(n int) string { return fmt.Sprintf("4a1f2c3d-0000-4000-8000-%012d", n) }

func (w *world) created(n int) time.Time {
	each := daysBack * 24 * time.Hour / time.Duration(w.runs) // n times all of it is more nanoseconds than there are
	return w.now.Add(-daysBack * 24 * time.Hour).Add(time.Duration(n) * each).Truncate(time.Second)
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

// Every so many batches of runs, rows are inserted without the archive.
const (
	batchesOfBare = 10
	runsOfBare    = 50
)

// fill keeps what is not kept yet, the way in which the server does: states in batches, and the cases of each run in one chunk. In turn with
// that it inserts bare rows.
func (w *world) fill(ctx context.Context, store *archive.Store, bare *bare) (took ingest, err error) {
	begin := w.kept(ctx, store)
	for first := begin; first < w.runs; first += runsOfBatch {
		last := min(first+runsOfBatch, w.runs)
		began := time.Now()
		if err := w.add(ctx, store, first, last); err != nil {
			return took, err
		}
		took.Took += time.Since(began)
		took.Cases += (last - first) * casesOfRun
		if first/runsOfBatch%batchesOfBare != 0 {
			continue
		}
		began = time.Now()
		if err := bare.insert(ctx, runsOfBare); err != nil {
			return took, err
		}
		took.BareTook += time.Since(began)
		took.BareRows += runsOfBare * casesOfRun
		took.rates()
		fmt.Printf("\r  %d of %d cases, %.0f a second; bare rows %.0f a second ", last*casesOfRun, w.runs*casesOfRun, took.CasesSecond, took.BareSecond)
	}
	if took.Cases > 0 {
		fmt.Println()
	}
	took.rates()
	return took, nil
}

// add keeps runs with all that belongs to them.
func (w *world) add(ctx context.Context, store *archive.Store, first, last int) error {
	var batch archive.Batch
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for n := first; n < last; n++ {
		run := w.run(n)
		batch.Runs = append(batch.Runs, archive.RunState{
			Run: run, Object: make([]byte, 1500),
			Attempts: []archive.Attempt{{Number: 1, Job: run.Name + "-1", Pod: run.Name + "-1-x", Node: "node", Verdict: run.Verdict, Finished: run.Finished}},
		})
		group.Go(func() error { return w.push(groupCtx, store, n) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// The watch comes last, so that a run whose state is kept has all of its cases.
	return store.Apply(ctx, batch)
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

func (w *world) push(ctx context.Context, store *archive.Store, n int) error {
	data := make([]byte, casesOfRun*150)
	_, err := store.AddChunk(ctx, archive.NewChunk{
		Owner: w.owner(n), Stream: push.Stream{Kind: push.Cases}, Source: archive.FromRunner, Data: data, Cases: w.lines(n),
		Chunk: archive.Chunk{Length: int64(len(data)), Size: 9000, Key: fmt.Sprintf("%s/%s/1/cases/0-%d", namespaceOf(n), uid(n), n)},
	})
	return err
}
