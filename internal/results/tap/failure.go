package tap

import (
	"bytes"
	"slices"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

const (
	// maxParts is how many failing points are kept of the subtests of a case.
	maxParts = 12
	// maxSaid is how much is kept of what is said about a failing point. No message is longer.
	maxSaid = results.MaxMessage
	// yamlIndentation is by how many spaces YAML is indented more than the test point it belongs to.
	yamlIndentation = 2
)

// failure is a failing point, at the top level or in a subtest.
type failure struct {
	// level is the depth of the point, and name its description: so diagnostics on the standard error call it.
	level int
	name  string
	// path is the name behind those of the points it belongs to, down from depth.
	path  string
	depth int
	// outer means that points that belong to this one failed too: they tell more.
	outer bool
	said  excerpt
}

// result is a case, and what is known about why it failed.
type result struct {
	results.Case
	// kept is the case in the sink.
	kept  *results.Case
	own   failure
	parts []failure
	// died is the file whose end this is; empty for a case of its own. words are what it wrote last to its standard error,
	// which it began to write to in the period.
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
		if len(res.parts[i].said) == 0 {
			return false
		}
	}
	return len(res.own.said) > 0 || res.Message != ""
}

// awaits returns the point that a block of diagnostics is about and that has none yet; nil if there is none.
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

func (f *failure) matches(b *block) bool {
	return len(f.said) == 0 && f.level == b.level && f.name == b.name
}

// complete returns the case with its message: what was said about the innermost points comes first.
func (res *result) complete() results.Case {
	c := res.Case
	for i := range res.parts {
		if part := &res.parts[i]; !part.outer {
			c.Message = join(c.Message, join(part.path, part.said.String()))
		}
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

// yamlBlock is where YAML about the last test point may be, or is.
type yamlBlock struct {
	// indent is its indentation, -1 if there can be none.
	indent int
	inside bool
}

var noYAML = yamlBlock{indent: -1}

// readYAML says whether a line belongs to a block of YAML. A block that is never closed ends with its indentation.
func (r *Reader) readYAML(line []byte, indent int) bool {
	switch {
	case r.yaml.indent < 0:
		return false
	case !r.yaml.inside:
		r.yaml.inside = indent == r.yaml.indent && string(trimRight(line[indent:])) == "---"
		return r.yaml.inside
	case indent < r.yaml.indent && indent < len(line):
		r.yaml = noYAML
		return false
	}
	text := line[min(r.yaml.indent, len(line)):]
	if string(trimRight(text)) == "..." {
		r.yaml = noYAML
		return true
	}
	if value, ok := bytes.CutPrefix(text, []byte("duration_ms:")); ok {
		if d, ok := parseMilliseconds(bytes.Trim(value, ` '"`)); ok && r.isOpen {
			r.open.Duration = d
		}
		return true
	}
	if r.about != nil {
		r.about.said.add(text)
	}
	return true
}

// inBraces reads a line of a subtest that follows its point. If that failed, all but what went well explains why.
func (r *Reader) inBraces(text []byte) {
	if r.about == nil {
		return
	}
	p, isPoint := parsePoint(text)
	_, isPlan := parsePlan(text)
	if isPlan || isPoint && (p.ok || p.directive != none) || slices.Contains([]string{"", "---", "..."}, string(text)) {
		return
	}
	r.about.said.add(text)
}

// comment reads a line that begins with a number sign. Behind a failing point it tells about that.
func (r *Reader) comment(line []byte) {
	text := commentText(line)
	switch {
	case bytes.HasPrefix(text, []byte("Subtest")):
		r.about = nil
	case r.about != nil && !isNoise(text):
		r.about.said.add(text)
	}
}

// commentText cuts the number sign away and the spaces that Test::More puts behind it.
func commentText(line []byte) []byte {
	text := line[1:]
	for i := 0; i < 3 && len(text) > 0 && text[0] == ' '; i++ {
		text = text[1:]
	}
	return text
}

// isNoise knows what Test::More says at its end: it counts what has been told before.
func isNoise(comment []byte) bool {
	return bytes.HasPrefix(comment, []byte("Looks like you")) || bytes.HasPrefix(comment, []byte("Tests were run but no plan"))
}
