package web

import (
	"strconv"
	"strings"
)

// span is the bytes from from to before to of a stream.
type span struct{ from, to int64 }

// rangeOf reads the header Range for a stream that ends at end. ok is false if it is to be ignored: it is none, or asks for more than one
// range. A span that begins at or behind end cannot be satisfied.
func rangeOf(header string, end int64) (asked span, ok bool) {
	set, found := strings.CutPrefix(header, "bytes=")
	first, last, dashed := strings.Cut(strings.TrimSpace(set), "-")
	if !found || !dashed {
		return span{}, false
	}
	if first == "" { // the last so many bytes
		length, ok := number(last)
		if length == 0 {
			return span{end, end}, ok
		}
		return span{max(0, end-length), end}, ok
	}
	from, ok := number(first)
	if !ok {
		return span{}, false
	}
	if last == "" {
		return span{from, max(from, end)}, true
	}
	to, ok := number(last)
	if !ok || to < from {
		return span{}, false
	}
	return span{from, max(from, min(to+1, end))}, true
}

// number reads digits; nothing else, as a sign.
func number(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 62)
	return int64(n), err == nil //nolint:gosec // 62 bits fit
}
