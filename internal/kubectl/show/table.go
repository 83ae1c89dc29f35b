package show

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Look says how text is to look where it is shown.
type Look struct {
	// Colors says that the terminal has some.
	Colors bool
	// Width is how many characters fit into a line; 0 if any number does.
	Width int
}

// colors of states, as the escape sequences of ECMA-48 that every terminal knows.
var colors = map[string]string{
	"Passed": "\x1b[32m", "Failed": "\x1b[31m", "Errored": "\x1b[31m", "Error": "\x1b[35m", "TimedOut": "\x1b[35m",
	"Cancelled": "\x1b[2m", "Deleted": "\x1b[2m", "InProgress": "\x1b[34m", "Pending": "\x1b[33m", "Skipped": "\x1b[2m",
}

const noColor = "\x1b[0m"

// paint colors a word that says how a run or a case is.
func (l Look) paint(word string) string {
	state, _, _ := strings.Cut(word, " ")
	if color, ok := colors[state]; ok && l.Colors {
		return color + word + noColor
	}
	return word
}

// cut is a line that fits.
func (l Look) cut(line string) string {
	if l.Width <= 0 || utf8.RuneCountInString(line) <= l.Width {
		return line
	}
	runes := []rune(line)
	return string(runes[:l.Width-1]) + "…"
}

// gap is between two columns.
const gap = "   "

// table writes rows below a header, each column as wide as it needs to be. The column of that number has states, which are colored.
func (l Look) table(w io.Writer, header []string, rows [][]string, states int) {
	widths := make([]int, len(header))
	all := append([][]string{header}, rows...)
	for _, row := range all {
		for i := range row {
			row[i] = Line(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + gap)
			}
		}
		text := l.cut(strings.TrimRight(line.String(), " "))
		if states >= 0 && row[states] != "" {
			before := 0
			for _, width := range widths[:states] {
				before += width + len(gap)
			}
			text = l.paintAt(text, before, row[states])
		}
		_, _ = io.WriteString(w, text+"\n") // whoever reads may be gone
	}
}

// paintAt colors the word that stands at a column, if it was not cut.
func (l Look) paintAt(line string, column int, word string) string {
	runes := []rune(line)
	end := column + utf8.RuneCountInString(word)
	if end > len(runes) {
		return line
	}
	return string(runes[:column]) + l.paint(word) + string(runes[end:])
}
