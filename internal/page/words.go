package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/internal/web"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"state": stateOf, "took": tookOf, "ago": ago, "stamp": stamp, "duration": duration, "firstLine": firstLine, "count": count,
	"seconds": inSeconds,
	"join":    strings.Join, "size": size, "caseURL": caseURL, "seriesURL": seriesURL, "long": isLong, "start": startOf,
	"outcomes": func() []string { return []string{"Failed", "Errored", "Passed", "Skipped"} },
}

// state is how a run or a case stands: a word, and the name of its color and shape.
type state struct{ Word, Class string }

var states = map[string]state{
	"Pending": {"Pending", "pending"}, "InProgress": {"In progress", "progress"},
	"Passed": {"Passed", "passed"}, "Failed": {"Failed", "failed"}, "Error": {"Error", "error"}, "Errored": {"Errored", "error"},
	"TimedOut": {"Timed out", "timedout"}, "Cancelled": {"Cancelled", "cancelled"}, "Skipped": {"Skipped", "cancelled"},
	"Flaky": {"Flaky", "flaky"},
}

// stateOf is the state of a run, or of what a word says.
func stateOf(what any) state {
	switch what := what.(type) {
	case web.Run:
		if what.Phase != "Finished" && what.Deleted != nil {
			return state{"Deleted", "cancelled"}
		}
		if what.Verdict == "" {
			return stateOf(what.Phase)
		}
		if what.Flaky {
			return states["Flaky"]
		}
		return stateOf(what.Verdict)
	case string:
		if known, ok := states[what]; ok {
			return known
		}
		return state{what, "pending"}
	}
	return states["Pending"]
}

// tookOf is how long a run took, or has taken so far; empty before it has started. Kubernetes knows whole seconds only.
func tookOf(run web.Run) string {
	switch {
	case run.Started == nil:
		return ""
	case run.Finished != nil && run.Finished.Sub(*run.Started) < time.Second:
		return "under 1 s"
	case run.Finished != nil:
		return duration(run.Finished.Sub(*run.Started))
	case run.Deleted != nil:
		return ""
	default:
		return duration(time.Since(*run.Started))
	}
}

// duration says how long, in two units at most.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", math.Floor(d.Seconds()*10)/10)
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %02d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// ago says how long ago, in one unit. The script says the same: page.js.
func ago(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d ago", int(d.Hours())/24)
	}
}

// stamp is the exact time, for machines.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// firstLine is the first line of a text.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// count is a number with its word: "1 case", "2 cases".
func count(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// maxStart is how many lines and bytes of a message are shown before all of it is asked for.
const (
	maxStartLines = 12
	maxStart      = 1200
)

func isLong(text string) bool { return startOf(text) != text }

// startOf is the beginning of a text.
func startOf(text string) string {
	if lines := strings.SplitN(text, "\n", maxStartLines+1); len(lines) > maxStartLines {
		text = strings.Join(lines[:maxStartLines], "\n")
	}
	if len(text) > maxStart {
		text = strings.ToValidUTF8(text[:maxStart], "")
	}
	return text
}
