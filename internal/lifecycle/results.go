package lifecycle

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// reportIn is the report that the runner left in the termination message of the test's container; nil if there is none.
func reportIn(end *corev1.ContainerStateTerminated, format v1alpha1.ResultsFormat) *results.Report {
	if end == nil || format == v1alpha1.ResultsNone {
		return nil
	}
	_, report := results.Split(end.Message)
	return report
}

// resultsOf is the report as the status shows it; empty if there is no report, or no case in it. Its size is bounded, because that of a
// decoded report is.
func resultsOf(report *results.Report) v1alpha1.Results {
	if report == nil || report.Format == "" || report.Total() == 0 {
		return v1alpha1.Results{}
	}
	shown := v1alpha1.Results{
		Format:  v1alpha1.ResultsFormat(report.Format),
		Summary: fmt.Sprintf("%d/%d", report.Passed, report.Total()),
		Total:   report.Total(), Passed: report.Passed, Failed: report.Failed, Errored: report.Errored, Skipped: report.Skipped,
		Flaky:    report.Flaky,
		Duration: durationOf(report.Duration),
	}
	for _, c := range report.Cases() {
		shown.Cases = append(shown.Cases, caseOf(c))
	}
	if int64(len(shown.Cases)) < shown.Total {
		shown.Truncated = ptr.To(true)
	}
	return shown
}

func caseOf(c results.Case) v1alpha1.Case {
	shown := v1alpha1.Case{
		Name: c.Name, Suite: c.Suite, Outcome: v1alpha1.Outcome(c.Outcome), Duration: durationOf(c.Duration),
		Location: c.Location, Message: c.Message,
	}
	if c.Flaky {
		shown.Flaky = ptr.To(true)
	}
	return shown
}

// maxStatus is how large a status may be, in bytes of JSON.
const maxStatus = 32 << 10

// bound drops cases from the end, the least important ones, until the status fits into maxStatus. The attempts of a run may take up most of
// that. All other fields have bounds of their own.
func bound(status *v1alpha1.TestRunStatus) {
	shown := &status.Results
	for n := len(shown.Cases); n > 0 && sizeOf(status) > maxStatus; n-- {
		shown.Cases, shown.Truncated = shown.Cases[:n-1], ptr.To(true)
	}
}

func sizeOf(status *v1alpha1.TestRunStatus) int {
	encoded, err := json.Marshal(status)
	if err != nil {
		panic(err) // JSON can encode every field
	}
	return len(encoded)
}

func durationOf(d time.Duration) *metav1.Duration {
	if d == 0 {
		return nil
	}
	return &metav1.Duration{Duration: d}
}
