package lifecycle

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

// VerdictOfEnd is the verdict of a run whose test ended by itself with this exit code and this report of the runner. It makes the
// operator's decision without a cluster.
func VerdictOfEnd(format v1alpha1.ResultsFormat, code int32, report string) (verdict v1alpha1.Verdict, reason, message string) {
	const container = "test"
	phase := corev1.PodSucceeded
	if code != 0 {
		phase = corev1.PodFailed
	}
	seen := Observation{
		Job: &batchv1.Job{},
		Pod: &corev1.Pod{Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{
			Name: container, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: report}},
		}}}},
	}
	seen.Record = jobspec.Record{Container: container, Format: format}
	seen.Report = reportIn(testContainer(seen).Terminated, format)
	end := verdictOfExit(seen)
	return end.Verdict, end.Reason, end.Message
}
