// Package terminal shows what a test printed for a terminal as HTML: colors become classes, and every other escape code is left out.
package terminal

import (
	"html"
	"html/template"
	"strconv"
	"strings"
	"unicode"
)

// Style is how text looks from here on. The zero Style is plain text.
type Style struct {
	// fore and back are 1 to 16; 0 is the usual color.
	fore, back                                      int
	bold, faint, italic, underline, inverse, struck bool
}

const escape = '\x1b'

// Line is a line as HTML: spans with classes, and escaped text. style goes on from line to line. What a carriage return overwrote is left out.
func Line(text string, style *Style) template.HTML {
	text = strings.TrimRight(text, "\r")
	if at := strings.LastIndexByte(text, '\r'); at >= 0 {
		read(text[:at], style, nil)
		text = text[at+1:]
	}
	var out strings.Builder
	read(text, style, func(piece string) {
		class := style.classes()
		if class != "" {
			out.WriteString(`<span class="` + class + `">`)
		}
		out.WriteString(html.EscapeString(piece))
		if class != "" {
			out.WriteString("</span>")
		}
	})
	return template.HTML(out.String()) //nolint:gosec // the text is escaped, and classes are ours
}

// read calls show with each piece of text that looks the same; show may be nil.
func read(text string, style *Style, show func(string)) {
	for text != "" {
		at := strings.IndexByte(text, escape)
		if at < 0 {
			at = len(text)
		}
		if piece := clean(text[:at]); piece != "" && show != nil {
			show(piece)
		}
		if text = text[at:]; text != "" {
			text = style.code(text[1:])
		}
	}
}

// clean is the text without control characters but tabs, and without what changes the direction of what follows.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069') {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// code reads an escape code behind its first character, and returns what follows.
func (s *Style) code(text string) (rest string) {
	if text == "" {
		return ""
	}
	switch text[0] {
	case '[':
		end := strings.IndexFunc(text[1:], func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			return ""
		}
		if text[1+end] == 'm' {
			s.set(text[1 : 1+end])
		}
		return text[1+end+1:]
	case ']', 'P', '^', '_', 'X': // text for the terminal: a title, a link
		end := strings.IndexAny(text, "\a\x1b")
		if end < 0 {
			return ""
		}
		return strings.TrimPrefix(text[end+1:], `\`)
	case '(', ')', '#', '%':
		return text[min(2, len(text)):]
	}
	return text[1:]
}

// set reads the numbers of a code that says how text looks.
func (s *Style) set(codes string) {
	numbers := strings.FieldsFunc(codes, func(r rune) bool { return r == ';' || r == ':' })
	if len(numbers) == 0 {
		*s = Style{}
	}
	for i := 0; i < len(numbers); i++ {
		n, err := strconv.Atoi(numbers[i])
		if err != nil {
			return
		}
		switch {
		case n == 38 || n == 48:
			color, used := palette(numbers[i+1:])
			if i += used; n == 38 {
				s.fore = color
			} else {
				s.back = color
			}
		case n >= 30:
			s.color(n)
		default:
			s.look(n)
		}
	}
}

func (s *Style) color(n int) {
	switch {
	case n <= 37:
		s.fore = n - 29
	case n == 39:
		s.fore = 0
	case n >= 40 && n <= 47:
		s.back = n - 39
	case n == 49:
		s.back = 0
	case n >= 90 && n <= 97:
		s.fore = n - 81
	case n >= 100 && n <= 107:
		s.back = n - 91
	}
}

func (s *Style) look(n int) {
	switch n {
	case 0:
		*s = Style{}
	case 1:
		s.bold = true
	case 2:
		s.faint = true
	case 3:
		s.italic = true
	case 4:
		s.underline = true
	case 7:
		s.inverse = true
	case 9:
		s.struck = true
	case 22:
		s.bold, s.faint = false, false
	case 23:
		s.italic = false
	case 24:
		s.underline = false
	case 27:
		s.inverse = false
	case 29:
		s.struck = false
	}
}

// palette is the color of 16 that is next to one of 256, or of all, and how many numbers say which.
func palette(numbers []string) (color, used int) {
	at := func(i int) int {
		if i >= len(numbers) {
			return 0
		}
		n, _ := strconv.Atoi(numbers[i])
		return min(max(n, 0), 255)
	}
	switch at(0) {
	case 5:
		n := at(1)
		switch {
		case n < 16:
			return n + 1, 2
		case n >= 232:
			return nearest((n-232)*10+8, (n-232)*10+8, (n-232)*10+8), 2
		}
		n -= 16
		return nearest(n/36*51, n/6%6*51, n%6*51), 2
	case 2:
		return nearest(at(1), at(2), at(3)), 4
	}
	return 0, 1
}

func nearest(red, green, blue int) int {
	most := max(red, green, blue)
	if most < 64 {
		return 1
	}
	color := 1
	for i, part := range []int{red, green, blue} {
		if part > most/2 {
			color += 1 << i
		}
	}
	if most > 200 {
		color += 8
	}
	return color
}

// classes are those of page.css.
func (s *Style) classes() string {
	var all []string
	if s.fore > 0 {
		all = append(all, "f"+strconv.Itoa(s.fore))
	}
	if s.back > 0 {
		all = append(all, "b"+strconv.Itoa(s.back))
	}
	for i, is := range []bool{s.bold, s.faint, s.italic, s.underline, s.inverse, s.struck} {
		if is {
			all = append(all, []string{"bo", "fa", "it", "un", "in", "st"}[i])
		}
	}
	return strings.Join(all, " ")
}
