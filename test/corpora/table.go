package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// table is what the document shows.
type table struct{ rows []*row }

type row struct {
	tool, version, output string
	runs                  []outcome
}

func (t *table) add(tool, version, output string) *row {
	added := &row{tool: tool, version: version, output: output}
	t.rows = append(t.rows, added)
	return added
}

func (r *row) wrong() (wrong []outcome) {
	for _, run := range r.runs {
		if run.wrong != "" {
			wrong = append(wrong, run)
		}
	}
	return wrong
}

// unknown counts what is wrong, and was not known to be.
func (t *table) unknown() (n int) {
	for _, r := range t.rows {
		for _, run := range r.wrong() {
			if run.known == "" {
				n++
			}
		}
	}
	return n
}

// lines writes what the document says of each tool: its rows, and the notes on them.
func (t *table) lines() (rows, notes map[string][]string) {
	rows, notes = map[string][]string{}, map[string][]string{}
	for _, r := range t.rows {
		wrong := r.wrong()
		rows[r.tool] = append(rows[r.tool], fmt.Sprintf("| %s | %s | %s | %d | %d |\n", r.tool, r.version, r.output, len(r.runs)-len(wrong), len(wrong)))
		note := func(text string) {
			if !slices.Contains(notes[r.tool], text) {
				notes[r.tool] = append(notes[r.tool], text)
			}
		}
		for _, run := range wrong {
			note(fmt.Sprintf("- %s, %s, wrong as %s: %s.\n", r.tool, run.suite, r.output, join(run.wrong, run.known)))
		}
		for _, run := range r.runs {
			if run.note != "" {
				note(fmt.Sprintf("- %s, %s: %s.\n", r.tool, run.suite, run.note))
			}
		}
	}
	return rows, notes
}

func join(wrong, known string) string {
	if known == "" {
		return wrong
	}
	return wrong + ": " + known
}

const head = "| tool | version | read as | right | wrong |\n| --- | --- | --- | ---: | ---: |\n"

// String writes the table in Markdown.
func (t *table) String() string { return t.over("") }

// over writes the table, and of an older one the tools that are not in this one.
func (t *table) over(older string) string {
	rows, notes := t.lines()
	for line := range strings.Lines(older) {
		for _, of := range tools() {
			switch {
			case t.has(of.name):
			case strings.HasPrefix(line, "| "+of.name+" |"):
				rows[of.name] = append(rows[of.name], line)
			case strings.HasPrefix(line, "- "+of.name+", "):
				notes[of.name] = append(notes[of.name], line)
			}
		}
	}
	var allRows, allNotes strings.Builder
	for _, of := range tools() {
		allRows.WriteString(strings.Join(rows[of.name], ""))
		allNotes.WriteString(strings.Join(notes[of.name], ""))
	}
	if allNotes.Len() == 0 {
		return head + allRows.String()
	}
	return head + allRows.String() + "\n" + allNotes.String()
}

func (t *table) has(tool string) bool {
	return slices.ContainsFunc(t.rows, func(r *row) bool { return r.tool == tool })
}

// The lines between which the table stands in a document.
const begin, end = "<!-- make corpora: begin -->\n", "<!-- make corpora: end -->\n"

// writeTo replaces the table in a file.
func (t *table) writeTo(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replaceBetween(string(content), t.over)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}

// replaceBetween replaces what is between the two lines by what a function makes of it.
func replaceBetween(document string, change func(string) string) (string, error) {
	before, rest, found := strings.Cut(document, begin)
	between, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", errors.New("the lines between which the table stands are missing")
	}
	return before + begin + change(between) + end + after, nil
}
