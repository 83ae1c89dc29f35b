package tap

import (
	"bytes"
	"strconv"
)

// place gathers where a point says that it stands or failed.
type place struct {
	// at is file:line, once both are known.
	at string
	// inside means that a mapping "at:" is open, which gives the two on lines of their own.
	inside     bool
	file, line string
}

// yaml reads a line of YAML. inner means that it is indented more than the first one.
func (p *place) yaml(text []byte, inner bool) {
	if p.at != "" {
		return
	}
	p.inside = p.inside && inner
	name, value, ok := bytes.Cut(text, []byte(":"))
	if !ok || inner && !p.inside {
		return
	}
	value = bytes.Trim(value, ` '"`)
	switch string(name) {
	case "at", "location": // tape, vitest; node:test
		p.at = position(value)
		p.inside = !inner && len(value) == 0
	case "file", "fileName": // node-tap, and what TAP 13 gave as an example
		p.file = clip(string(value))
	case "line", "lineNumber":
		if n := digits(value); n > 0 && n == len(value) && n < 10 {
			p.line = string(value)
		}
	}
	if p.file != "" && p.line != "" {
		p.at = p.file + ":" + p.line
	}
}

// comment reads a line of diagnostics: "at FILE line N." of Test::More, or "(in test file FILE, line N)" of bats.
func (p *place) comment(text []byte) {
	if p.at != "" {
		return
	}
	text = trimLeft(text)
	before, line, end := []byte("in test file "), ", line ", ""
	if bytes.HasPrefix(text, []byte("at ")) || bytes.HasPrefix(text, []byte("Failed test ")) {
		before, line, end = []byte("at "), " line ", "."
	}
	_, rest, _ := bytes.Cut(text, before)
	i := bytes.LastIndex(rest, []byte(line))
	if i <= 0 {
		return
	}
	number := rest[i+len(line):]
	if n := digits(number); n > 0 && n < 10 && bytes.HasPrefix(number[n:], []byte(end)) {
		p.at = clip(string(rest[:i])) + ":" + string(number[:n])
	}
}

// position cuts "FILE:LINE:COLUMN", or "FUNCTION (FILE:LINE:COLUMN)" as a stack of V8 has it, down to FILE:LINE.
func position(text []byte) string {
	if i := bytes.LastIndexByte(text, '('); i >= 0 {
		text = bytes.TrimRight(text[i+1:], ")")
	}
	text = bytes.TrimPrefix(text, []byte("file://"))
	file, last := cutNumber(text)
	if last == 0 {
		return ""
	}
	if inner, line := cutNumber(file); line > 0 {
		file, last = inner, line
	}
	return clip(string(file)) + ":" + strconv.FormatUint(last, 10)
}

// cutNumber cuts ":N" off; 0 if there is none.
func cutNumber(text []byte) (before []byte, n uint64) {
	i := bytes.LastIndexByte(text, ':')
	if i <= 0 || i+1 == len(text) || digits(text[i+1:]) != len(text)-i-1 {
		return text, 0
	}
	return text[:i], parseNumber(text[i+1:])
}
