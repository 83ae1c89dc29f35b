package show

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/queueview"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/results/junit"
	"github.com/testrun-dev/testrun/internal/results/tap"
	"github.com/testrun-dev/testrun/test/builders"
)

var now = time.Date(2026, time.January, 31, 10, 5, 0, 0, time.UTC)

// mixed are results with a case of each kind, and with names that mean something in the formats.
func mixed() Results {
	run := builders.TestRun("mixed").Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed).Build()
	return Results{
		Run: Run{TestRun: run}, Passed: 2, Failed: 1, Errored: 1, Skipped: 1, Flaky: 1,
		Cases: []Case{
			{Suite: "a.t", Name: `adds <1> & "2" # 3`, Outcome: "Passed", Took: 1500 * time.Millisecond},
			{Suite: "a.t", Name: "is flaky", Outcome: "Passed", Flaky: true, Message: "timed out at first"},
			{Suite: "b.t", Name: "fails", Outcome: "Failed", Message: "got: 3\nexpected: 4", Location: "b.t line 7"},
			{Name: "breaks", Outcome: "Errored", Message: "no such file \x00 \x1b[2J"},
			{Suite: "b.t", Name: "is skipped", Outcome: "Skipped", Message: "not today"},
		},
	}
}

// What is written for other tools is read as what it was.
func TestTheFormatsAreReadAsWhatTheyWereWrittenFrom(t *testing.T) {
	var text strings.Builder
	if err := JUnit(&text, mixed()); err != nil {
		t.Fatal(err)
	}
	fromJUnit := &results.Summary{}
	if !junit.Read(strings.NewReader(text.String()), "results.xml", fromJUnit) {
		t.Fatalf("that is no JUnit:\n%s", text.String())
	}
	expectCounts(t, "JUnit", fromJUnit, text.String())
	if fromJUnit.Flaky != 1 {
		t.Errorf("JUnit has %d flaky cases, want 1\n%s", fromJUnit.Flaky, text.String())
	}
	text.Reset()
	TAP(&text, mixed())
	fromTAP := &results.Summary{}
	reader := tap.New(fromTAP)
	_, _ = reader.Write([]byte(text.String()))
	reader.Close()
	expectCounts(t, "TAP", fromTAP, text.String())
}

func expectCounts(t *testing.T, format string, s *results.Summary, text string) {
	t.Helper()
	if s.Passed != 2 || s.Failed+s.Errored != 2 || s.Skipped != 1 || s.Defect != "" {
		t.Errorf("%s is read as %+v\n%s", format, s, text)
	}
	names := map[string]bool{}
	for _, c := range s.Cases() {
		names[c.Name] = true
	}
	for _, c := range mixed().Cases {
		if !names[c.Name] && !names[c.FullName()] {
			t.Errorf("%s lost the case %q\n%s", format, c.Name, text)
		}
	}
}

func TestARunThatHasNotPassedHasAFailingCaseInEveryFormat(t *testing.T) {
	for name, test := range map[string]struct {
		run  *v1alpha1.TestRun
		says string
	}{
		"it was lost":         {builders.TestRun("first").Finished(v1alpha1.VerdictError, v1alpha1.ReasonPodLost).Build(), "Error, PodLost: the message of PodLost"},
		"it has not finished": {builders.TestRun("first").Build(), "Pending, Waiting: No controller has reported on this run yet"},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			if err := JUnit(&text, CasesOf(Run{TestRun: test.run})); err != nil || !strings.Contains(text.String(), `errors="1"`) || !strings.Contains(text.String(), test.says) {
				t.Errorf("JUnit says %s: %v", text.String(), err)
			}
			text.Reset()
			TAP(&text, CasesOf(Run{TestRun: test.run}))
			if !strings.Contains(text.String(), "not ok 1 - TestRun: the run first passes") || !strings.Contains(text.String(), test.says) {
				t.Errorf("TAP says %s", text.String())
			}
		})
	}
	passed := builders.TestRun("first").Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed).Build()
	if more := CasesOf(Run{TestRun: passed}).whole(); len(more) != 0 {
		t.Errorf("a run that passed has the case %+v", more)
	}
}

// A reason that is added without a word about what to do fails here.
func TestThereIsAdviceForEveryReasonThatNeedsSome(t *testing.T) {
	without := []string{v1alpha1.ReasonWaiting, v1alpha1.ReasonTestPassed, v1alpha1.ReasonCancelled}
	for _, reason := range v1alpha1.Reasons {
		if (advice[reason] == "") != slices.Contains(without, reason) {
			t.Errorf("the advice for %s is %q", reason, advice[reason])
		}
	}
	for reason := range advice {
		if !slices.Contains(v1alpha1.Reasons, reason) {
			t.Errorf("there is advice for %s, which is no reason", reason)
		}
	}
}

func TestWhatTestsSayMovesNoCursor(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\nof two lines": "plain\ttext\nof two lines",
		"\x1b[2Jcleared":            `\u001b[2Jcleared`,
		"back\rfront\x08":           `back\u000dfront\u0008`,
		"c1 \u009b5m":               `c1 \u009b5m`,
		"turned \u202eround":        `turned \u202eround`,
		"a byte \x9b2J":             "a byte \uFFFD2J",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	var screen strings.Builder
	Look{Colors: true}.Results(&screen, mixed(), now, true)
	if strings.Contains(screen.String(), "\x1b[2J") {
		t.Errorf("a message clears the screen: %q", screen.String())
	}
}

func TestATableIsAsWideAsItsColumnsAndAsTheTerminal(t *testing.T) {
	run := builders.TestRun("first").Of("checkout").Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed).Build()
	run.CreationTimestamp = metav1.NewTime(now.Add(-5 * time.Minute))
	other := builders.TestRun("a-much-longer-name").Build()
	other.CreationTimestamp = run.CreationTimestamp
	var text strings.Builder
	Look{}.Runs(&text, []Run{{TestRun: run}, {TestRun: other, Progress: &Progress{Done: 3, Failed: 1, Total: 7}}}, now, false, false)
	want := `NAME                 TEST       STATE     CASES           REASON       TOOK   AGE
first                checkout   Passed                    TestPassed          5m
a-much-longer-name              Pending   3/7, 1 failed   Waiting             5m
`
	if text.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", text.String(), want)
	}
	text.Reset()
	Look{Width: 40, Colors: true}.Runs(&text, []Run{{TestRun: run}}, now, true, true)
	for _, line := range strings.Split(text.String(), "\n") {
		if plain := strings.NewReplacer("\x1b[32m", "", noColor, "").Replace(line); len([]rune(plain)) > 40 {
			t.Errorf("the line %q has %d characters, want at most 40", plain, len([]rune(plain)))
		}
	}
}

// What the status says is written by whoever may write it.
func TestWhyMovesNoCursor(t *testing.T) {
	run := builders.TestRun("harmful").Waiting("a\x1b[2Jb").Finished(v1alpha1.VerdictError, v1alpha1.ReasonQueueSuspended).Build()
	run.Status.Queue, run.Status.InFavorOf = run.Spec.Queue, "other\x1b[2J"
	run.Status.Attempts = []v1alpha1.Attempt{{Number: 1, Pod: "pod\x1b[2J", Node: "node\x1b[2J"}}
	var text strings.Builder
	Look{}.Why(&text, Why{Run: Run{TestRun: run}, Named: "harmful"}, now)
	Look{}.Results(&text, Results{Run: Run{TestRun: run}, Failed: 1, Note: "note\x1b[2J"}, now, true)
	if strings.Contains(text.String(), "\x1b") || strings.Count(text.String(), `\u001b[2J`) != 5 {
		t.Errorf("it says %q, want what is harmful five times, and harmless", text.String())
	}
}

func TestTheOutputOfATestKeepsItsColorsAndCommandsNoTerminal(t *testing.T) {
	const text = "\x1b[1;31mnot ok\x1b[0m 1 – ünï\r\n50 %\r\x1b[2J\x1b]0;title\x07\tend \u202e \x1b[31"
	const want = "\x1b[1;31mnot ok\x1b[0m 1 – ünï\r\n50 %\r" + `\u001b[2J\u001b]0;title\u0007` + "\tend " + `\u202e \u001b[31` + noColor
	for _, size := range []int{1, 2, 3, 7, len(text)} {
		var out strings.Builder
		guard := NewGuard(&out)
		for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
			if n, err := guard.Write([]byte(rest[:min(size, len(rest))])); err != nil || n != min(size, len(rest)) {
				t.Fatalf("it took %d bytes: %v", n, err)
			}
		}
		if err := guard.Close(); err != nil || out.String() != want {
			t.Errorf("in pieces of %d bytes it is\n%q: %v\nwant\n%q", size, out.String(), err, want)
		}
	}
	var out strings.Builder
	guard := NewGuard(&out)
	_, _ = guard.Write([]byte("\x1b[" + strings.Repeat("1;", 100_000)))
	if len(guard.held) > longestColor {
		t.Errorf("it holds %d bytes of a sequence without an end", len(guard.held))
	}
}

func TestAScreenHoldsAsManyRunsAsFit(t *testing.T) {
	var runs []Run
	for range 50 {
		runs = append(runs, Run{TestRun: builders.TestRun("many").Build()})
	}
	for lines := 1; lines < 10; lines++ {
		if drawn := strings.Count(Look{}.Screen(runs, now, "Runs", lines, false), "\n"); drawn > max(lines-1, 1) && lines > 1 {
			t.Errorf("of a terminal with %d lines it takes %d, want one to be left for the cursor", lines, drawn)
		}
	}
	gone := now
	if screen := (Look{}).Screen([]Run{{TestRun: builders.TestRun("one").Build(), Gone: &gone}}, now, "Runs", 24, false); !strings.Contains(screen, "Runs  1 Deleted") {
		t.Errorf("a run that was deleted is counted as something else:\n%s", screen)
	}
	screen := Look{}.Screen(runs, now, "Runs", 24, false)
	if lines := strings.Count(screen, "\n"); lines > 23 || !strings.Contains(screen, "and 31 more") || !strings.Contains(screen, "50 Pending") {
		t.Errorf("the screen has %d lines:\n%s", lines, screen)
	}
}

func TestWhySaysThePositionThatTheOperatorKnows(t *testing.T) {
	run := builders.TestRun("waits").Waiting("browsers").Build()
	run.CreationTimestamp = metav1.NewTime(now.Add(-3 * time.Minute))
	run.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Reason: v1alpha1.ReasonQueued, Message: "Waits in queue browsers"}}
	why := Why{
		Run: Run{TestRun: run}, Named: "waits", Waiting: &queueview.Run{Position: 4, Message: "Waits in queue browsers: others come first"},
		Queue: Queue{Name: "browsers", Live: &queueview.Queue{Running: 2, Pending: 9}},
	}
	var text strings.Builder
	Look{}.Why(&text, why, now)
	for _, want := range []string{
		"waits is Pending: Waits in queue browsers: others come first.\n", "It has waited for 3m, in queue browsers.", "Its position is 4 of 9 that wait; 2 run.",
		"What to do: wait for its turn. A higher priority brings it forward: kubectl patch testrun waits ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("it says\n%s\nwant %q in it", text.String(), want)
		}
	}
}
