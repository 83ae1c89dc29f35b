package controller

import (
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
	test.Namespace = w.namespace
	w.create(test)
	w.create(builders.TestRun("run").Of("suite").Retry(1, 0).Build())
	w.exit(w.execute("run"), corev1.ContainerStateTerminated{ExitCode: 1})
	// The Test changes, and the run does not.
	changed := test.DeepCopy()
	changed.Spec.Template.Spec.Containers[0].Command[2] = "./second"
	w.must(w.client.Update(w.ctx, changed))

	second := w.podOf("run", "2")
	if command := second.Spec.Containers[0].Command; command[len(command)-1] != "./first" {
		t.Errorf("the second attempt runs %q", command)
	}
	if env := second.Spec.Containers[0].Env; !slices.Contains(env, corev1.EnvVar{Name: v1alpha1.EnvAttempt, Value: "2"}) {
		t.Errorf("the second attempt is told %v", env)
	}
	w.exit(w.start(second), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.finished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if !ptr.Deref(run.Status.Flaky, false) || len(run.Status.Attempts) != 2 || run.Status.Attempts[0].Verdict != v1alpha1.VerdictFailed {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
	w.becomesOne("testrun_runs_flaky_total", "")
	toObjects, _ := w.requests.split()
	if jobs := slices.DeleteFunc(toObjects, func(write string) bool { return write != "POST jobs" }); len(jobs) != 2 {
		t.Errorf("%d Jobs were asked for, want 2", len(jobs))
	}
}

func TestADisruptedRunIsTriedAgainAndIsNotFlaky(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("run").Retry(0, 1).Build())
	w.report(w.schedule("run"), func(status *corev1.PodStatus) { status.Phase, status.Reason = corev1.PodFailed, "OutOfcpu" })
	w.exit(w.start(w.podOf("run", "2")), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.finished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if run.Status.Flaky != nil || run.Status.Attempts[0].Reason != v1alpha1.ReasonPodRejected {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}

func TestARunCancelledBetweenAttemptsHasNoOther(t *testing.T) {
	w := withController(t)
	run := builders.TestRun("run").Retry(1, 0).Build()
	run.Spec.Retry.Backoff.Base.Duration *= 3600
	w.create(run)
	w.exit(w.execute("run"), corev1.ContainerStateTerminated{ExitCode: 1})
	w.runUntil("run", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonRetrying })
	w.cancel("run")
	run = w.finished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	if len(run.Status.Attempts) != 1 || len(w.jobs()) != 1 {
		t.Errorf("the attempts are %+v, with %d Jobs", run.Status.Attempts, len(w.jobs()))
	}
}

// Two controllers may cross: one finishes the run while the other one begins a further attempt.
func TestAFurtherAttemptOfAFinishedRunIsStopped(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("run").Once().Build())
	w.exit(w.execute("run"), corev1.ContainerStateTerminated{ExitCode: 1})
	w.finished("run", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	first := w.jobs()[0]
	second := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "run-2", Namespace: w.namespace, Labels: first.Labels, OwnerReferences: first.OwnerReferences},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: first.Spec.Template.Spec}},
	}
	w.must(w.client.Create(w.ctx, second))
	w.eventually("the second Job is suspended", func() bool {
		w.must(w.client.Get(w.ctx, client.ObjectKeyFromObject(second), second))
		return ptr.Deref(second.Spec.Suspend, false)
	})
}

func TestAnEndThatTheNodeForgotIsPaidFromDisruption(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("run").Retry(0, 1).Build())
	w.exit(w.execute("run"), corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"})
	w.exit(w.start(w.podOf("run", "2")), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.finished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if run.Status.Flaky != nil || run.Status.Attempts[0].Reason != v1alpha1.ReasonPodLost {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
}
