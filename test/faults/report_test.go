package faults

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// tried counts the points of all scenarios.
var tried = report{points: map[string]tally{}}

type report struct {
	mu     sync.Mutex
	points map[string]tally
}

// tally is how many points there were, how many of them were not reached since events come in other numbers each time, and how
// many broke an invariant.
type tally struct{ tried, missed, broken int }

func (t tally) plus(other tally) tally {
	return tally{t.tried + other.tried, t.missed + other.missed, t.broken + other.broken}
}

func (r *report) note(s *scenario, strike *strike, broken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one := tally{tried: 1}
	if !strike.happened.Load() {
		one = tally{missed: 1}
	}
	if broken {
		one.broken = 1
	}
	for _, row := range []string{"1 " + s.name, fmt.Sprintf("2 %s %s", strike.fault.at, strike.fault.name), "3 all"} {
		r.points[row] = r.points[row].plus(one)
	}
}

func (r *report) print(to io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.points) == 0 {
		return
	}
	fmt.Fprintf(to, "%-40s %8s %8s %8s\n", "fault points", "tried", "missed", "broken")
	for _, row := range slices.Sorted(maps.Keys(r.points)) {
		count := r.points[row]
		fmt.Fprintf(to, "%-40s %8d %8d %8d\n", row[2:], count.tried, count.missed, count.broken)
	}
}
