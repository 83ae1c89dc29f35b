package e2e

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

// Nothing here is parallel: what fails here is what all runs need.

// component gives a command to hack/cluster: stop, kill or start a part of the local cluster. A part that has been ended is
// started again when the test is over, whatever comes in between.
func (w *world) component(verb, name string) {
	w.T.Helper()
	command := exec.Command("go", "run", "-C", fromRoot("hack", "cluster"), ".", verb, name)
	if output, err := command.CombinedOutput(); err != nil {
		w.T.Fatalf("%s %s: %v\n%s", verb, name, err, output)
	}
	if verb != "start" {
		w.T.Cleanup(func() {
			_ = exec.Command("go", "run", "-C", fromRoot("hack", "cluster"), ".", "start", name).Run() // it may run
		})
	}
}

// someRuns creates runs at each stage, and returns what checks that none of them noticed anything: a test that runs, one that
// is being prepared, one that will fail, and one that comes to a Test that is not there yet.
func (w *world) someRuns() (unharmed func()) {
	w.T.Helper()
	w.Create(builders.TestRun("running").Running(builders.TestSpec("echo begun; sleep 15")).Build())
	w.Create(builders.TestRun("starting").Running(prepared(tenSeconds)).Build())
	w.Create(builders.TestRun("failing").Running(builders.TestSpec("sleep 15; echo 1..1; echo not ok 1; exit 1")).Build())
	w.WaitForInProgress("running")
	w.WaitForInProgress("failing")
	w.preparing("starting")
	return func() {
		w.T.Helper()
		w.WaitForPassed("running", "starting")
		w.WaitForFinished("failing", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
		w.Create(builders.TestRun("afterwards").Build())
		w.WaitForPassed("afterwards")
		for _, run := range []string{"running", "starting", "failing", "afterwards"} {
			if jobs := w.history.jobsOf(run); jobs != 1 {
				w.T.Errorf("run %s had %d Jobs, want 1 ever", run, jobs)
			}
		}
	}
}

func TestRunsDoNotNoticeThatAPartOfTheClusterIsRestarted(t *testing.T) {
	for _, parts := range [][]string{{"kubelet"}, {"containerd"}, {"kube-controller-manager"}, {"kube-apiserver"}, {"etcd", "kube-apiserver"}} {
		t.Run(fmt.Sprint(parts), func(t *testing.T) {
			w := newSerialWorld(t)
			w.history.expectGaps()
			unharmed := w.someRuns()
			for _, part := range parts {
				w.component("kill", part)
			}
			for _, part := range parts {
				w.component("start", part)
			}
			w.WaitFor("the API server answers", func() bool { return w.Client.List(w.Ctx, &corev1.NodeList{}) == nil })
			unharmed()
		})
	}
}

func TestARunSaysThatNobodyMakesThePodOfItsJob(t *testing.T) {
	w := newSerialWorld(t)
	w.component("stop", "kube-controller-manager")
	w.Create(builders.TestRun("run").Build())
	w.WaitForPending("run", v1alpha1.ReasonCreatingPod)
	w.component("start", "kube-controller-manager")
	w.WaitForPassed("run")
}

// A node that says nothing for some 40 seconds is called silent by Kubernetes.
func TestANodeThatGoesSilent(t *testing.T) {
	w := newSerialWorld(t)
	slow := builders.TestSpec("echo begun; sleep 100")
	w.Create(builders.TestRun("patient").Running(slow).Build())
	w.Create(builders.TestRun("lost").Running(slow).Retry(0, 2).UnreachableTimeout(5 * time.Second).Build())
	w.Create(builders.TestRun("cancelled").Running(slow).UnreachableTimeout(5 * time.Second).Build())
	w.Create(builders.TestRun("replaced").Running(builders.TestSpec("test $TESTRUN_ATTEMPT = 2 || sleep 600")).
		Retry(0, 1).Replacing().UnreachableTimeout(5 * time.Second).Build())
	names := []string{"patient", "lost", "cancelled", "replaced"}
	for _, name := range names {
		w.WaitForInProgress(name)
	}
	w.component("stop", "kubelet")
	w.Cancel("cancelled")
	run := w.WaitForFinished("lost", v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable, "has been silent for 5s", "may still run")
	if !w.history.was("lost", v1alpha1.PhaseInProgress, v1alpha1.ReasonNodeUnreachable) || len(run.Status.Attempts) != 1 {
		t.Errorf("the run went through %v, with attempts %+v", w.history.of("lost"), run.Status.Attempts)
	}
	w.WaitForFinished("cancelled", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	w.WaitFor("another attempt replaces the one on the silent node", func() bool { return w.history.jobsOf("replaced") == 2 })
	w.WaitForRun("patient", "InProgress (NodeUnreachable)", func(run *v1alpha1.TestRun) bool {
		return run.Status.Phase == v1alpha1.PhaseInProgress && conditions.Reason(run) == v1alpha1.ReasonNodeUnreachable
	})

	w.component("start", "kubelet")
	w.WaitForPassed("patient")
	w.WaitForFinished("replaced", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "attempt 2")
	for _, name := range names {
		w.WaitFor("no pod of "+name+" runs any more", func() bool { return !w.hasLivePod(name) })
	}
	w.WaitForFinished("lost", v1alpha1.VerdictError, v1alpha1.ReasonNodeUnreachable)
}

func TestADrainedNodeDelaysARunThatHasAttemptsLeft(t *testing.T) {
	w := newSerialWorld(t)
	w.Create(builders.TestRun("moved").Running(builders.TestSpec("test $TESTRUN_ATTEMPT = 2 || sleep 600")).Retry(0, 1).Build())
	w.WaitForInProgress("moved")
	node := w.waitForPod("moved").Spec.NodeName
	defer w.mustKubectl("uncordon", node)
	w.mustKubectl("drain", node, "--pod-selector="+v1alpha1.LabelRun+"=moved", "--ignore-daemonsets", "--timeout=60s")
	w.WaitForRun("moved", "InProgress (Unschedulable)", func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonUnschedulable })
	w.mustKubectl("uncordon", node)
	w.expectSecondAttempt("moved", v1alpha1.ReasonDisrupted, false)
}
