package results

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark stands for what was cut away.
const mark = "…"

// Cut makes text fit to be stored and shown: valid UTF-8, without terminal escapes and other control characters but line
// feeds and tabs, without blank ends, and of a Size of at most limit. What is too long ends with a mark. limit is at least
// the size of the mark.
func Cut(text string, limit int) string {
	// Do not look at text far beyond the limit. A character that is split here is removed below.
	if reach := 16 * (limit + 64); len(text) > reach {
		text = text[:reach]
	}
	text = strings.TrimSpace(clean(text))
	size, fits := 0, 0
	for i, r := range text {
		size += runeSize(r)
		if size > limit {
			return strings.TrimRightFunc(text[:fits], unicode.IsSpace) + mark
		}
		if size <= limit-len(mark) {
			fits = i + utf8.RuneLen(r)
		}
	}
	return text
}

// Size is the length of a clean text in bytes, as JSON writes it with the escapes that Kubernetes uses.
func Size(text string) int {
	size := 0
	for _, r := range text {
		size += runeSize(r)
	}
	return size
}

func runeSize(r rune) int {
	switch r {
	case '<', '>', '&', '\u2028', '\u2029':
		return len(`\u0000`)
	case '"', '\\', '\n', '\t':
		return len(`\n`)
	}
	return utf8.RuneLen(r)
}

// clean drops terminal escapes and control characters, and puts U+FFFD for what is not UTF-8.
func clean(text string) string {
	if !strings.ContainsFunc(text, isUnclean) {
		return text
	}
	var out strings.Builder
	for text != "" {
		r, width := utf8.DecodeRuneInString(text)
		switch {
		case r == '\x1b':
			width = escapeLength(text)
		case r == '\r' && strings.HasPrefix(text[width:], "\n"):
		case r == '\r':
			out.WriteByte('\n')
		case r == '\n', r == '\t', !isUnclean(r), r == utf8.RuneError:
			out.WriteRune(r)
		}
		text = text[width:]
	}
	return out.String()
}

// isUnclean includes U+FFFD, since invalid UTF-8 reads as that.
func isUnclean(r rune) bool {
	return r == utf8.RuneError || r != '\n' && r != '\t' && (unicode.IsControl(r) || isBidiControl(r))
}

// isBidiControl: characters that change the direction of a line make a terminal show what is not there.
func isBidiControl(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// escapeLength is the length of the terminal escape that text begins with, by ECMA-48: a control sequence, a string that ends
// with ST or BEL, or two characters.
func escapeLength(text string) int {
	if len(text) < 2 {
		return len(text)
	}
	switch text[1] {
	case '[':
		for i := 2; i < len(text); i++ {
			if text[i] < 0x20 || text[i] > 0x7e {
				return i
			}
			if text[i] >= 0x40 {
				return i + 1
			}
		}
		return len(text)
	case ']', 'P', 'X', '^', '_':
		for i := 2; i < len(text); i++ {
			if text[i] == '\a' {
				return i + 1
			}
			if text[i] == '\x1b' && i+1 < len(text) && text[i+1] == '\\' {
				return i + 2
			}
		}
		return len(text)
	}
	return 1 + utf8Length(text[1:])
}

func utf8Length(text string) int {
	_, width := utf8.DecodeRuneInString(text)
	return width
}
