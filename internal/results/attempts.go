package results

import (
	"slices"
	"time"
)

// maxFailed is how many failed cases are remembered, so that a further attempt of one is known. A failure beyond that stays one.
const maxFailed = 4096

// Attempts adds cases to a summary, and counts several attempts of one case as one: failed if none passed, flaky if one failed
// and the last one passed. It takes up constant memory: about 0.5 MiB.
type Attempts struct {
	sink   *Summary
	failed map[Key]*record
	passed filter
}

// record is what is known of a case that has failed.
type record struct {
	// failures and passes count its attempts.
	failures, passes int64
	errored          bool
	// flaky means that its last attempt passed; apart, that its attempts turned out to be cases of their own.
	flaky, apart bool
	// kept is the case in the summary; nil if it is only counted.
	kept *Case
}

// NewAttempts returns one that adds to the sink.
func NewAttempts(sink *Summary) *Attempts {
	return &Attempts{sink: sink, failed: map[Key]*record{}}
}

// Add counts a case that is no further attempt of another one.
func (a *Attempts) Add(key Key, c Case) {
	kept := a.sink.Add(c)
	switch {
	case c.Outcome == Skipped:
	case c.Outcome == Passed:
		a.passed.add(key)
	case a.failed[key] == nil && len(a.failed) < maxFailed:
		a.failed[key] = &record{failures: 1, errored: c.Outcome != Failed, kept: kept}
	}
}

// Retry takes a case of a run that repeats an earlier one. What was there before is the same case, and its last attempt decides.
func (a *Attempts) Retry(key Key, c Case) {
	switch r := a.failed[key]; {
	case r != nil && c.Outcome != Skipped:
		a.again(r, c)
	case r != nil, c.Outcome == Passed && a.passed.has(key):
		a.sink.took(c.ownDuration())
	default:
		a.Add(key, c)
	}
}

// Repeat takes a case that may have the key of an earlier one, where nothing says whether it is a further attempt or another
// case of the same name. After a failure it is an attempt. But who repeats failures repeats no case that has passed: then
// these are cases of their own, unless unique says that no two cases have the same name.
func (a *Attempts) Repeat(key Key, c Case, unique bool) {
	failing := c.Outcome != Passed && c.Outcome != Skipped
	r := a.failed[key]
	if r != nil && r.flaky && failing && !unique {
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

// Forget says that keys of cases that have passed will not come again.
func (a *Attempts) Forget() { a.passed.clear() }

// Distrust counts the attempts of flaky cases as cases of their own. It is for a test that ends with a failure that
// no other case explains.
func (a *Attempts) Distrust() {
	for _, r := range a.failed {
		if r.flaky {
			a.separate(r)
		}
	}
}

// again takes a further attempt of a case that has failed.
func (a *Attempts) again(r *record, c Case) {
	s := a.sink
	if c.Outcome != Passed {
		r.failures++
		if !r.flaky {
			s.took(c.ownDuration())
			return
		}
		s.Passed, s.Flaky, s.flaky = s.Passed-1, s.Flaky-1, without(s.flaky, r.kept)
		if r.kept != nil {
			c.Message, c.Location = r.kept.Message, r.kept.Location
		}
		r.flaky, r.errored, r.kept = false, c.Outcome != Failed, s.Add(c)
		return
	}
	r.passes++
	if r.flaky {
		s.took(c.ownDuration())
		return
	}
	s.uncount(r.errored, 1)
	s.failing = without(s.failing, r.kept)
	c.Flaky = true
	if r.kept != nil {
		c.Message, c.Location = r.kept.Message, r.kept.Location
	}
	r.flaky, r.kept = true, s.Add(c)
}

// separate counts the attempts of a flaky case as cases of their own. The first of them stays the one that is remembered.
func (a *Attempts) separate(r *record) {
	s := a.sink
	s.Passed, s.Flaky, s.flaky = s.Passed+r.passes-1, s.Flaky-1, without(s.flaky, r.kept)
	s.uncount(r.errored, -r.failures)
	if shown := r.kept; shown != nil {
		s.others = with(s.others, Case{Name: shown.Name, Suite: shown.Suite, Outcome: Passed}, r.passes)
		failed := *shown
		failed.Flaky, failed.Outcome = false, Failed
		if r.errored {
			failed.Outcome = Errored
		}
		r.kept = nil
		if len(s.failing) < MaxCases {
			r.kept = new(failed)
			s.failing = append(s.failing, r.kept)
		}
		failed.Message = "" // only the first one's is known
		s.failing = with(s.failing, failed, r.failures-1)
	}
	r.flaky, r.apart, r.failures, r.passes = false, true, 1, 0
}

// with adds so many copies of a case, as far as there is room.
func with(cases []*Case, c Case, n int64) []*Case {
	for ; n > 0 && len(cases) < MaxCases; n-- {
		cases = append(cases, new(c))
	}
	return cases
}

// uncount takes back that so many cases failed.
func (s *Summary) uncount(errored bool, n int64) {
	if errored {
		s.Errored -= n
		return
	}
	s.Failed -= n
}

// ownDuration is what the case adds to the duration of all.
func (c *Case) ownDuration() time.Duration {
	if c.Nested {
		return 0
	}
	return c.Duration
}

// without returns the cases but that one. It leaves the slice as it is, since a copy of the summary may hold it.
func without(cases []*Case, one *Case) []*Case {
	i := slices.Index(cases, one)
	if one == nil || i < 0 {
		return cases
	}
	return slices.Concat(cases[:i], cases[i+1:])
}

// Key identifies a case: a hash of its file, suite and name.
type Key uint64

// KeyOf returns the key of a case that is told from others by these parts.
func KeyOf(parts ...string) Key {
	// FNV-1a, with a byte that is in no UTF-8 behind each part.
	h := uint64(14695981039346656037)
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return Key(h)
}

// filterBits is the size of a filter. It knows 50,000 keys with an error of one in a thousand, and 100,000 with one in a hundred.
const filterBits = 1 << 20

// filter is a Bloom filter: it knows each key that was added, and may take others for one of them, the sooner the more there are.
type filter struct{ bits []uint64 }

func (f *filter) add(key Key) {
	if f.bits == nil {
		f.bits = make([]uint64, filterBits/64)
	}
	for _, at := range places(key) {
		f.bits[at/64] |= 1 << (at % 64)
	}
}

func (f *filter) has(key Key) bool {
	if f.bits == nil {
		return false
	}
	for _, at := range places(key) {
		if f.bits[at/64]&(1<<(at%64)) == 0 {
			return false
		}
	}
	return true
}

func (f *filter) clear() { clear(f.bits) }

// places are the bits of a key, by double hashing.
func places(key Key) (places [4]uint64) {
	// The finalizer of SplitMix64 spreads keys that are alike.
	h := uint64(key)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	step := h>>32 | 1
	for i := range places {
		places[i] = (h + uint64(i)*step) % filterBits
	}
	return places
}
