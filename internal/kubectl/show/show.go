// Package show is what `kubectl testrun` says, in text: tables, screens, and results in the formats of other tools. It reads nothing and asks
// nobody: it gets what was seen, and the time.
package show

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/duration"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Run is a run, as it is in the cluster, or as the archive has it.
type Run struct {
	*v1alpha1.TestRun
	// Gone is when the run was seen to be deleted; nil if it is in the cluster.
	Gone *time.Time
	// Progress says how far its test is; nil if nobody knows.
	Progress *Progress
}

// Progress says how far a test is.
type Progress struct {
	Done, Failed int64
	// Total is how many cases there will be; 0 if that is not known.
	Total int64
}

// Reason says in a word where the run is, or how it ended.
func Reason(run *v1alpha1.TestRun) string {
	if c := meta.FindStatusCondition(run.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		return c.Reason
	}
	return v1alpha1.ReasonWaiting
}

// Message says the same in a sentence.
func Message(run *v1alpha1.TestRun) string {
	if c := meta.FindStatusCondition(run.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		return c.Message
	}
	return "No controller has reported on this run yet"
}

// IsFinished says whether the run has a verdict.
func IsFinished(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished }

// State is the phase of a run that has not finished, and else its verdict.
func State(run *v1alpha1.TestRun) string {
	switch {
	case run.Status.Phase == "":
		return string(v1alpha1.PhasePending)
	case run.Status.Phase == v1alpha1.PhaseFinished && run.Status.Verdict != "":
		return string(run.Status.Verdict)
	default:
		return string(run.Status.Phase)
	}
}

// States are all words of State.
var States = []string{
	string(v1alpha1.PhasePending), string(v1alpha1.PhaseInProgress), string(v1alpha1.VerdictPassed), string(v1alpha1.VerdictFailed),
	string(v1alpha1.VerdictError), string(v1alpha1.VerdictTimedOut), string(v1alpha1.VerdictCancelled),
}

// stateDeleted is that of a run which was deleted before it had finished.
const stateDeleted = "Deleted"

// stateOf is the state with what is remarkable about it.
func stateOf(run Run) string {
	state := State(run.TestRun)
	switch {
	case run.Gone != nil && !IsFinished(run.TestRun):
		return stateDeleted
	case run.Status.Flaky != nil && *run.Status.Flaky:
		return state + " (flaky)"
	case run.Status.Results.Flaky > 0 && run.Status.Verdict == v1alpha1.VerdictPassed:
		return state + " (flaky)"
	}
	return state
}

// QueueOf is the queue in which the run waits or counts, as far as its object says.
func QueueOf(run *v1alpha1.TestRun) string {
	switch {
	case run.Status.Queue != "":
		return run.Status.Queue
	case run.Spec.Queue != "":
		return run.Spec.Queue
	case run.Spec.TestSpec != nil && run.Spec.TestSpec.Queue != "":
		return run.Spec.TestSpec.Queue
	}
	return v1alpha1.DefaultQueue
}

// TestOf is the name of the Test that the run executes; empty if it defines its test itself.
func TestOf(run *v1alpha1.TestRun) string {
	if run.Spec.TestRef != nil {
		return run.Spec.TestRef.Name
	}
	return run.Status.Test
}

// tookOf is how long the test ran, or has run so far; empty if it has not.
func tookOf(run Run, now time.Time) string {
	switch {
	case run.Status.Duration != nil:
		return short(run.Status.Duration.Duration)
	case run.Status.StartTime == nil:
		return ""
	case run.Status.FinishTime != nil:
		return short(run.Status.FinishTime.Sub(run.Status.StartTime.Time))
	case run.Gone != nil:
		return ""
	default:
		return short(now.Sub(run.Status.StartTime.Time))
	}
}

// casesOf says how many of the cases passed, or how far the test is.
func casesOf(run Run) string {
	switch {
	case run.Progress != nil && !IsFinished(run.TestRun):
		text := fmt.Sprint(run.Progress.Done)
		if run.Progress.Total > 0 {
			text += fmt.Sprintf("/%d", run.Progress.Total)
		}
		if run.Progress.Failed > 0 {
			text += fmt.Sprintf(", %d failed", run.Progress.Failed)
		}
		return text
	default:
		return run.Status.Results.Summary
	}
}

// short is a duration as kubectl writes ages: 5s, 3m20s, 2d.
func short(d time.Duration) string { return duration.HumanDuration(max(d, 0)) }

// ago is the time since then, as kubectl writes ages.
func ago(then, now time.Time) string {
	if then.IsZero() {
		return ""
	}
	return short(now.Sub(then))
}

// Count is a number with its word: "1 case", "2 cases".
func Count(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// Clean is text that moves no cursor and colors nothing: whoever wrote a name or a message may mean harm. Lines and tabs stay.
func Clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if !strings.ContainsFunc(text, isHarmful) {
		return text
	}
	var clean strings.Builder
	for _, r := range text {
		if isHarmful(r) {
			fmt.Fprintf(&clean, "\\u%04x", r)
			continue
		}
		clean.WriteRune(r)
	}
	return clean.String()
}

// isHarmful says whether a terminal does something else with the character than to show it: control characters, and those that turn the
// direction of what follows.
func isHarmful(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// Line is text in one line.
func Line(text string) string {
	return Clean(strings.Join(strings.Fields(text), " "))
}

// indent puts the same in front of each line.
func indent(text, with string) string {
	lines := strings.Split(strings.TrimRight(Clean(text), "\n"), "\n")
	return with + strings.Join(lines, "\n"+with)
}
