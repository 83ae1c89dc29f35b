package results

import (
	"slices"
	"testing"
	"time"
)

// Recorder is a Sink that keeps every case with all its attempts, as a report of all cases would.
type Recorder struct {
	// Cases are the cases by their numbers, from 1 on: the attempts of each.
	Cases [][]Case
	// Apart are attempts that turned out to be cases of their own, and Repeated those of cases that are known by name only.
	Apart, Repeated []Case
	Defects         []Defect
}

func (r *Recorder) Add(c Case) (ID, bool) {
	r.Cases = append(r.Cases, []Case{c})
	return ID(len(r.Cases)), true
}

func (r *Recorder) Retry(was Standing, c Case) {
	if was.ID == 0 {
		r.Repeated = append(r.Repeated, c)
		return
	}
	r.Cases[was.ID-1] = append(r.Cases[was.ID-1], c)
}

func (r *Recorder) Separate(was Standing) {
	attempts := r.Cases[was.ID-1]
	for _, c := range attempts[1:] {
		if c.Outcome != Skipped {
			r.Apart = append(r.Apart, c)
		}
	}
	r.Cases[was.ID-1] = attempts[:1]
}

func (r *Recorder) Explain(id ID, message, location string) {
	c := &r.Cases[id-1][0]
	c.Message, c.Location = message, location
}

func (r *Recorder) Timed(first, last ID, _ time.Duration) {
	for _, attempts := range r.Cases[first-1 : last] {
		c := &attempts[0]
		c.Name, c.Duration, _ = CutTime(c.Name)
	}
}

func (r *Recorder) Note(defect Defect, _ string) { r.Defects = append(r.Defects, defect) }

func (r *Recorder) Takes() Extent { return WithDetails }

// Count counts the recorded cases: those that passed, that failed or errored, that were skipped, and that are flaky.
func (r *Recorder) Count() (counts [4]int64) {
	all := slices.Clone(r.Cases)
	for _, c := range r.Apart {
		all = append(all, []Case{c})
	}
	for _, attempts := range all {
		last, failed := attempts[0], false
		for _, c := range attempts {
			if c.Outcome != Skipped {
				last = c
			}
			failed = failed || c.Outcome == Failed || c.Outcome == Errored
		}
		switch {
		case last.Outcome == Skipped:
			counts[2]++
		case last.Outcome != Passed:
			counts[1]++
		case failed || last.Flaky:
			counts[3]++
			fallthrough
		default:
			counts[0]++
		}
	}
	return counts
}

// both gives all to two Sinks, which number the cases alike.
type both struct {
	t        testing.TB
	one, all Sink
}

func (b both) Add(c Case) (ID, bool) {
	b.t.Helper()
	one, kept := b.one.Add(c)
	all, too := b.all.Add(c)
	if one != all {
		b.t.Errorf("the numbers of a case are %d and %d", one, all)
	}
	return all, kept || too
}

func (b both) Retry(was Standing, c Case) { b.one.Retry(was, c); b.all.Retry(was, c) }

func (b both) Separate(was Standing) { b.one.Separate(was); b.all.Separate(was) }

func (b both) Explain(id ID, message, location string) {
	b.one.Explain(id, message, location)
	b.all.Explain(id, message, location)
}

func (b both) Timed(first, last ID, total time.Duration) {
	b.one.Timed(first, last, total)
	b.all.Timed(first, last, total)
}

func (b both) Note(defect Defect, message string) {
	b.one.Note(defect, message)
	b.all.Note(defect, message)
}

func (b both) Takes() Extent { return max(b.one.Takes(), b.all.Takes()) }
