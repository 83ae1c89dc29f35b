package show

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Runs writes a table of runs. wide adds columns, namespaces the namespace of each.
func (l Look) Runs(w io.Writer, runs []Run, now time.Time, wide, namespaces bool) {
	header := []string{"NAME", "TEST", "STATE", "CASES", "REASON", "TOOK", "AGE"}
	if wide {
		header = append(header, "QUEUE", "ATTEMPTS", "NODE", "MESSAGE")
	}
	state := 2
	if namespaces {
		header, state = append([]string{"NAMESPACE"}, header...), 3
	}
	rows := make([][]string, 0, len(runs))
	for _, run := range runs {
		row := rowOf(run, now, wide)
		if namespaces {
			row = append([]string{run.Namespace}, row...)
		}
		rows = append(rows, row)
	}
	l.table(w, header, rows, state)
}

func rowOf(run Run, now time.Time, wide bool) []string {
	age := ago(run.CreationTimestamp.Time, now)
	if run.Gone != nil {
		age += " (gone)"
	}
	row := []string{run.Name, TestOf(run.TestRun), stateOf(run), casesOf(run), Reason(run.TestRun), tookOf(run, now), age}
	if !wide {
		return row
	}
	attempts, node := "", ""
	if n := len(run.Status.Attempts); n > 0 {
		attempts, node = fmt.Sprint(run.Status.Attempts[n-1].Number), run.Status.Attempts[n-1].Node
	}
	return append(row, QueueOf(run.TestRun), attempts, node, Message(run.TestRun))
}

// Brief says in one line how a run is.
func (l Look) Brief(run Run, now time.Time) string {
	parts := []string{l.paint(stateOf(run))}
	if cases := casesOf(run); cases != "" {
		word := " cases passed"
		if !IsFinished(run.TestRun) {
			word = " cases done"
		}
		number, failed, hasFailed := strings.Cut(cases, ", ")
		if parts = append(parts, number+word); hasFailed {
			parts = append(parts, failed)
		}
	}
	if took := tookOf(run, now); took != "" {
		parts = append(parts, took)
	}
	return run.Name + ": " + strings.Join(parts, ", ") + " (" + Reason(run.TestRun) + ": " + Line(Message(run.TestRun)) + ")"
}

// Screen is all that a live screen shows: as many of the runs as fit into so many lines, those that have not finished first.
func (l Look) Screen(runs []Run, now time.Time, title string, lines int, namespaces bool) string {
	var text strings.Builder
	counts := map[string]int{}
	for _, run := range runs {
		state, _, _ := strings.Cut(stateOf(run), " ")
		counts[state]++
	}
	var summary []string
	for _, state := range append(slices.Clip(States), stateDeleted) {
		if counts[state] > 0 {
			summary = append(summary, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	if len(summary) == 0 {
		summary = []string{"no runs yet"}
	}
	text.WriteString(l.cut(Line(title)+"  "+strings.Join(summary, ", ")) + "\n\n")
	const around = 5 // the lines above and below, and one for the cursor
	shown := runs
	if room := max(lines-around, 1); lines > 0 && len(shown) > room {
		shown = shown[:room]
	}
	l.Runs(&text, shown, now, false, namespaces)
	if left := len(runs) - len(shown); left > 0 {
		fmt.Fprintf(&text, "and %d more\n", left)
	}
	return top(text.String(), lines-1)
}

// top are the first n lines of a text; all if n is not positive.
func top(text string, n int) string {
	all := strings.SplitAfter(text, "\n")
	if n <= 0 || len(all) <= n {
		return text
	}
	return strings.Join(all[:n], "")
}
