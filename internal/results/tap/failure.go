package tap

import (
	"cmp"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxParts is how many failing points are kept of the subtests of a case.
	maxParts = 12
	// maxSaid is how much is kept of the text about a failing point. No message is longer.
	maxSaid = results.MaxMessage
)

// failure is a failing point, at the top level or in a subtest.
type failure struct {
	// level is the depth of the point and name its description. Diagnostics on the standard error name it so.
	level int
	name  string
	// path is the names of the points it belongs to, from depth down, and its own name.
	path  string
	depth int
	// outer means that a point of its subtest failed too, which says more.
	outer bool
	said  excerpt
	// guessed means that said is only the text after the point: nothing marks it as an explanation.
	guessed bool
	// at is where it stands or failed.
	at string
}

// result is a case, and what is known about why it failed.
type result struct {
	results.Case
	// id is the case in the sink.
	id    results.ID
	own   failure
	parts []failure
	// died is the file that died, if the case stands for that; empty for others. words is what the file wrote last to its standard
	// error. period is the one in which it ran.
	died   string
	period int
	words  string
}

// explained says whether there is nothing left to wait for.
func (res *result) explained() bool {
	if res.died != "" {
		return res.words != ""
	}
	for i := range res.parts {
		if res.parts[i].awaits() {
			return false
		}
	}
	return !res.own.awaits() || res.Message != ""
}

// awaits returns the point that a block of diagnostics is about, if it has no explanation yet; otherwise nil.
func (res *result) awaits(b *block) *failure {
	if res.died != "" {
		return nil
	}
	if res.own.matches(b) {
		return &res.own
	}
	for i := range res.parts {
		if res.parts[i].matches(b) {
			return &res.parts[i]
		}
	}
	return nil
}

// awaits says whether nothing explains the point yet.
func (f *failure) awaits() bool { return len(f.said) == 0 || f.guessed }

// explain takes a block of diagnostics.
func (f *failure) explain(b *block) {
	f.said, f.guessed = b.said, false
	f.at = cmp.Or(f.at, b.place.at)
}

func (f *failure) matches(b *block) bool {
	return f.awaits() && f.level == b.level && f.name == b.name
}

// complete returns the case with its message. The innermost points come first.
func (res *result) complete() results.Case {
	c := res.Case
	c.Location = res.own.at
	for i := range res.parts {
		part := &res.parts[i]
		if !part.outer {
			c.Message = join(c.Message, join(part.path, part.said.String()))
		}
		c.Location = cmp.Or(c.Location, part.at)
	}
	c.Message = join(c.Message, join(res.own.said.String(), res.words))
	return c
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

func clip(s string) string { return strings.Clone(s[:min(len(s), maxText)]) }

// excerpt is the beginning of a text.
type excerpt []byte

func (e *excerpt) add(line []byte) {
	room := maxSaid - len(*e)
	if room <= 0 {
		return
	}
	if len(*e) > 0 {
		*e = append(*e, '\n')
		room--
	}
	*e = append(*e, line[:min(len(line), room)]...)
}

func (e excerpt) String() string { return string(e) }
