package server

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/test/points"
)

// What is due is deleted, but not before two rounds have seen that it is.
func TestAClockThatIsAheadForAMomentDeletesNothing(t *testing.T) {
	const year = 366 * 24 * time.Hour
	week := archive.DefaultPolicy.PassedOutput
	count := points.Of(t, "the clock jumps while retention runs")
	for name, test := range map[string]struct {
		clock []time.Duration // since the run has finished, at each round
		kept  bool
	}{
		"the clock is right, and it is not due":       {[]time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour}, true},
		"the clock is right, and it is due":           {[]time.Duration{week + time.Minute, week + time.Hour}, false},
		"it becomes due":                              {[]time.Duration{week - time.Hour, week + time.Hour, week + 2*time.Hour}, false},
		"it is due for one round":                     {[]time.Duration{week - time.Hour, week + time.Hour}, true},
		"a clock that is ahead at the start":          {[]time.Duration{year, time.Hour, 2 * time.Hour}, true},
		"it jumps ahead by a year, and back":          {[]time.Duration{time.Hour, year, 2 * time.Hour, 3 * time.Hour}, true},
		"it jumps ahead by an hour, and back":         {[]time.Duration{week - time.Hour, week + time.Minute, week - 1, week - 1}, true},
		"it jumps ahead by a year, twice, and back":   {[]time.Duration{time.Hour, year, time.Hour, year, time.Hour}, true},
		"it jumps back by a year, and it was not due": {[]time.Duration{time.Hour, -year, 2 * time.Hour, 3 * time.Hour}, true},
		"it jumps back by a year, and it becomes due": {[]time.Duration{time.Hour, -year, week + time.Minute, week + time.Hour}, false},
		"a server that was just started":              {[]time.Duration{year}, true},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := archive.Open(t.Context(), "sqlite:"+t.TempDir()+"/archive.db")
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			finished := time.Now().Truncate(time.Second)
			addFinished(t, store, finished)
			r := newRetention(store, nil, archive.DefaultPolicy, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			for _, since := range test.clock {
				r.now = func() time.Time { return finished.Add(since) }
				if err := r.expire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			state, err := store.Stream(t.Context(), "uid", 1, push.Stream{Kind: push.Output})
			if err != nil || state.Expired.IsZero() != test.kept {
				t.Errorf("the output is %+v, %v", state, err)
			}
			count.Tried(t)
		})
	}
}

// addFinished keeps a run that passed, with output.
func addFinished(t *testing.T, store *archive.Store, finished time.Time) {
	t.Helper()
	owner := archive.Owner{UID: "uid", Namespace: "default", Name: "smoke", Created: finished.Add(-time.Minute), Attempt: 1}
	_, err := store.AddChunk(t.Context(), archive.NewChunk{
		Owner: owner, Stream: push.Stream{Kind: push.Output}, Source: archive.FromRunner, Data: []byte("text"),
		Chunk: archive.Chunk{Length: 4, Key: "key", Size: 4},
	})
	if err == nil {
		err = store.Apply(t.Context(), archive.Batch{Runs: []archive.RunState{{Run: archive.Run{
			UID: owner.UID, Namespace: owner.Namespace, Name: owner.Name, Series: "smoke", Phase: "Finished", Verdict: "Passed",
			Created: owner.Created, Finished: finished, ResourceVersion: "41",
		}, Object: []byte("{}")}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}
