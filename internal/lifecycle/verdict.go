package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/results"
)

// verdictOfExit turns the end of the test's container and the runner's report into a verdict. The container has ended and the test has run.
// Earlier rules have dealt with what Kubernetes did to the pod.
func verdictOfExit(seen Observation) *State {
	end, report, format := testContainer(seen).Terminated, seen.Report, seen.Record.Format
	switch {
	case end == nil, end.Reason == reasonContainerStatusUnknown:
		return podLost(seen.Pod)
	case isStartError(end): // although the kubelet had reported that it ran
		return causeOfStartError(seen, end)
	case wasKilledForMemory(end, report):
		return verdictOfMemory(end, report)
	case report != nil && report.Stopped != "":
		return verdictOfStop(seen, end.ExitCode)
	case slices.Contains(seen.Record.Retry.Infrastructure, end.ExitCode):
		return Finished(v1alpha1.VerdictError, v1alpha1.ReasonInfrastructureFailed,
			fmt.Sprintf("The test says with exit code %d that what it needs failed", end.ExitCode))
	case format == v1alpha1.ResultsNone:
		return verdictOfExitCode(end.ExitCode)
	case report == nil || !report.Final:
		return incomplete(report, end.ExitCode)
	default:
		return verdictOfResults(format, report, end.ExitCode)
	}
}

// verdictOfResults is the verdict when the runner's report is complete.
func verdictOfResults(format v1alpha1.ResultsFormat, report *results.Report, code int32) *State {
	switch {
	case report.NotStarted != "" || report.Defect != "" || report.Also != "" || report.Total() > 0:
		return verdictOfReport(report, code)
	case format != v1alpha1.ResultsAuto:
		return Finished(v1alpha1.VerdictError, v1alpha1.ReasonNoResults, fmt.Sprintf("%s (exit code %d)", noResults[format], code))
	case report.Format == results.TAP: // from prove: any other TAP without a case has a defect
		return Finished(v1alpha1.VerdictError, v1alpha1.ReasonNoResults, fmt.Sprintf("No test was run: prove says NOTESTS (exit code %d)", code))
	default:
		return verdictOfExitCode(code)
	}
}

// incomplete is the verdict without a complete report. The runner is the first process of the container and always reports at its end. If
// it did not, nobody knows what the test reported, and exit code 0 alone does not pass.
func incomplete(report *results.Report, code int32) *State {
	why := "The runner could not write its report, so nobody knows what the test reported: the node's disk may be full; the end of the log says more"
	if code == exitKilled {
		why = "The test was killed before all of its results were read"
	}
	if report != nil && report.Total() > 0 {
		why += ". " + countsOf(report)
	}
	return Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonResultsIncomplete, fmt.Sprintf("%s (exit code %d)", why, code))
}

// wasKilledForMemory says whether the kernel killed the test or one of its processes for its memory. The kubelet reports this even if the
// container ended with exit code 0.
func wasKilledForMemory(end *corev1.ContainerStateTerminated, report *results.Report) bool {
	return end.Reason == reasonOOMKilled || report != nil && report.MemoryKills > 0
}

// verdictOfMemory: a test that lost a process passes only if it reports that all its cases passed.
func verdictOfMemory(end *corev1.ContainerStateTerminated, report *results.Report) *State {
	words := "A process of the test was killed for its memory (see resources.limits.memory)"
	if report != nil && report.MemoryKills > 1 {
		words = fmt.Sprintf("%d processes of the test were killed for their memory (see resources.limits.memory)", report.MemoryKills)
	}
	if end.ExitCode == exitKilled {
		words = "The test exceeded its memory limit and was killed"
	}
	if report != nil && report.Total() > 0 {
		all := verdictOfReport(report, end.ExitCode)
		if all.Verdict == v1alpha1.VerdictPassed && report.Stopped == "" {
			all.Message = fmt.Sprintf("%s. %s", all.Message, words)
			return all
		}
		words += ". " + countsOf(report)
	}
	return Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory, fmt.Sprintf("%s (exit code %d)", words, end.ExitCode))
}

// exitKilled is the exit code of a container whose first process was killed by SIGKILL.
const exitKilled = 137

// verdictOfStop is for a test that was told to stop, neither by the operator nor because of its pod. If cases had failed by then, the test
// has failed.
func verdictOfStop(seen Observation, code int32) *State {
	report := seen.Report
	told := fmt.Sprintf("The test was told to stop (%s) before it had ended", report.Stopped)
	for _, warning := range seen.Warnings {
		if slices.Contains(stoppingEvents, warning.Reason) {
			told += ". " + warning.Message
			break
		}
	}
	if report.Failed+report.Errored > 0 || report.Also != "" || report.Defect == results.BailedOut {
		end := verdictOfReport(report, code)
		end.Message = fmt.Sprintf("%s. %s", end.Message, told)
		return end
	}
	return Finished(v1alpha1.VerdictError, v1alpha1.ReasonStopped, fmt.Sprintf("%s (exit code %d)", told, code))
}

// stoppingEvents are the kubelet's events that say why it stops a container: a probe or a hook failed.
var stoppingEvents = []string{"Unhealthy", "FailedPostStartHook"}

// wasStoppedAlone says whether the test's container was told to stop but its pod was not. Then only events say why.
func wasStoppedAlone(seen Observation) bool {
	return seen.Report != nil && seen.Report.Stopped != "" && PodHasEnded(seen.Pod) && seen.Pod.DeletionTimestamp.IsZero() &&
		podCondition(seen.Pod, corev1.DisruptionTarget) == nil && seen.Pod.Status.Reason != reasonDeadlineExceeded
}

func verdictOfExitCode(code int32) *State {
	if code == 0 {
		return Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "The test ended with exit code 0")
	}
	return Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, fmt.Sprintf("The test ended with exit code %d", code))
}

// noResults says for each format that can be demanded what was looked for, and where.
var noResults = map[v1alpha1.ResultsFormat]string{
	v1alpha1.ResultsTAP:    "No TAP was found on the test's standard output: prove, for one, prints it with -v only",
	v1alpha1.ResultsGoTest: "No events of go test were found on the test's standard output: it prints them with -json only",
	v1alpha1.ResultsJUnit:  "No JUnit file with a case in it was found below $" + v1alpha1.EnvResults + " (see results.path)",
}

// reasonsOfDefects maps each defect of results to a reason of the API.
var reasonsOfDefects = map[results.Defect]string{
	results.BailedOut:      v1alpha1.ReasonBailedOut,
	results.PlanNotReached: v1alpha1.ReasonPlanNotReached,
	results.Incomplete:     v1alpha1.ReasonResultsIncomplete,
}

// verdictOfReport: incomplete results never pass, and neither does an exit code other than 0. A plan is often not reached because a case
// failed, so failed cases give the reason first.
func verdictOfReport(report *results.Report, code int32) *State {
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
		return commandFailed(report)
	case report.Defect != "" && !afterFailure:
		return Finished(v1alpha1.VerdictFailed, reasonsOfDefects[report.Defect], fmt.Sprintf("%s. %s (exit code %d)", why, counts, code))
	case !report.Final:
		return incomplete(report, code)
	case failed && code == 0:
		return Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed, counts+" although the test ended with exit code 0"+plan)
	case failed:
		return Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed, fmt.Sprintf("%s (exit code %d)%s", counts, code, plan))
	case code != 0:
		return Finished(v1alpha1.VerdictFailed, v1alpha1.ReasonCasesPassed,
			fmt.Sprintf("%s, and yet the test ended with exit code %d", counts, code))
	default:
		return Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, counts)
	}
}

// firstFailing is how many failing or flaky cases a message names.
const firstFailing = 3

// countsOf describes how the cases ended, and names the first ones that failed. If none failed, it names the first flaky ones.
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

// namesOf lists the first of the count cases that are selected, after a colon; it is empty if there are none.
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
func causeOfNotRunning(seen Observation) *State {
	for _, status := range seen.Pod.Status.InitContainerStatuses {
		if end := status.State.Terminated; end != nil && end.ExitCode != 0 {
			return Finished(v1alpha1.VerdictError, v1alpha1.ReasonInitFailed,
				fmt.Sprintf("Init container %s ended with exit code %d", status.Name, end.ExitCode))
		}
	}
	switch end := testContainer(seen).Terminated; {
	case commandNotStarted(seen):
		return commandFailed(seen.Report)
	case end == nil:
		return Finished(v1alpha1.VerdictError, v1alpha1.ReasonPodRejected, fmt.Sprintf("The node did not run the pod. %s", podMessage(seen.Pod)))
	case end.Reason == reasonContainerStatusUnknown:
		return podLost(seen.Pod)
	default:
		return causeOfStartError(seen, end)
	}
}

// commandFailed says why the command could not be executed. Without a report not even the runner was executed: the arguments and variables
// are too large. The known ones were checked before the Job was created (argumentsTooLong), but a ConfigMap, a Secret or many Services may
// add more.
func commandFailed(report *results.Report) *State {
	if report == nil {
		return Finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, fmt.Sprintf("The command could not be executed (exit code %d): "+
			"its arguments and variables may be larger than Linux takes, 128 KiB for one and 2 MiB for all; the log says more", exitNotExecuted))
	}
	return Finished(v1alpha1.VerdictError, v1alpha1.ReasonStartFailed, "The command could not be executed. "+report.NotStarted)
}

func podLost(pod *corev1.Pod) *State {
	return Finished(v1alpha1.VerdictError, v1alpha1.ReasonPodLost, fmt.Sprintf("The node does not know how the test ended. %s", podMessage(pod)))
}

// podMessage is Kubernetes' reason and message for the pod as a whole.
func podMessage(pod *corev1.Pod) string {
	return strings.Trim(pod.Status.Reason+": "+pod.Status.Message, ": ")
}
