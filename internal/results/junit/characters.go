package junit

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"unicode/utf8"
)

const (
	// mark stands for what was cut away.
	mark = "…"
	// maxReference bounds a reference to a character, in bytes.
	maxReference = 16
)

// whole drops a character or a reference at the end of text that is not complete.
func whole(text []byte) []byte {
	end := text[max(0, len(text)-maxReference):]
	if i := bytes.LastIndexByte(end, '&'); i >= 0 && !bytes.Contains(end[i:], []byte(";")) {
		return text[:len(text)-len(end)+i]
	}
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
}

// plain are the bytes of a text that are let through as they are.
var plain = func() (plain [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		plain[b] = b != '<' && b != '>' && b != '&'
	}
	plain['\t'], plain['\n'], plain['\r'] = true, true, true
	return plain
}()

// pass lets text through. A reference is one if references is set; what is not is escaped.
func (f *filter) pass(text []byte, cut, references bool) {
	for len(text) > 0 {
		n := 0
		for n < len(text) && plain[text[n]] {
			n++
		}
		f.out = append(f.out, text[:n]...)
		if text = text[n:]; len(text) > 0 {
			text = text[f.special(text, references):]
		}
	}
	if cut {
		f.out = append(f.out, mark...)
	}
}

// special lets the character through that text begins with, and returns its length.
func (f *filter) special(text []byte, references bool) int {
	char, width := utf8.DecodeRune(text)
	if char == '&' && references {
		if referred, length, ok := reference(text); ok {
			char, width = referred, length
			if isCharacter(char) {
				f.out = append(f.out, text[:length]...)
				return length
			}
		}
	}
	color := 0
	if char == '\x1b' {
		color = colorLength(text[width:])
	}
	switch {
	case char == '&':
		f.out = append(f.out, "&amp;"...)
	case char == '<':
		f.out = append(f.out, "&lt;"...)
	case char == '>':
		f.out = append(f.out, "&gt;"...)
	case color > 0:
	case isCharacter(char):
		f.out = utf8.AppendRune(f.out, char)
	default:
		f.out = utf8.AppendRune(f.out, utf8.RuneError)
	}
	return width + color
}

// reference reads a reference to a character that text begins with. A name stands for a character that XML allows.
func reference(text []byte) (char rune, length int, ok bool) {
	end := bytes.IndexByte(text[:min(len(text), maxReference)], ';')
	if end < 2 {
		return 0, 0, false
	}
	name, base := string(text[1:end]), 10
	if name[0] != '#' {
		return ' ', end + 1, name == "apos" || xml.HTMLEntity[name] != ""
	}
	digits := name[1:]
	if digits != "" && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	number, err := strconv.ParseUint(digits, base, 31)
	return rune(number), end + 1, err == nil
}

// isCharacter says whether XML 1.0 allows a character; see https://www.w3.org/TR/xml/#charsets.
func isCharacter(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r < 0xfffe && utf8.ValidRune(r) || r > 0xffff && r <= utf8.MaxRune
}

// colorLength is the length of the rest of a terminal's color code, of which text is what follows the escape character.
func colorLength(text []byte) int {
	if len(text) == 0 || text[0] != '[' {
		return 0
	}
	n := 1 + len(text[1:]) - len(bytes.TrimLeft(text[1:], "0123456789;:?"))
	if n == len(text) || text[n] < '@' || text[n] > '~' {
		return 0
	}
	return n + 1
}
