//go:build linux

package pusher

import (
	"github.com/testrun-dev/testrun/internal/results"
)

// Limits of what is remembered of the cases: how many there are, and how long their texts are in all, in bytes. What is older is forgotten.
const (
	maxKnown     = 512
	maxKnownSize = 128 << 10
)

// known remembers cases whose line may have to be written again: those that did not pass, those that are flaky, and those whose name may end
// with a time. Its zero value remembers none.
type known struct {
	cases map[int64]*knownCase
	// order has their numbers, the oldest first.
	order []int64
	size  int
	// doubted are the numbers of those whose name may end with a time.
	doubted []int64
}

type knownCase struct {
	results.Case
	// full is the whole name if a time has been cut off from it.
	full string
}

func (k *known) find(number int64) *knownCase { return k.cases[number] }

// add takes a new case, and returns it as it is written. A name that ends with a time is written without, since nearly always all of a test's
// names have one: see results.CutTime. If another case has none, or if the test ends and nobody has called timed, rewrite gets those cases
// with their full names. A test's names that all end like that by chance stay cut beyond maxKnown cases.
func (k *known) add(number int64, c results.Case, maybeTimed bool, rewrite func(int64, results.Case)) results.Case {
	title, took, ok := results.CutTime(c.Name)
	if !ok || c.Duration > 0 || !maybeTimed {
		k.end(rewrite)
		if c.Outcome == results.Failed || c.Outcome == results.Errored {
			k.keep(number, c)
		}
		return c
	}
	full := c.Name
	c.Name, c.Duration = title, took
	k.keep(number, c).full = full
	k.doubted = append(k.doubted, number)
	return c
}

// timed says that the names from first to last ended with a time, and that those before did not.
func (k *known) timed(first, last int64, rewrite func(int64, results.Case)) {
	all := k.doubted
	k.doubted = nil
	for i, number := range all {
		if number > last {
			k.doubted = all[i:]
			return
		}
		if c := k.find(number); c != nil && number < first {
			k.restore(number, c, rewrite)
		}
	}
}

// end says that no name ended with a time.
func (k *known) end(rewrite func(int64, results.Case)) {
	for _, number := range k.doubted {
		if c := k.find(number); c != nil {
			k.restore(number, c, rewrite)
		}
	}
	k.doubted = k.doubted[:0]
}

func (k *known) restore(number int64, c *knownCase, rewrite func(int64, results.Case)) {
	c.Name, c.Duration = c.full, 0
	rewrite(number, c.Case)
}

// keep remembers a case, in place of what was known of it.
func (k *known) keep(number int64, c results.Case) *knownCase {
	if k.cases == nil {
		k.cases = map[int64]*knownCase{}
	}
	if old := k.cases[number]; old != nil {
		k.size += sizeOf(c) - sizeOf(old.Case)
		old.Case = c
		return old
	}
	for len(k.order) > 0 && (len(k.order) >= maxKnown || k.size+sizeOf(c) > maxKnownSize) {
		oldest := k.order[0]
		k.size -= sizeOf(k.cases[oldest].Case)
		delete(k.cases, oldest)
		k.order = k.order[1:]
		if len(k.doubted) > 0 && k.doubted[0] == oldest {
			k.doubted = k.doubted[1:]
		}
	}
	kept := &knownCase{Case: c}
	k.cases[number] = kept
	k.order = append(k.order, number)
	k.size += sizeOf(c)
	return kept
}

func (k *known) forget() { *k = known{} }

func sizeOf(c results.Case) int { return len(c.Name) + len(c.Suite) + len(c.Message) + len(c.Location) }
