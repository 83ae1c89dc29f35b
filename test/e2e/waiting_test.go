package e2e

import (
	"fmt"
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func TestARunWithoutItsTestDelaysNobodyAndEndsAsAnError(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("lost").Of("nowhere").Build())
	w.WaitForPending("lost", v1alpha1.ReasonTestNotFound)
	var good []string
	for i := range 10 {
		good = append(good, fmt.Sprintf("good-%d", i))
		w.Create(builders.TestRun(good[i]).Build())
	}
	w.WaitFor("each of the ten has its Job", func() bool { return w.history.allJobs() == len(good) })
	if run := w.Run("lost"); run.Status.Phase != v1alpha1.PhasePending {
		t.Errorf("run lost is %s by the time that the ten beside it have their Jobs, want it still Pending", run.Status.Phase)
	}
	w.WaitForPassed(good...)
	w.WaitForFinished("lost", v1alpha1.VerdictError, v1alpha1.ReasonTestNotFound, `There is no Test "nowhere"`, "none appeared within 30s")
	if jobs := w.history.jobsOf("lost"); jobs != 0 {
		t.Errorf("run lost had %d Jobs, want none", jobs)
	}
}

func TestATestThatArrivesLateIsRunAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("early").Of("suite").Build())
	w.WaitForPending("early", v1alpha1.ReasonTestNotFound)
	w.Create(builders.Test("suite", builders.TestSpec("true")))
	w.WaitForPassed("early")
}

func TestADefinitionIsFrozenWhenTheRunStarts(t *testing.T) {
	w := newWorld(t)
	test := builders.Test("suite", builders.TestSpec("sleep 4; echo as it was"))
	w.Create(test)
	w.Create(builders.TestRun("frozen").Of("suite").Build())
	w.WaitForInProgress("frozen")
	test.Spec = builders.TestSpec("echo changed; exit 1")
	w.Must(w.Client.Update(w.Ctx, test))
	w.Must(w.Client.Delete(w.Ctx, test))
	w.WaitForPassed("frozen")
	w.expectLogs("frozen", "as it was")
}

func TestWhileInitContainersRunTheRunIsPendingAndSaysSo(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("slow-start").Running(prepared(tenSeconds)).Build())
	w.WaitForPassed("slow-start")
	if !w.history.was("slow-start", v1alpha1.PhasePending, v1alpha1.ReasonInitializing) {
		t.Errorf("the run was never Pending with reason Initializing; it went through %s", w.history.of("slow-start"))
	}
}
