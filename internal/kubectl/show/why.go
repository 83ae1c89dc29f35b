package show

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/queueview"
)

// yamlText is the text as a string of YAML, in one line.
func yamlText(text string) string {
	var line strings.Builder
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // text can be encoded
	return strings.TrimSpace(line.String())
}

// Why is what is known about why a run is where it is.
type Why struct {
	Run Run
	// Named is how the run is named in a command.
	Named string
	// Waiting is what the operator says of a run that waits for its turn; nil if it was not asked. NoAnswer then says why not.
	Waiting  *queueview.Run
	NoAnswer string
	// Queue is the run's queue.
	Queue Queue
	// Cases are those that failed.
	Cases []Case
}

// Why says why a run waits and what would let it go, or how it ended and what to do.
func (l Look) Why(w io.Writer, why Why, now time.Time) {
	run := why.Run
	fmt.Fprintf(w, "%s is %s: %s.\n", run.Name, l.paint(stateOf(run)), strings.TrimSuffix(Line(why.message()), "."))
	for _, line := range why.lines(now) {
		fmt.Fprintln(w, line)
	}
	if text := adviceFor(run.TestRun, why.Named, now); text != "" {
		fmt.Fprintln(w, "What to do: "+Clean(text))
	}
	for _, c := range why.Cases {
		l.oneCase(w, c)
	}
}

// message is the newest sentence about the run: the operator's, if it was asked.
func (why Why) message() string {
	if why.Waiting != nil && why.Waiting.Message != "" {
		return why.Waiting.Message
	}
	return Message(why.Run.TestRun)
}

func (why Why) lines(now time.Time) (lines []string) {
	run := why.Run
	add := func(format string, values ...any) { lines = append(lines, Clean(fmt.Sprintf(format, values...))) }
	switch {
	case run.Gone != nil:
		add("It is not in the cluster any more; this is what the archive has of it.")
	case WaitsForItsTurn(run.TestRun):
		why.addTurn(add, now)
	case State(run.TestRun) == string(v1alpha1.PhaseInProgress):
		if run.Status.StartTime != nil {
			add("Its test has run for %s.", ago(run.Status.StartTime.Time, now))
		}
		if cases := casesOf(run); cases != "" {
			add("Cases so far: %s.", cases)
		}
	}
	if n := len(run.Status.Attempts); n > 0 {
		last := run.Status.Attempts[n-1]
		place := ""
		if last.Pod != "" {
			place = ", pod " + last.Pod
		}
		if last.Node != "" {
			place += " on node " + last.Node
		}
		if last.ExitCode != nil {
			place += fmt.Sprintf(", exit code %d", *last.ExitCode)
		}
		add("Attempt %d%s.", last.Number, place)
	}
	if run.Status.InFavorOf != "" {
		add("The other run is %s.", run.Status.InFavorOf)
	}
	return lines
}

// addTurn says how long the run will wait in its queue.
func (why Why) addTurn(add func(string, ...any), now time.Time) {
	run := why.Run
	add("It has waited for %s, in queue %s.", ago(run.CreationTimestamp.Time, now), QueueOf(run.TestRun))
	switch {
	case why.Waiting != nil && why.Waiting.Position > 0:
		add("Its position is %d%s.", why.Waiting.Position, why.of())
	case why.Waiting != nil:
		add("It is not in line yet.")
	case why.NoAnswer != "":
		add("Its position is not known: %s", why.NoAnswer)
	}
	if object := why.Queue.Object; object != nil && why.Queue.Live == nil {
		row := why.Queue.row(now)
		add("Queue %s: %s running (limit %s), %s pending.", row[0], orUnknown(row[1]), row[2], orUnknown(row[3]))
	}
}

func (why Why) of() string {
	if why.Queue.Live == nil || why.Queue.Live.Pending == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d that wait; %d run", why.Queue.Live.Pending, why.Queue.Live.Running)
}

func orUnknown(text string) string {
	if text == "" {
		return "an unknown number"
	}
	return text
}

// WaitsForItsTurn says whether the queue is what the run waits for, so that the operator knows its position.
func WaitsForItsTurn(run *v1alpha1.TestRun) bool {
	if run.Status.Phase != v1alpha1.PhasePending && run.Status.Phase != "" {
		return false
	}
	switch Reason(run) {
	case v1alpha1.ReasonQueued, v1alpha1.ReasonQueueNotFound, v1alpha1.ReasonQueueForbidden, v1alpha1.ReasonQueueSuspended,
		v1alpha1.ReasonConcurrencyLimit, v1alpha1.ReasonNotBefore:
		return true
	}
	return false
}
