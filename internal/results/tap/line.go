package tap

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	blanks = " \t"
	// maxText bounds names and reasons as they are read. results keeps less of them.
	maxText = 1 << 10
	// maxDuration is longer than a test runs. What claims to have taken longer is not believed.
	maxDuration = 1000 * time.Hour
)

// directive is what a test point says about itself behind its description.
type directive int

const (
	none directive = iota
	skip
	todo
)

// point is a test point, like "not ok 2 - adds numbers # TODO not written".
type point struct {
	ok bool
	// number is 0 if the point has none.
	number      uint64
	numbered    bool
	description string
	directive   directive
	reason      string
	duration    time.Duration
	// braced means that a subtest in braces follows.
	braced bool
}

func parsePoint(line []byte) (point, bool) {
	rest, not := bytes.CutPrefix(line, []byte("not "))
	rest, ok := bytes.CutPrefix(rest, []byte("ok"))
	if !ok || beginsWord(rest) {
		return point{}, false
	}
	p := point{ok: !not}
	rest = trim(rest)
	if n := digits(rest); n > 0 && !beginsWord(rest[n:]) {
		p.number, p.numbered = parseNumber(rest[:n]), true
		rest = trimLeft(rest[n:])
	}
	if before, found := bytes.CutSuffix(rest, []byte(" {")); found {
		p.braced, rest = true, before
	}
	dashed := len(rest) > 0 && rest[0] == '-' && (len(rest) == 1 || isBlank(rest[1]))
	if dashed {
		rest = trimLeft(rest[1:])
	}
	var reason []byte
	rest, p.directive, reason = cutDirective(rest)
	p.reason = unescape(reason)
	rest, p.duration = cutTime(rest, p.numbered && !dashed)
	p.description = unescape(rest)
	return p, true
}

// cutDirective splits a description from the directive behind it. That begins with the first number sign behind a blank,
// if SKIP or TODO follow; behind any other word it belongs to the description. An escaped one is behind a backslash.
func cutDirective(text []byte) (description []byte, d directive, reason []byte) {
	if bytes.IndexByte(text, '#') < 0 {
		return text, none, nil
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '#' || i > 0 && !isBlank(text[i-1]) {
			continue
		}
		after := text[i+1:]
		if d, reason := parseDirective(trimLeft(after)); d != none {
			return trimRight(text[:i]), d, reason
		}
		if len(after) > 0 && isBlank(after[0]) {
			break
		}
	}
	return text, none, nil
}

// parseDirective takes SKIP with any ending, like "skipped:", as TAP 14 demands. TODO has to be a word by itself, as for
// prove: a failure would be hidden by "todolist".
func parseDirective(text []byte) (d directive, reason []byte) {
	word := text
	if i := bytes.IndexAny(text, blanks); i >= 0 {
		word, reason = text[:i], trimLeft(text[i:])
	}
	switch {
	case len(word) < len("skip"):
		return none, nil
	case bytes.EqualFold(word[:4], []byte("skip")):
		return skip, reason
	case bytes.EqualFold(word[:4], []byte("todo")) && !beginsWord(word[4:]):
		// Perl's Test::More joins the two where a case that is expected to fail cannot even be run.
		return todo, bytes.TrimPrefix(reason, []byte("& SKIP "))
	}
	return none, nil
}

// cutTime splits a description from how long the case took: "# time=12.3ms" for node-tap, " in 12ms" for bats, which writes
// descriptions without a dash.
func cutTime(text []byte, bats bool) ([]byte, time.Duration) {
	before, ok := bytes.CutSuffix(text, []byte("ms"))
	if !ok {
		return text, 0
	}
	if i := bytes.LastIndex(before, []byte("# time=")); i >= 0 {
		if d, ok := parseMilliseconds(before[i+len("# time="):]); ok {
			return trimRight(before[:i]), d
		}
	}
	if i := bytes.LastIndex(before, []byte(" in ")); bats && i >= 0 && digits(before[i+4:]) == len(before)-i-4 {
		if d, ok := parseMilliseconds(before[i+4:]); ok {
			return before[:i], d
		}
	}
	return text, 0
}

func parseMilliseconds(text []byte) (time.Duration, bool) {
	if len(text) > 32 {
		return 0, false
	}
	ms, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(ms >= 0 && ms <= float64(maxDuration.Milliseconds())) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}

// plan says how many test points there are, like "1..5".
type plan struct {
	count  uint64
	skip   bool
	reason string
}

func parsePlan(line []byte) (plan, bool) {
	rest, ok := bytes.CutPrefix(line, []byte("1.."))
	n := digits(rest)
	if !ok || n == 0 {
		return plan{}, false
	}
	p := plan{count: parseNumber(rest[:n])}
	rest = trim(rest[n:])
	if len(rest) == 0 {
		return p, true
	}
	if rest[0] != '#' {
		return plan{}, false
	}
	rest = trimLeft(rest[1:])
	if d, reason := parseDirective(rest); d == skip {
		p.skip, rest = true, reason
	}
	p.reason = unescape(rest)
	return p, true
}

func parseBailOut(line []byte) (reason string, ok bool) {
	const words = "Bail out!"
	if len(line) < len(words) || !bytes.EqualFold(line[:len(words)], []byte(words)) {
		return "", false
	}
	return unescape(trim(line[len(words):])), true
}

func isVersion(line []byte) bool {
	number, ok := bytes.CutPrefix(line, []byte("TAP version "))
	number = trim(number)
	return ok && len(number) > 0 && digits(number) == len(number)
}

// unescape reads `\#` and `\\`, and cuts what nobody will see.
func unescape(text []byte) string {
	s := string(text[:min(len(text), maxText)])
	if !strings.Contains(s, `\`) {
		return s
	}
	return unescaper.Replace(s)
}

var unescaper = strings.NewReplacer(`\\`, `\`, `\#`, `#`)

// digits is how many decimal digits text begins with.
func digits(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// parseNumber reads decimal digits. A number that is too big reads as the biggest.
func parseNumber(digits []byte) uint64 {
	n := uint64(0)
	for _, d := range digits {
		if n > (math.MaxUint64-9)/10 {
			return math.MaxUint64
		}
		n = 10*n + uint64(d-'0')
	}
	return n
}

// trimLeft is bytes.TrimLeft for blanks, and faster.
func trimLeft(text []byte) []byte {
	for len(text) > 0 && isBlank(text[0]) {
		text = text[1:]
	}
	return text
}

func trimRight(text []byte) []byte {
	for len(text) > 0 && isBlank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func trim(text []byte) []byte { return trimLeft(trimRight(text)) }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func beginsWord(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	c := text[0]
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
