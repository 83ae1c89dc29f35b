package testrun

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// verdictOfExit turns the end of the test's container, and what the runner reported, into a verdict. The pod has ended, and
// the test has run.
func verdictOfExit(seen observation) *state {
	end := testContainer(seen).Terminated
	switch {
	case end == nil, end.Reason == reasonContainerStatusUnknown:
		return forgotten(seen.pod)
	case end.Reason == reasonOOMKilled && end.ExitCode != 0:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory,
			fmt.Sprintf("The test exceeded its memory limit and was killed (exit code %d)", end.ExitCode))
	case slices.Contains(retryPolicyOf(seen.job).Infrastructure, end.ExitCode):
		return finished(v1alpha1.VerdictError, v1alpha1.ReasonInfrastructureFailed,
			fmt.Sprintf("The test says with exit code %d that what it needs failed", end.ExitCode))
	}
	format := formatReadOf(seen.job)
	report := reportOf(seen)
	switch {
	case format == v1alpha1.ResultsNone:
		return verdictOfExitCode(end.ExitCode)
	case report == nil || report.NotStarted == "" && report.Defect == "" && report.Also == "" && report.Total() == 0:
		if format != v1alpha1.ResultsAuto {
			return finished(v1alpha1.VerdictError, v1alpha1.ReasonNoResults, fmt.Sprintf("%s (exit code %d)", noResults[format], end.ExitCode))
		}
		return verdictOfExitCode(end.ExitCode)
	default:
		return verdictOfReport(report, end.ExitCode)
	}
}

func verdictOfExitCode(code int32) *state {
	if code == 0 {
		return finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "The test ended with exit code 0")
	}
	return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, fmt.Sprintf("The test ended with exit code %d", code))
}

// noResults says of each format that can be demanded what was looked for, and where.
var noResults = map[v1alpha1.ResultsFormat]string{
	v1alpha1.ResultsTAP:    "No TAP was found on the test's standard output: prove, for one, prints it with -v only",
	v1alpha1.ResultsGoTest: "No events of go test were found on the test's standard output: it prints them with -json only",
	v1alpha1.ResultsJUnit:  "No JUnit file with a case in it was found below $" + v1alpha1.EnvResults + " (see results.path)",
}

// reasonsOfDefects gives the API's word for each defect of results.
var reasonsOfDefects = map[results.Defect]string{
	results.BailedOut:      v1alpha1.ReasonBailedOut,
	results.PlanNotReached: v1alpha1.ReasonPlanNotReached,
	results.Incomplete:     v1alpha1.ReasonResultsIncomplete,
}

// verdictOfReport: results that are not whole never pass, and neither does an exit code other than 0. That a plan was not reached
// is often a consequence of a failure: cases that failed name the reason first.
func verdictOfReport(report *results.Report, code int32) *state {
	failed := report.Failed+report.Errored > 0 || report.Also != ""
	counts := countsOf(report)
	why := strings.TrimSuffix(report.DefectMessage, ".")
	afterFailure := failed && report.Defect == results.PlanNotReached
	plan := ""
	if afterFailure {
		plan = "; " + why
	}
	switch {
	case report.NotStarted != "":
		return finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, "The command could not be executed. "+report.NotStarted)
	case report.Defect != "" && !afterFailure:
		return finished(v1alpha1.VerdictFailed, reasonsOfDefects[report.Defect], fmt.Sprintf("%s. %s (exit code %d)", why, counts, code))
	case !report.Final:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonResultsIncomplete,
			fmt.Sprintf("The test was killed before all of its results were read. %s (exit code %d)", counts, code))
	case failed && code == 0:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed, counts+" although the test ended with exit code 0"+plan)
	case failed:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, fmt.Sprintf("%s (exit code %d)%s", counts, code, plan))
	case code != 0:
		return finished(v1alpha1.VerdictFailed, v1alpha1.ReasonCasesPassed,
			fmt.Sprintf("%s, and yet the test ended with exit code %d", counts, code))
	default:
		return finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, counts)
	}
}

// firstFailing is how many failing or flaky cases a message names.
const firstFailing = 3

// countsOf says in words how the cases ended, and names the first that failed. If none did, it names the first flaky ones.
func countsOf(report *results.Report) string {
	failed := report.Failed + report.Errored
	counts := fmt.Sprintf("%d of %d cases passed", report.Passed, report.Total())
	switch {
	case report.Total() == 0:
		counts = "No case was reported"
	case failed > 0:
		counts = fmt.Sprintf("%d of %d cases failed", failed, report.Total())
	}
	if report.Skipped > 0 {
		counts += fmt.Sprintf(", %d skipped", report.Skipped)
	}
	if report.Flaky > 0 {
		counts += fmt.Sprintf(", %d flaky", report.Flaky)
	}
	if failed > 0 {
		counts += namesOf(report, failed, func(c results.Case) bool { return isFailing(c.Outcome) })
	} else {
		counts += namesOf(report, report.Flaky, func(c results.Case) bool { return c.Flaky })
	}
	if report.Also != "" {
		counts += "; also " + report.Also
	}
	return counts
}

// namesOf lists the first of so many cases, after a colon; it is empty if there are none.
func namesOf(report *results.Report, count int64, listed func(results.Case) bool) string {
	var names []string
	for _, c := range report.Cases() {
		if listed(c) && len(names) < firstFailing {
			names = append(names, strings.Trim(c.Suite+": "+c.Name, ": "))
		}
	}
	switch {
	case len(names) == 0:
		return ""
	case int64(len(names)) < count:
		names = append(names, "…")
	}
	return ": " + strings.Join(names, ", ")
}

func isFailing(outcome results.Outcome) bool {
	return outcome == results.Failed || outcome == results.Errored
}

// causeOfNotRunning says why a pod ended without having run the test.
func causeOfNotRunning(seen observation) *state {
	for _, status := range seen.pod.Status.InitContainerStatuses {
		if end := status.State.Terminated; end != nil && end.ExitCode != 0 {
			return finished(v1alpha1.VerdictError, v1alpha1.ReasonInitFailed,
				fmt.Sprintf("Init container %s ended with exit code %d", status.Name, end.ExitCode))
		}
	}
	switch end := testContainer(seen).Terminated; {
	case end == nil:
		return finished(v1alpha1.VerdictError, v1alpha1.ReasonPodRejected, fmt.Sprintf("The node did not run the pod. %s", podWords(seen.pod)))
	case end.Reason == reasonContainerStatusUnknown:
		return forgotten(seen.pod)
	default:
		return finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, fmt.Sprintf("The command could not be executed. %s", end.Message))
	}
}

func forgotten(pod *corev1.Pod) *state {
	return finished(v1alpha1.VerdictError, v1alpha1.ReasonPodLost, fmt.Sprintf("The node does not know how the test ended. %s", podWords(pod)))
}

// podWords is what Kubernetes says of the pod as a whole.
func podWords(pod *corev1.Pod) string {
	return strings.Trim(pod.Status.Reason+": "+pod.Status.Message, ": ")
}
