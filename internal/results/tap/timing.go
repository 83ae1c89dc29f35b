package tap

import (
	"math"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
)

// timing recognizes the time that bats --timing writes after the title of each case, " in 12ms". A title may end like that by
// itself. It is a time only if every case of the document has one and there are several. So the sink learns it at the end of the
// document.
type timing struct {
	// off means that a case had none.
	off         bool
	cases       int
	total       time.Duration
	first, last results.ID
}

// add looks at a case. Bats writes its plan first, numbers and no dash.
func (t *timing) add(id results.ID, h *held, early uint64) {
	if t.off {
		return
	}
	_, took, ok := results.CutTime(h.description)
	if t.off = !ok || h.dashed || !h.numbered || h.duration > 0 || early > 0; t.off {
		return
	}
	if t.cases == 0 {
		t.first = id
	}
	t.cases++
	t.last = id
	t.total += min(took, math.MaxInt64-t.total)
}

// close ends the document.
func (t *timing) close(sink results.Sink) {
	if !t.off && t.cases > 1 {
		sink.Timed(t.first, t.last, t.total)
	}
}
