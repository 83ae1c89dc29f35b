package controller

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

func TestARunThatFailsAndThenPassesIsFlaky(t *testing.T) {
	w := withController(t)
	test := builders.Test("suite", builders.TestSpec("./first"))
	test.Namespace = w.Namespace
	w.Create(test)
	w.Create(builders.TestRun("run").Of("suite").Retry(1, 0).Build())
	w.Exit(w.Execute("run"), corev1.ContainerStateTerminated{ExitCode: 1})
	// The Test changes, and the run does not.
	changed := test.DeepCopy()
	changed.Spec.Template.Spec.Containers[0].Command[2] = "./second"
	w.Must(w.Client.Update(w.Ctx, changed))

	second := w.WaitForPodOf("run", "2")
	if command := second.Spec.Containers[0].Command; command[len(command)-1] != "./first" {
		t.Errorf("the second attempt runs %q", command)
	}
	if identity := w.IdentityOf(second); identity.Attempt != 2 {
		t.Errorf("the second attempt is told %v", identity)
	}
	w.Exit(w.Start(second), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if !ptr.Deref(run.Status.Flaky, false) || len(run.Status.Attempts) != 2 || run.Status.Attempts[0].Verdict != v1alpha1.VerdictFailed {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
	w.waitForMetricOne("testrun_runs_flaky_total", "")
	toObjects, _ := w.requests.split()
	if jobs := slices.DeleteFunc(toObjects, func(write string) bool { return write != "POST jobs" }); len(jobs) != 2 {
		t.Errorf("%d Jobs were asked for, want 2", len(jobs))
	}
}

// A definition that is too large for its Job's annotation is read again from the Test. What cannot be squeezed is too large.
func TestARunWhoseLargeTestHasChangedHasNoFurtherAttempt(t *testing.T) {
	w := withController(t)
	spec := builders.TestSpec("true")
	for _, name := range []string{"NOISE", "MORE_NOISE"} {
		noise := make([]byte, 48<<10)
		_, _ = rand.Read(noise) // it never fails
		spec.Template.Spec.Containers[0].Env = append(spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: name, Value: base64.StdEncoding.EncodeToString(noise)})
	}
	test := builders.Test("large", spec)
	test.Namespace = w.Namespace
	w.Create(test)
	w.Create(builders.TestRun("run").Of("large").Retry(1, 0).Build())
	pod := w.Execute("run")
	test.Spec.Template.Spec.Containers[0].Command[2] = "false"
	w.Must(w.Client.Update(w.Ctx, test))
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 1})
	run := w.WaitForFinished("run", v1alpha1.VerdictError, v1alpha1.ReasonDefinitionLost, "has changed or was deleted since")
	if len(run.Status.Attempts) != 1 || len(w.Jobs()) != 1 {
		t.Errorf("the run has %d Jobs and the attempts %+v, want one of each", len(w.Jobs()), run.Status.Attempts)
	}
}

func TestADisruptedRunIsTriedAgainAndIsNotFlaky(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("run").Retry(0, 1).Build())
	w.Report(w.Schedule("run"), func(status *corev1.PodStatus) { status.Phase, status.Reason = corev1.PodFailed, "OutOfcpu" })
	w.Exit(w.Start(w.WaitForPodOf("run", "2")), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if run.Status.Flaky != nil || run.Status.Attempts[0].Reason != v1alpha1.ReasonPodRejected {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}

func TestARunCancelledBetweenAttemptsHasNoOther(t *testing.T) {
	w := withController(t)
	run := builders.TestRun("run").Retry(1, 0).Build()
	run.Spec.Retry.Backoff.Base.Duration *= 3600
	w.Create(run)
	w.Exit(w.Execute("run"), corev1.ContainerStateTerminated{ExitCode: 1})
	w.WaitForRun("run", "Retrying", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonRetrying })
	w.Cancel("run")
	run = w.WaitForFinished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	if len(run.Status.Attempts) != 1 || len(w.Jobs()) != 1 {
		t.Errorf("the attempts are %+v, with %d Jobs", run.Status.Attempts, len(w.Jobs()))
	}
}

// Two controllers may cross: one finishes the run while the other one begins a further attempt.
func TestAFurtherAttemptOfAFinishedRunIsStopped(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("run").Once().Build())
	w.Exit(w.Execute("run"), corev1.ContainerStateTerminated{ExitCode: 1})
	w.WaitForFinished("run", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	first := w.Jobs()[0]
	second := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "run-2", Namespace: w.Namespace, Labels: first.Labels, OwnerReferences: first.OwnerReferences},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: first.Spec.Template.Spec}},
	}
	w.Must(w.Client.Create(w.Ctx, second))
	w.WaitFor("the second Job is suspended", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(second), second))
		return ptr.Deref(second.Spec.Suspend, false)
	})
}

func TestAnEndThatTheNodeForgotIsPaidFromDisruption(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("run").Retry(0, 1).Build())
	w.Exit(w.Execute("run"), corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"})
	w.Exit(w.Start(w.WaitForPodOf("run", "2")), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if run.Status.Flaky != nil || run.Status.Attempts[0].Reason != v1alpha1.ReasonPodLost {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}
