package lifecycle

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

func reading(format v1alpha1.ResultsFormat) func(*v1alpha1.TestRun) {
	return func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Results.Format = format }
}

// reported is the termination message with which the runner ends.
func reported(change ...func(*results.Report)) string {
	report := &results.Report{Format: results.TAP, Final: true}
	for _, change := range change {
		change(report)
	}
	return string(report.Encode(4096))
}

func cases(outcomes ...results.Outcome) func(*results.Report) {
	return func(report *results.Report) {
		for i, outcome := range outcomes {
			report.Add(results.Case{Suite: "t/a.t", Name: fmt.Sprintf("case %d", i+1), Outcome: outcome})
		}
	}
}

func noted(defect results.Defect, message string) func(*results.Report) {
	return func(report *results.Report) { report.Note(defect, message) }
}

func flaky(name string) func(*results.Report) {
	return func(report *results.Report) {
		report.Add(results.Case{Suite: "t/a.t", Name: name, Outcome: results.Passed, Flaky: true, Message: "not at first"})
	}
}

func also(report *results.Report) { report.Also = "1 of 2 TAP cases failed: x" }

func notFinal(report *results.Report) { report.Final = false }

func notStarted(report *results.Report) { report.NotStarted = `exec: "prova": not found in PATH` }

func noFormat(report *results.Report) { report.Format = "" }

func saying(message string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Status.ContainerStatuses[0].State.Terminated.Message = message }
}

func TestExitCodeAndResultsDecideTogether(t *testing.T) {
	const notReported = "The runner could not write its report, so nobody knows what the test reported: the node's disk may be full; the end of the log says more"
	const passed, failed, errored, skipped = results.Passed, results.Failed, results.Errored, results.Skipped
	tests := map[string]struct {
		format  v1alpha1.ResultsFormat
		code    int32
		message string
		says    string // VERDICT REASON: MESSAGE
		shows   string // status.results.summary
	}{
		"all cases passed":         {"", 0, reported(cases(passed, passed)), "Passed TestPassed: 2 of 2 cases passed", "2/2"},
		"skipped is not failed":    {"", 0, reported(cases(passed, skipped)), "Passed TestPassed: 1 of 2 cases passed, 1 skipped", "1/2"},
		"all skipped":              {"TAP", 0, reported(cases(skipped)), "Passed TestPassed: 0 of 1 cases passed, 1 skipped", "0/1"},
		"cases failed":             {"", 1, reported(cases(passed, failed)), "Failed TestFailed: 1 of 2 cases failed: t/a.t: case 2 (exit code 1)", "1/2"},
		"many failed":              {"", 4, reported(cases(failed, errored, failed, failed)), "Failed TestFailed: 4 of 4 cases failed: t/a.t: case 1, t/a.t: case 2, t/a.t: case 3, … (exit code 4)", "0/4"},
		"failed with exit code 0":  {"", 0, reported(cases(passed, failed)), "Failed CasesFailed: 1 of 2 cases failed: t/a.t: case 2 although the test ended with exit code 0", "1/2"},
		"errored with exit code 0": {"", 0, reported(cases(errored)), "Failed CasesFailed: 1 of 1 cases failed: t/a.t: case 1 although the test ended with exit code 0", "0/1"},
		"passed with exit code 2":  {"", 2, reported(cases(passed)), "Failed CasesPassed: 1 of 1 cases passed, and yet the test ended with exit code 2", "1/1"},
		"flaky is passed":          {"", 0, reported(cases(passed), flaky("case 2")), "Passed TestPassed: 2 of 2 cases passed, 1 flaky: t/a.t: case 2", "2/2"},
		"flaky beside failed":      {"", 1, reported(cases(failed), flaky("case 2")), "Failed TestFailed: 1 of 2 cases failed, 1 flaky: t/a.t: case 1 (exit code 1)", "1/2"},
		"flaky with exit code 1":   {"", 1, reported(flaky("case 1")), "Failed CasesPassed: 1 of 1 cases passed, 1 flaky: t/a.t: case 1, and yet the test ended with exit code 1", "1/1"},
		"another format failed":    {"", 0, reported(cases(passed), also), "Failed CasesFailed: 1 of 1 cases passed; also 1 of 2 TAP cases failed: x although the test ended with exit code 0", "1/1"},
		"only another failed":      {"", 1, reported(also), "Failed TestFailed: No case was reported; also 1 of 2 TAP cases failed: x (exit code 1)", ""},
		"bailed out":               {"", 0, reported(cases(passed), noted(results.BailedOut, "no database")), "Failed BailedOut: no database. 1 of 1 cases passed (exit code 0)", "1/1"},
		"plan not reached":         {"", 0, reported(cases(passed), noted(results.PlanNotReached, "planned 2, ran 1.")), "Failed PlanNotReached: planned 2, ran 1. 1 of 1 cases passed (exit code 0)", "1/1"},
		"plan not reached, failed": {"", 1, reported(cases(passed, failed), noted(results.PlanNotReached, "planned 3, ran 2.")), "Failed TestFailed: 1 of 2 cases failed: t/a.t: case 2 (exit code 1); planned 3, ran 2", "1/2"},
		"the same, exit code 0":    {"", 0, reported(cases(errored), noted(results.PlanNotReached, "planned 3, ran 1")), "Failed CasesFailed: 1 of 1 cases failed: t/a.t: case 1 although the test ended with exit code 0; planned 3, ran 1", "0/1"},
		"bailed out after failing": {"", 1, reported(cases(failed), noted(results.BailedOut, "no database")), "Failed BailedOut: no database. 1 of 1 cases failed: t/a.t: case 1 (exit code 1)", "0/1"},
		"broken off":               {"JUnit", 0, reported(noted(results.Incomplete, "a.xml breaks off")), "Failed ResultsIncomplete: a.xml breaks off. No case was reported (exit code 0)", ""},
		"killed while it ran":      {"", 137, reported(cases(passed), notFinal), "Failed ResultsIncomplete: The test was killed before all of its results were read. 1 of 1 cases passed (exit code 137)", "1/1"},
		"command not found":        {"", 127, reported(notStarted, noFormat), `Error StartFailed: The command could not be executed. exec: "prova": not found in PATH`, ""},

		"nothing reported, and none demanded":      {"", 0, reported(noFormat), "Passed TestPassed: The test ended with exit code 0", ""},
		"nothing reported, and it failed":          {"", 3, reported(noFormat), "Failed TestFailed: The test ended with exit code 3", ""},
		"killed with nothing reported":             {"", 137, "", "Failed ResultsIncomplete: The test was killed before all of its results were read (exit code 137)", ""},
		"prove has run no test":                    {"", 0, reported(), "Error NoResults: No test was run: prove says NOTESTS (exit code 0)", ""},
		"prove has not found the file":             {"", 2, reported(), "Error NoResults: No test was run: prove says NOTESTS (exit code 2)", ""},
		"no TAP where it is demanded":              {"TAP", 0, reported(noFormat), "Error NoResults: No TAP was found on the test's standard output: prove, for one, prints it with -v only (exit code 0)", ""},
		"no events where they are demanded":        {"GoTest", 1, reported(noFormat), "Error NoResults: No events of go test were found on the test's standard output: it prints them with -json only (exit code 1)", ""},
		"no files where they are demanded":         {"JUnit", 0, reported(noFormat), "Error NoResults: No JUnit file with a case in it was found below $TESTRUN_RESULTS (see results.path) (exit code 0)", ""},
		"the runner's report was lost":             {"", 0, "", "Failed ResultsIncomplete: " + notReported + " (exit code 0)", ""},
		"the report was lost where it is demanded": {"TAP", 0, "", "Failed ResultsIncomplete: " + notReported + " (exit code 0)", ""},
		"somebody else's message":                  {"", 0, `{"testrun": "no"}`, "Failed ResultsIncomplete: " + notReported + " (exit code 0)", ""},
		"the runner could not report":              {"", 121, "", "Failed ResultsIncomplete: " + notReported + " (exit code 121)", ""},
		"it could report only at first":            {"", 121, reported(cases(passed), notFinal), "Failed ResultsIncomplete: " + notReported + ". 1 of 1 cases passed (exit code 121)", "1/1"},
		"the test's own exit code 121":             {"", 121, reported(noFormat), "Failed TestFailed: The test ended with exit code 121", ""},
		"the message of an image without a runner": {"None", 0, "", "Passed TestPassed: The test ended with exit code 0", ""},
		"nobody reads results":                     {"None", 0, reported(cases(failed)), "Passed TestPassed: The test ended with exit code 0", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			seen := aRun(reading(test.format)).withPod(exited(test.code, 0), saying(test.message))
			plan := Decide(seen.look(), t0)
			if got := fmt.Sprintf("%s %s: %s", plan.State.Verdict, plan.State.Reason, plan.State.Message); got != test.says {
				t.Errorf("it says\n%s, want\n%s", got, test.says)
			}
			status := NextStatus(seen.look(), plan, nil, t0)
			if got := status.Results.Summary; got != test.shows || status.Results.Truncated != nil {
				t.Errorf("it shows %q, truncated %v, want %q, all of it", got, status.Results.Truncated, test.shows)
			}
		})
	}
}

func TestARunThatWasStoppedShowsWhatItHadReported(t *testing.T) {
	seen := aRun().withPod(exited(143, 0), deadlineExceeded, saying(reported(cases(results.Passed), stoppedBy("SIGTERM"))))
	plan := Decide(seen.look(), t0)
	status := NextStatus(seen.look(), plan, nil, t0)
	if got := words(plan.State); got != "Finished TimedOut RunTimeout" || status.Results.Summary != "1/1" {
		t.Errorf("it says %q and shows %q", got, status.Results.Summary)
	}
}

func stoppedBy(signal string) func(*results.Report) {
	return func(report *results.Report) { report.Stopped = signal }
}

func memoryKills(count int64) func(*results.Report) {
	return func(report *results.Report) { report.MemoryKills = count }
}

func oomKilled(pod *corev1.Pod) {
	pod.Status.ContainerStatuses[0].State.Terminated.Reason = reasonOOMKilled
}

func TestWhoWasKilledForItsMemoryPassesOnlyWithAllCases(t *testing.T) {
	const passed, failed = results.Passed, results.Failed
	const one = "A process of the test was killed for its memory (see resources.limits.memory)"
	nothing := func(*corev1.Pod) {}
	tests := map[string]struct {
		format  v1alpha1.ResultsFormat
		code    int32
		message string
		kubelet func(*corev1.Pod)
		says    string
	}{
		"the test itself":                     {"", 137, "", oomKilled, "Failed OutOfMemory: The test exceeded its memory limit and was killed (exit code 137)"},
		"the test itself, cases passed":       {"", 137, reported(cases(passed), notFinal), oomKilled, "Failed OutOfMemory: The test exceeded its memory limit and was killed. 1 of 1 cases passed (exit code 137)"},
		"a child, and the test hides it":      {"", 0, reported(noFormat), oomKilled, "Failed OutOfMemory: " + one + " (exit code 0)"},
		"a child, seen by the runner alone":   {"", 0, reported(noFormat, memoryKills(1)), nothing, "Failed OutOfMemory: " + one + " (exit code 0)"},
		"a child, and no runner":              {"None", 0, "", oomKilled, "Failed OutOfMemory: " + one + " (exit code 0)"},
		"two children":                        {"", 1, reported(noFormat, memoryKills(2)), nothing, "Failed OutOfMemory: 2 processes of the test were killed for their memory (see resources.limits.memory) (exit code 1)"},
		"a child, and a case failed":          {"", 1, reported(cases(passed, failed), memoryKills(1)), oomKilled, "Failed OutOfMemory: " + one + ". 1 of 2 cases failed: t/a.t: case 2 (exit code 1)"},
		"a child, and the plan is unreached":  {"", 0, reported(cases(passed), noted(results.PlanNotReached, "planned 2, ran 1"), memoryKills(1)), nothing, "Failed OutOfMemory: " + one + ". 1 of 1 cases passed (exit code 0)"},
		"a child, and no results as demanded": {"TAP", 0, reported(noFormat, memoryKills(1)), nothing, "Failed OutOfMemory: " + one + " (exit code 0)"},
		"a child, and all cases passed":       {"", 0, reported(cases(passed, passed), memoryKills(1)), nothing, "Passed TestPassed: 2 of 2 cases passed. " + one},
		"the kubelet says so, all passed":     {"", 0, reported(cases(passed, passed)), oomKilled, "Passed TestPassed: 2 of 2 cases passed. " + one},
		"all passed until it was stopped":     {"", 0, reported(cases(passed), memoryKills(1), stoppedBy("SIGTERM")), nothing, "Failed OutOfMemory: " + one + ". 1 of 1 cases passed (exit code 0)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			seen := aRun(reading(test.format)).withPod(exited(test.code, 0), saying(test.message), test.kubelet)
			end := Decide(seen.look(), t0).State
			if got := fmt.Sprintf("%s %s: %s", end.Verdict, end.Reason, end.Message); got != test.says {
				t.Errorf("it says\n%s, want\n%s", got, test.says)
			}
		})
	}
}

func TestWhoWasToldToStopByAProbeOrAHookHasNotPassed(t *testing.T) {
	const told = "The test was told to stop (SIGTERM) before it had ended"
	tests := map[string]struct {
		code    int32
		message string
		event   string
		says    string
	}{
		"it exits with 0":            {0, reported(noFormat, stoppedBy("SIGTERM")), "", "Error Stopped: " + told + " (exit code 0)"},
		"it dies":                    {143, reported(noFormat, stoppedBy("SIGTERM")), "", "Error Stopped: " + told + " (exit code 143)"},
		"it is killed":               {137, reported(noFormat, notFinal, stoppedBy("SIGTERM")), "", "Error Stopped: " + told + " (exit code 137)"},
		"all cases passed":           {0, reported(cases(results.Passed), stoppedBy("SIGTERM")), "", "Error Stopped: " + told + " (exit code 0)"},
		"a case had failed":          {0, reported(cases(results.Failed), stoppedBy("SIGTERM")), "", "Failed CasesFailed: 1 of 1 cases failed: t/a.t: case 1 although the test ended with exit code 0. " + told},
		"it had bailed out":          {1, reported(noted(results.BailedOut, "no database"), stoppedBy("SIGTERM")), "", "Failed BailedOut: no database. No case was reported (exit code 1). " + told},
		"its plan is not reached":    {1, reported(cases(results.Passed), noted(results.PlanNotReached, "planned 2"), stoppedBy("SIGTERM")), "", "Error Stopped: " + told + " (exit code 1)"},
		"an event tells of a probe":  {0, reported(noFormat, stoppedBy("SIGTERM")), "Unhealthy", "Error Stopped: " + told + ". because of Unhealthy (exit code 0)"},
		"an event tells of a hook":   {0, reported(noFormat, stoppedBy("SIGTERM")), "FailedPostStartHook", "Error Stopped: " + told + ". because of FailedPostStartHook (exit code 0)"},
		"other events are no reason": {0, reported(noFormat, stoppedBy("SIGTERM")), "FailedMount", "Error Stopped: " + told + " (exit code 0)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			seen := aRun().withPod(exited(test.code, 0), saying(test.message))
			if test.event != "" {
				seen.withWarning(test.event, "because of "+test.event)
			}
			end := Decide(seen.look(), t0).State
			if got := fmt.Sprintf("%s %s: %s", end.Verdict, end.Reason, end.Message); got != test.says {
				t.Errorf("it says\n%s, want\n%s", got, test.says)
			}
		})
	}
}

// The whole way, from what a test reports to what is stored.
func TestTheStatusStaysUnder32KiBWhateverATestReports(t *testing.T) {
	for name, text := range map[string]string{
		"long Unicode":      strings.Repeat("Füße 試験 🧪 ", 500),
		"escapes of JSON":   strings.Repeat(`<&>"\`, 500),
		"control":           strings.Repeat("\x00\x1b[31m\u2028", 500),
		"invalid UTF-8":     strings.Repeat("\xff\xfe", 500),
		"hard to compress":  hardToCompress(4000),
		"nothing but lines": strings.Repeat("a\n", 2000),
		"many short cases":  strings.Repeat("case ", 14),
	} {
		t.Run(name, func(t *testing.T) {
			message := reported(func(report *results.Report) {
				for range 100_000 {
					report.Add(results.Case{Name: text, Suite: text, Outcome: results.Failed, Message: text, Location: text, Duration: 123456 * time.Millisecond})
				}
				report.Note(results.PlanNotReached, text)
			})
			if len(message) > 4096 {
				t.Errorf("the termination message is %d bytes long", len(message))
			}
			checkSize(t, message)
		})
	}
}

func hardToCompress(length int) string {
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]rune, length)
	for i := range text {
		text[i] = rune(0x4e00 + random.IntN(0x5000)) // Chinese characters
	}
	return string(text)
}

// checkSize finishes a run with that termination message: at its last attempt, and with the longest names that Kubernetes allows.
func checkSize(t *testing.T, message string) {
	t.Helper()
	long := func(length int) string { return strings.Repeat("n", length) }
	run := func(run *v1alpha1.TestRun) {
		run.Generation = math.MaxInt32
		for number := range int32(maxAttempts - 1) {
			run.Status.Attempts = append(run.Status.Attempts, v1alpha1.Attempt{
				Number: number + 1, Job: long(63), Pod: long(63), Node: long(253),
				CreateTime: new(after(0)), StartTime: new(after(0)), FinishTime: new(after(0)),
				ExitCode: new(int32(255)), Summary: "0/1000000", Verdict: v1alpha1.VerdictError, Reason: v1alpha1.ReasonInfrastructureFailed,
			})
		}
	}
	seen := aRun(run).withPod(exited(1, 0), saying(message), func(pod *corev1.Pod) { pod.Name, pod.Spec.NodeName = long(63), long(253) })
	status := NextStatus(seen.look(), Decide(seen.look(), t0), nil, t0)
	stored, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of status, %d cases of %d, %d attempts", len(stored), len(status.Results.Cases), status.Results.Total, len(status.Attempts))
	if len(stored) > 32<<10 {
		t.Errorf("the status is %d bytes long", len(stored))
	}
	if len(status.Attempts) != maxAttempts || len(status.Results.Cases) == 0 || status.Results.Truncated == nil {
		t.Errorf("%d attempts and %d cases are shown, truncated %v", len(status.Attempts), len(status.Results.Cases), status.Results.Truncated)
	}
}
