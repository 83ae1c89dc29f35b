package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// suffixed gives the names of a folder's objects a suffix, as docs/gitops.md says: one name a release.
func suffixed(suffix string) string {
	return fmt.Sprintf("kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nresources: [run.yaml]\nnameSuffix: -%s\n", suffix)
}

const deployed = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deployed}\ndata: {version: %q}\n"

func TestFluxGoesOnOnlyOnceTheRunHasPassed(t *testing.T) {
	f := inFlux(newWorld(t))
	broken := f.commit(map[string]string{
		"gate/run.yaml": runFile("shop", "echo 1..1; echo not ok 1 - pays in euros", "", ""), "gate/kustomization.yaml": suffixed("1"),
		"after/deployed.yaml": fmt.Sprintf(deployed, "1"),
	})
	f.apply("gate")
	f.apply("after", dependingOn("gate"))
	f.WaitFor("Flux has applied the run", func() bool { return f.exists("shop-1") })
	f.WaitForFinished("shop-1", v1alpha1.VerdictFailed, v1alpha1.ReasonCasesFailed)
	f.waitForNotReady("gate", broken, "HealthCheckFailed", "TestRun/"+f.Namespace+"/shop-1 status: 'Failed'")
	f.waitForNotReady("after", "", "DependencyNotReady", "dependency '"+f.Namespace+"/gate' is not ready")
	if err := f.Client.Get(f.Ctx, f.Key("deployed"), &corev1.ConfigMap{}); err == nil {
		t.Error("what depends on the run was applied although the run has failed")
	}
	mended := f.commit(map[string]string{
		"gate/run.yaml": runFile("shop", "sleep 2; echo 1..1; echo ok 1 - pays in euros", "", ""), "gate/kustomization.yaml": suffixed("2"),
		"after/deployed.yaml": fmt.Sprintf(deployed, "2"),
	})
	f.waitForReady("gate", mended)
	f.WaitForPassed("shop-2")
	f.waitForReady("after", mended)
	if f.exists("shop-1") {
		t.Error("the run that left git was not pruned")
	}
	f.Must(f.Client.Get(f.Ctx, f.Key("deployed"), &corev1.ConfigMap{}))
}

func TestFluxLeavesARunAloneHoweverOftenItIsAppliedAgain(t *testing.T) {
	f := inFlux(newWorld(t))
	revision := f.commit(map[string]string{"again/run.yaml": runFile("again", "exit 0", "", "ttlAfterFinished: 60m")})
	f.apply("again")
	f.waitForReady("again", revision)
	before := f.Run("again")
	for range 2 {
		f.lookAgain("again")
	}
	if after := f.Run("again"); after.UID != before.UID || after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the run was changed by applying it again: resourceVersion %s, was %s", after.ResourceVersion, before.ResourceVersion)
	}
}

func TestFluxSaysThatTheSpecOfARunCannotChangeAndWhatToDo(t *testing.T) {
	f := inFlux(newWorld(t))
	ways := map[string]string{
		"plain": "", "forced": "kustomize.toolkit.fluxcd.io/force: enabled", "once": "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent",
	}
	files := func(script string) map[string]string {
		files := map[string]string{}
		for name, annotations := range ways {
			files[name+"/run.yaml"] = runFile(name, script, annotations, "")
		}
		return files
	}
	first := f.commit(files("exit 0"))
	before := map[string]types.UID{}
	for name := range ways {
		f.apply(name)
		f.waitForReady(name, first)
		before[name] = f.Run(name).UID
	}
	second := f.commit(files("exit 0; echo changed"))
	f.waitForNotReady("plain", second, "ReconciliationFailed", "testSpec cannot be changed: create a new TestRun")
	f.waitForReady("forced", second)
	f.waitForReady("once", second)
	f.WaitForPassed("plain", "forced", "once")
	for name := range ways {
		if again := f.Run(name).UID != before[name]; again != (name == "forced") {
			t.Errorf("run %s was executed again: %t", name, again)
		}
	}
}

func TestFluxBringsBackARunThatItsTTLHasDeletedUnlessItIsPinned(t *testing.T) {
	f := inFlux(newWorld(t))
	revision := f.commit(map[string]string{
		"kept/back.yaml":   runFile("back", "exit 0", "", "ttlAfterFinished: 15s"),
		"kept/pinned.yaml": runFile("pinned", "exit 0", `testrun.dev/pinned: "true"`, "ttlAfterFinished: 15s"),
	})
	f.apply("kept", func(spec map[string]any) { spec["wait"] = false }) // a run that its TTL deletes meanwhile would be waited for
	f.waitForReady("kept", revision)
	back, pinned := f.Run("back").UID, f.Run("pinned").UID
	f.WaitFor("the TTL has deleted the run", func() bool { return !f.exists("back") })
	f.lookAgain("kept")
	if f.Run("back").UID == back {
		t.Error("the run is still the one that its TTL had deleted")
	}
	// What docs/gitops.md says to do.
	revision = f.commit(map[string]string{"kept/back.yaml": runFile("back", "exit 0", "", "")})
	f.waitForReady("kept", revision)
	f.WaitForPassed("back", "pinned")
	back = f.Run("back").UID
	f.lookAgain("kept")
	f.expectKept("back", back)
	f.expectKept("pinned", pinned)
	f.commit(map[string]string{"kept/back.yaml": ""})
	f.WaitFor("the run that left git is pruned", func() bool { return !f.exists("back") })
	f.expectKept("pinned", pinned)
}

func (f *fluxWorld) expectKept(run string, uid types.UID) {
	f.T.Helper()
	if now := f.Run(run).UID; now != uid {
		f.T.Errorf("run %s is another one than before", run)
	}
}

func TestFluxTakesBackWhatPeopleChangeWithKubectlAndARunThatWasCancelledStaysSo(t *testing.T) {
	f := inFlux(newWorld(t))
	revision := f.commit(map[string]string{"hands/run.yaml": runFile("hands", "sleep 600", "", "priority: 5")})
	f.apply("hands", func(spec map[string]any) { spec["wait"] = false })
	f.WaitFor("the run is there", func() bool { return f.exists("hands") })
	f.WaitForInProgress("hands")
	f.mustKubectl("patch", "testrun", "hands", "--type=merge", `--patch={"spec": {"priority": 7}}`)
	f.lookAgain("hands")
	f.WaitForRun("hands", "back at the priority of git", func(run *v1alpha1.TestRun) bool { return *run.Spec.Priority == 5 })
	f.mustKubectl("patch", "testrun", "hands", "--type=merge", `--patch={"spec": {"cancel": true}}`)
	f.WaitForFinished("hands", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	f.lookAgain("hands")
	f.waitForReady("hands", revision)
	run := f.WaitForRun("hands", "without the cancel, and seen so", func(run *v1alpha1.TestRun) bool {
		return run.Spec.Cancel == nil && run.Status.ObservedGeneration == run.Generation
	})
	if run.Status.Verdict != v1alpha1.VerdictCancelled {
		t.Errorf("the run is %s now, want it Cancelled as before", run.Status.Verdict)
	}
}
