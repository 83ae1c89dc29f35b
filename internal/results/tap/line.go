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
	// maxTodo is how many points a plan may name that are expected to fail.
	maxTodo = 4096
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
	number   uint64
	numbered bool
	// dashed means that a dash stands in front of the description.
	dashed      bool
	description string
	directive   directive
	reason      string
	duration    time.Duration
	// braced means that a brace ends the line: a subtest may follow.
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
	rest, p.braced = cutBrace(rest)
	if p.dashed = len(rest) > 0 && rest[0] == '-' && (len(rest) == 1 || isBlank(rest[1])); p.dashed {
		rest = trimLeft(rest[1:])
	}
	var reason []byte
	rest, p.directive, reason = cutDirective(rest)
	rest, p.duration = cutTime(rest)
	if p.directive == skip {
		rest, reason = nameOfSkipped(rest, reason)
	}
	p.description, p.reason = unescape(rest), unescape(reason)
	return p, true
}

// parseTestem reads what testem prints of a case that did not count, "skip 3 Chrome 120.0 - [undefined ms] - adds".
func parseTestem(line []byte) (point, bool) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	n := digits(rest)
	if n == 0 || !bytes.Contains(rest, []byte(" ms] - ")) {
		return point{}, false
	}
	p := point{number: parseNumber(rest[:n]), numbered: true, description: unescape(trim(rest[n:]))}
	switch string(word) {
	case "skip":
		p.ok, p.directive = true, skip
	case "todo":
		p.directive = todo
	}
	return p, p.directive != none
}

// cutBrace cuts off a brace that ends the line.
func cutBrace(text []byte) (before []byte, found bool) {
	if n := len(text); n > 0 && text[n-1] == '{' && (n == 1 || isBlank(text[n-2])) {
		return trimRight(text[:n-1]), true
	}
	return text, false
}

// nameOfSkipped finds the name where kubeconform writes it, "ok 3 #skip - a.yaml", and drops mocha's dash, "ok 3 adds # SKIP -".
func nameOfSkipped(description, reason []byte) (name, why []byte) {
	switch {
	case string(reason) == "-":
		return description, nil
	case len(description) == 0 && bytes.HasPrefix(reason, []byte("- ")):
		return trimLeft(reason[2:]), nil
	}
	return description, reason
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

// cutTime splits a description from how long the case took, "# time=12.3ms" for node-tap and "# time = 12.3ms" for brittle.
func cutTime(text []byte) ([]byte, time.Duration) {
	if len(text) == 0 || text[len(text)-1] != 's' {
		return text, 0
	}
	const mark = "# time"
	i := bytes.LastIndex(text, []byte(mark))
	if i < 0 || i > 0 && !isBlank(text[i-1]) { // an escaped one is behind a backslash
		return text, 0
	}
	if number, ok := bytes.CutPrefix(trimLeft(text[i+len(mark):]), []byte("=")); ok {
		if d, ok := parseTime(trimLeft(number)); ok {
			return trimRight(text[:i]), d
		}
	}
	return text, 0
}

// parseTime reads "12.3ms" or "1.5s".
func parseTime(text []byte) (time.Duration, bool) {
	if number, ok := bytes.CutSuffix(text, []byte("ms")); ok {
		return parseNumberOf(time.Millisecond, number)
	}
	number, ok := bytes.CutSuffix(text, []byte("s"))
	d, valid := parseNumberOf(time.Second, number)
	return d, ok && valid
}

func parseNumberOf(unit time.Duration, text []byte) (time.Duration, bool) {
	if len(text) > 32 {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(n >= 0 && n <= float64(maxDuration/unit)) {
		return 0, false
	}
	return time.Duration(n * float64(unit)), true
}

// plan says how many test points there are, like "1..5".
type plan struct {
	count  uint64
	skip   bool
	reason string
	// todo are the numbers of the points that are expected to fail, as Perl's Test.pm writes them: "1..5 todo 2 4;".
	todo []uint64
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
	if list, ok := bytes.CutPrefix(rest, []byte("todo ")); ok {
		p.todo, ok = parseNumbers(list)
		return p, ok
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

// parseNumbers reads "2 4;", and no more of the numbers than maxTodo.
func parseNumbers(list []byte) (numbers []uint64, ok bool) {
	list, _, _ = bytes.Cut(list, []byte(";"))
	for field := range bytes.FieldsSeq(list) {
		if digits(field) != len(field) {
			return nil, false
		}
		if len(numbers) < maxTodo {
			numbers = append(numbers, parseNumber(field))
		}
	}
	return numbers, len(numbers) > 0
}

func parseBailOut(line []byte) (reason string, ok bool) {
	const words = "Bail out!"
	if len(line) < len(words) || !bytes.EqualFold(line[:len(words)], []byte(words)) {
		return "", false
	}
	return unescape(trim(line[len(words):])), true
}

func isVersion(line []byte) bool {
	const words = "TAP version "
	if len(line) < len(words) || !bytes.EqualFold(line[:len(words)], []byte(words)) {
		return false
	}
	number := trim(line[len(words):])
	return len(number) > 0 && digits(number) == len(number)
}

// uncolored drops the sequences that color a terminal (ECMA-48, SGR, and what tput adds to reset it), so that they hide no TAP. It
// may write into the buffer.
func uncolored(line []byte, buffer *[]byte) []byte {
	if bytes.IndexByte(line, '\x1b') < 0 {
		return line
	}
	plain := (*buffer)[:0]
	for len(line) > 0 {
		if n := lengthOfColor(line); n > 0 {
			line = line[n:]
			continue
		}
		plain, line = append(plain, line[0]), line[1:]
	}
	*buffer = plain
	return plain
}

// lengthOfColor is the length of the sequence that text begins with, like ESC [ 1 ; 31 m; 0 if there is none.
func lengthOfColor(text []byte) int {
	switch {
	case len(text) < 3 || text[0] != '\x1b':
		return 0
	case text[1] == '(':
		return 3
	case text[1] != '[':
		return 0
	}
	for i, c := range text[2:] {
		switch {
		case c == 'm' || c == 'K':
			return i + 3
		case c != ';' && (c < '0' || c > '9'):
			return 0
		}
	}
	return 0
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
