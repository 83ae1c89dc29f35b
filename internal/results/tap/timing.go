package tap

import (
	"math"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// timing reads what bats --timing puts behind the title of each case, " in 12ms". A title may end so by itself: it is a time
// only if every case of the document has one, and there are several. So the names are cut when the document has ended.
type timing struct {
	// off means that a case had none.
	off   bool
	cases int
	total time.Duration
	named []timed
}

// timed is a case that the sink keeps.
type timed struct {
	kept *results.Case
	name string
	took time.Duration
}

// add looks at a case. Bats writes its plan first, numbers and no dash.
func (t *timing) add(kept *results.Case, h *held, early uint64) {
	if t.off {
		return
	}
	name, took, ok := cutTiming(h.description)
	if t.off = !ok || h.dashed || !h.numbered || h.duration > 0 || early > 0; t.off {
		t.named = nil
		return
	}
	t.cases++
	t.total += min(took, math.MaxInt64-t.total)
	if kept != nil {
		t.named = append(t.named, timed{kept, name, took})
	}
}

// close ends the document.
func (t *timing) close(sink *results.Summary) {
	if t.off || t.cases < 2 {
		return
	}
	for _, n := range t.named {
		n.kept.Duration = n.took
		n.kept.Name = results.Cut(n.name, results.MaxName)
	}
	sink.Duration += min(t.total, math.MaxInt64-sink.Duration)
	t.named = nil
}

func cutTiming(description string) (name string, took time.Duration, ok bool) {
	i := strings.LastIndex(description, " in ")
	if i < 0 {
		return description, 0, false
	}
	number, ok := strings.CutSuffix(description[i+len(" in "):], "ms")
	if !ok || digits([]byte(number)) != len(number) {
		return description, 0, false
	}
	took, ok = parseNumberOf(time.Millisecond, []byte(number))
	return description[:i], took, ok
}
