package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// The lists that have a target.
const (
	pageOfRuns = "50 runs"
	lastOfCase = "the last 100 of a case"
	daysOfTest = "90 days of a test"
	daysOfCase = "90 days of a case"
)

// read says how long a page of each list takes, at places chosen at random.
func (w *world) read(ctx context.Context, store *archive.Store, times int) ([]listTimes, error) {
	random := rand.New(rand.NewPCG(2, 3))
	var lists []listTimes
	for _, list := range w.lists(ctx, store, random) {
		took := make([]time.Duration, times)
		for i := range took {
			begin := time.Now()
			if err := list.read(random.IntN(w.runs)); err != nil {
				return nil, fmt.Errorf("%s: %w", list.name, err)
			}
			took[i] = time.Since(begin)
		}
		slices.Sort(took)
		lists = append(lists, listTimes{
			list.name, took[times/2].Round(10 * time.Microsecond), took[times*99/100].Round(10 * time.Microsecond),
		})
	}
	return lists, nil
}

type list struct {
	name string
	read func(n int) error
}

func (w *world) lists(ctx context.Context, store *archive.Store, random *rand.Rand) []list {
	runs := func(filter func(n int) archive.Filter) func(n int) error {
		return func(n int) error {
			after := w.run(n)
			_, _, err := store.Runs(ctx, filter(n), archive.Page{After: after.Key(), Limit: 50})
			return err
		}
	}
	cases := func(outcomes ...results.Outcome) func(n int) error {
		return func(n int) error {
			_, _, err := store.Cases(ctx, archive.CaseQuery{UID: uid(n), Attempt: 1, Outcomes: outcomes, Limit: 100})
			return err
		}
	}
	name := func(n int) archive.CaseName {
		suite, name := caseName(random.IntN(casesOfRun))
		return archive.CaseName{Namespace: namespaceOf(n), Series: seriesOf(n), Suite: suite, Name: name}
	}
	var all []string
	for n := range namespaces {
		all = append(all, namespaceOf(n))
	}
	return []list{
		{pageOfRuns, runs(func(int) archive.Filter { return archive.Filter{} })},
		{"50 runs of a namespace", runs(func(n int) archive.Filter { return archive.Filter{Namespace: namespaceOf(n)} })},
		{"50 runs of nine namespaces", runs(func(int) archive.Filter { return archive.Filter{Namespaces: all[1:]} })},
		{"50 runs of a test", runs(func(n int) archive.Filter { return archive.Filter{Namespace: namespaceOf(n), Series: seriesOf(n)} })},
		{"50 failed runs, all namespaces", runs(func(int) archive.Filter { return archive.Filter{Verdict: "Failed"} })},
		{"50 runs with a label, all namespaces", runs(func(n int) archive.Filter { return archive.Filter{Label: fmt.Sprint("team=", n%50)} })},
		{"a run", func(n int) error { _, err := store.Run(ctx, uid(n)); return err }},
		{"100 cases of a run", cases()},
		{"failed cases of a run", cases(results.Failed, results.Errored)},
		{"streams of a run", func(n int) error { _, _, err := store.Streams(ctx, uid(n), 1, push.Stream{}, 100); return err }},
		{lastOfCase, func(n int) error {
			_, _, err := store.CaseHistory(ctx, name(n), archive.HistoryKey{}, 100)
			return err
		}},
		{daysOfTest, func(n int) error {
			_, err := store.Trend(ctx, namespaceOf(n), seriesOf(n), w.now.AddDate(0, 0, -daysBack), w.now.AddDate(0, 0, 1))
			return err
		}},
		{daysOfCase, func(n int) error {
			_, err := store.CaseTrend(ctx, name(n), w.now.AddDate(0, 0, -daysBack), w.now.AddDate(0, 0, 1))
			return err
		}},
		{"50 tests of a namespace", func(n int) error {
			_, _, err := store.Tests(ctx, archive.Filter{Namespace: namespaceOf(n)}, archive.SeriesKey{}, 50)
			return err
		}},
		{"50 flaky cases of a namespace", func(n int) error {
			_, _, err := store.Flaky(ctx, archive.Filter{Namespace: namespaceOf(n)}, archive.FlakyKey{}, 50)
			return err
		}},
	}
}
