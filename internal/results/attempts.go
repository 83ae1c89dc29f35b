package results

// maxFailed is how many failed cases are remembered, to recognize a further attempt. A failure beyond that stays a failure.
const maxFailed = 4096

// Attempts adds cases to a Sink, and says which of them are further attempts of one case: it failed if none passed, and is flaky
// if one failed and the last one passed. It takes up constant memory: about 0.5 MiB.
type Attempts struct {
	sink   Sink
	failed map[Key]*record
	passed filter
}

// record is what is known of a case that has failed. apart means that its attempts turned out to be cases of their own.
type record struct {
	Standing
	apart bool
}

// NewAttempts returns one that adds to the sink.
func NewAttempts(sink Sink) *Attempts {
	return &Attempts{sink: sink, failed: map[Key]*record{}}
}

// Add adds a case that is no further attempt of another one.
func (a *Attempts) Add(key Key, c Case) {
	id, _ := a.sink.Add(c)
	switch {
	case c.Outcome == Skipped:
	case c.Outcome == Passed:
		a.passed.add(key)
	case a.failed[key] == nil && len(a.failed) < maxFailed:
		a.failed[key] = &record{Standing: Standing{ID: id, Failures: 1, Errored: c.Outcome != Failed}}
	}
}

// Retry takes a case of a run that repeats an earlier run. If its key is known, it is a further attempt of the same case.
func (a *Attempts) Retry(key Key, c Case) {
	switch r := a.failed[key]; {
	case r != nil:
		a.again(r, c)
	case c.Outcome == Passed && a.passed.has(key):
		a.sink.Retry(Standing{Passes: 1}, c)
	default:
		a.Add(key, c)
	}
}

// Repeat takes a case whose key may have come before, when nothing says whether it is a further attempt or another case of the
// same name. After a failure it is an attempt. But a tool that repeats failures does not repeat what has passed: a failure after
// a pass means that they are cases of their own, unless unique says that no two cases have the same name.
func (a *Attempts) Repeat(key Key, c Case, unique bool) {
	failing := c.Outcome != Passed && c.Outcome != Skipped
	r := a.failed[key]
	if r != nil && r.Flaky && failing && !unique {
		a.separate(r)
	}
	switch {
	case r == nil && failing && a.passed.has(key), r != nil && r.apart:
		a.sink.Add(c)
	case r == nil || c.Outcome == Skipped:
		a.Add(key, c)
	default:
		a.again(r, c)
	}
}

// Failed says whether a case is known to have failed.
func (a *Attempts) Failed(key Key) bool { return a.failed[key] != nil }

// Forget drops the keys of passed cases. Call it when they will not come again.
func (a *Attempts) Forget() { a.passed.clear() }

// Distrust counts the attempts of flaky cases as cases of their own. Call it if the test failed and no other case explains why.
func (a *Attempts) Distrust() {
	for _, r := range a.failed {
		if r.Flaky {
			a.separate(r)
		}
	}
}

// again takes a further attempt of a case that has failed.
func (a *Attempts) again(r *record, c Case) {
	a.sink.Retry(r.Standing, c)
	switch c.Outcome {
	case Skipped:
	case Passed:
		r.Passes++
		r.Flaky = true
	default:
		r.Failures++
		if r.Flaky {
			r.Flaky, r.Errored = false, c.Outcome != Failed
		}
	}
}

// separate takes the attempts of a flaky case for cases of their own. The first of them stays the one that is remembered.
func (a *Attempts) separate(r *record) {
	a.sink.Separate(r.Standing)
	r.Flaky, r.apart, r.Failures, r.Passes = false, true, 1, 0
}
