package main

import (
	"errors"
	"fmt"
	"os"
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

func (t *table) wrong() (n int) {
	for _, r := range t.rows {
		n += len(r.wrong())
	}
	return n
}

// String writes the table in Markdown.
func (t *table) String() string {
	var out, notes strings.Builder
	out.WriteString("| tool | version | read as | right | wrong |\n| --- | --- | --- | ---: | ---: |\n")
	noted := map[string]bool{}
	for _, r := range t.rows {
		wrong := r.wrong()
		fmt.Fprintf(&out, "| %s | %s | %s | %d | %d |\n", r.tool, r.version, r.output, len(r.runs)-len(wrong), len(wrong))
		for _, run := range wrong {
			fmt.Fprintf(&notes, "- Wrong: %s, %s, %s: %s.\n", r.tool, r.output, run.suite, run.wrong)
		}
		for _, run := range r.runs {
			if run.note != "" && !noted[r.tool+run.note] {
				noted[r.tool+run.note] = true
				fmt.Fprintf(&notes, "- %s, %s: %s.\n", r.tool, run.suite, run.note)
			}
		}
	}
	if notes.Len() > 0 {
		out.WriteString("\n" + notes.String())
	}
	return out.String()
}

// The lines between which the table stands in a document.
const begin, end = "<!-- make corpora: begin -->\n", "<!-- make corpora: end -->\n"

// writeTo replaces the table in a file.
func (t *table) writeTo(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replaceBetween(string(content), t.String())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}

func replaceBetween(document, text string) (string, error) {
	before, rest, found := strings.Cut(document, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", errors.New("the lines between which the table stands are missing")
	}
	return before + begin + text + end + after, nil
}
