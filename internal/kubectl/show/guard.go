package show

import (
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// Guard writes what a test prints to a terminal. Colors, tabs and carriage returns stay; every other control character and escape sequence, which
// could move the cursor or give commands to the terminal, is written as Clean writes it.
type Guard struct {
	to io.Writer
	// held is the beginning of a character or of an escape sequence, the end of which has not come yet.
	held []byte
	// colored says that a color may still be on.
	colored bool
}

// NewGuard is a writer in front of a terminal. Close ends what is written.
func NewGuard(to io.Writer) *Guard { return &Guard{to: to} }

// Write writes what is whole by now.
func (g *Guard) Write(p []byte) (int, error) {
	text := slices.Concat(g.held, p)
	var out []byte
	for len(text) > 0 {
		n, piece := g.next(text)
		if n == 0 {
			break
		}
		out, text = append(out, piece...), text[n:]
	}
	g.held = slices.Clone(text)
	if _, err := g.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what has no end, and takes the color back.
func (g *Guard) Close() error {
	end := Clean(string(g.held))
	if g.held = nil; g.colored {
		end += noColor
	}
	_, err := io.WriteString(g.to, end)
	return err
}

const escape = 0x1b

// next is the next character or color, and how many bytes it has; none if the end of it has not come.
func (g *Guard) next(text []byte) (n int, shown []byte) {
	switch first := text[0]; {
	case first == escape:
		n, whole := colorOf(text)
		switch {
		case n > 0:
			g.colored = true
			return n, text[:n]
		case !whole:
			return 0, nil
		}
	case first == '\r':
		return 1, text[:1]
	case !utf8.FullRune(text):
		return 0, nil
	}
	r, size := utf8.DecodeRune(text)
	if isHarmful(r) {
		return size, fmt.Appendf(nil, `\u%04x`, r)
	}
	return size, utf8.AppendRune(nil, r)
}

// longestColor is how long an escape sequence for a color may be: there is one for the color, the background and each attribute.
const longestColor = 64

// colorOf is how long the escape sequence for a color is with which the text begins, as in ESC [ 1 ; 31 m; 0 if it begins with none. whole says
// that nothing that may follow can make it one.
func colorOf(text []byte) (n int, whole bool) {
	for i, b := range text[:min(len(text), longestColor)] {
		switch {
		case i == 0, i == 1 && b == '[', i > 1 && (b >= '0' && b <= '9' || b == ';' || b == ':'):
		case i > 1 && b == 'm':
			return i + 1, true
		default:
			return 0, true
		}
	}
	return 0, len(text) >= longestColor
}
