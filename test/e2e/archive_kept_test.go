package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func kitKey(namespace, name string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: name}
}

// large is a suite of that many cases, each with that many lines of 80 bytes, and what it prints.
func large(cases, lines int) (spec v1alpha1.TestSpec, printed string) {
	const script = `print "1..%d\n"; for my $i (1..%d) { print "# ", "x" x 77, "\n" for 1..%d; print "ok $i - case $i\n" }`
	spec = executing("perl", "-e", fmt.Sprintf(script, cases, cases, lines))
	var all strings.Builder
	fmt.Fprintf(&all, "1..%d\n", cases)
	block := strings.Repeat("# "+strings.Repeat("x", 77)+"\n", lines)
	for i := 1; i <= cases; i++ {
		fmt.Fprintf(&all, "%sok %d - case %d\n", block, i, i)
	}
	return spec, all.String()
}

// A test that prints 200 MB at once may be faster than its runner can push, and never waits for it.
func TestOfALargeSuiteAllIsKeptOrItIsSaidWhatIsMissing(t *testing.T) {
	w := newSerialWorld(t)
	spec, printed := large(5000, 500)
	w.Create(builders.TestRun("large").Running(spec).Build())
	w.Patience = 4 * time.Minute
	run := w.WaitForFinished("large", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	r := w.newReader()
	kept := r.waitForSettled(run, "complete", "partial")
	w.Must(w.Client.Delete(w.Ctx, run))
	r.waitForArchived(kept.UID, "it is deleted", func(kept archivedRun) bool { return kept.Deleted != nil })
	r.expectOutputButGaps(kept, printed)
	if cases := r.cases(kept.UID); !maps.Equal(cases, map[string]int{"Passed": 5000}) {
		t.Errorf("the cases are %v", cases)
	}
}

func TestWhatAPytestRunLeavesIsKept(t *testing.T) {
	const script = `mkdir -p /tmp/t && cd /tmp/t && cat >test_till.py <<'END'
import os
def test_pays(): pass
def test_screenshot():
    os.makedirs(os.environ["TESTRUN_ARTIFACTS"] + "/shots")
    with open(os.environ["TESTRUN_ARTIFACTS"] + "/shots/till.png", "wb") as f: f.write(b"picture")
    assert 1 == 2
END
pytest-3 -p no:cacheprovider --junitxml="$TESTRUN_RESULTS/report.xml" test_till.py`
	w := newWorld(t)
	spec := builders.TestSpec(script)
	spec.Template.Spec.Containers[0].Image = toolsImage
	w.Create(builders.TestRun("pytest").Running(spec).Once().Build())
	run := w.WaitForFinished("pytest", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)
	r := w.newReader()
	kept := r.waitForSettled(run, "complete")
	w.Must(w.Client.Delete(w.Ctx, run))
	if cases := r.cases(kept.UID); !maps.Equal(cases, map[string]int{"Passed": 1, "Failed": 1}) {
		t.Errorf("the cases are %v", cases)
	}
	var artifacts struct {
		Items []struct{ Path, Completeness string }
	}
	w.WaitFor("the list of artifacts", func() bool { return r.read("runs/"+kept.UID+"/artifacts", &artifacts) })
	if len(artifacts.Items) != 1 || artifacts.Items[0].Path != "shots/till.png" || artifacts.Items[0].Completeness != "complete" {
		t.Errorf("the artifacts are %+v", artifacts.Items)
	}
}

// What ends in an unusual way is kept, or it is said what is missing.
func TestHoweverARunEndsItsOutputIsKept(t *testing.T) {
	greedy := builders.TestSpec(`echo begun; sleep 3; exec perl -e 'my @hoard; push @hoard, "x" x 1048576 while 1'`)
	greedy.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	// The image's own command is not known, so no runner runs it. It prints its usage.
	bare := specWith(func(pod *corev1.PodSpec) {
		pod.Containers[0].Image, pod.Containers[0].Command, pod.Containers[0].Args = "testrun.invalid/server:dev", nil, []string{"--help"}
	})
	type unusual struct {
		run     *builders.TestRunBuilder
		cancel  bool
		verdict v1alpha1.Verdict // none if the run is deleted when it has finished
		reason  string
		printed string // a part of the output
		words   []string
	}
	tests := map[string]unusual{
		"cancelled": {
			builders.TestRun("cancelled").Running(builders.TestSpec(forEver)), true,
			v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled, "begun\ntold to stop\n",
			[]string{"complete"},
		},
		"timed-out": {
			builders.TestRun("timed-out").Running(builders.TestSpec(forEver)).RunTimeout(5 * time.Second), false,
			v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout, "begun\ntold to stop\n",
			[]string{"complete"},
		},
		"out-of-memory": {
			builders.TestRun("out-of-memory").Running(greedy).Once(), false,
			v1alpha1.VerdictFailed, v1alpha1.ReasonOutOfMemory, "begun\n",
			[]string{"complete", "unverified", "partial"},
		},
		"no-command": {
			builders.TestRun("no-command").Running(bare).Once(), false,
			v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "usage: testrun-server",
			[]string{"unverified"},
		},
		"no-command-gone-at-once": {
			builders.TestRun("no-command-gone-at-once").Running(bare).Once().TTL(0), false, "", "", "usage: testrun-server", []string{"unverified"},
		},
		"gone-at-once": {
			builders.TestRun("gone-at-once").Running(builders.TestSpec("echo 1..1; echo ok 1")).TTL(0), false, "", "", "1..1\nok 1\n", []string{"complete"},
		},
		"closes-its-streams": {
			builders.TestRun("closes-its-streams").Running(builders.TestSpec("echo begun; exec >&- 2>&-; sleep 1")), false,
			v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed, "begun\n",
			[]string{"complete"},
		},
	}
	w := newWorld(t)
	r := w.newReader()
	runs := map[string]*v1alpha1.TestRun{}
	for name, test := range tests {
		runs[name] = test.run.Build()
		w.Create(runs[name])
	}
	for name, test := range tests {
		if test.cancel {
			w.WaitForInProgress(name)
			w.Cancel(name)
		}
		if test.verdict != "" {
			w.WaitForFinished(name, test.verdict, test.reason)
		} else {
			w.WaitFor("run "+name+" is deleted", func() bool { return w.isGone(runs[name]) })
		}
		kept := r.waitForSettled(runs[name], test.words...)
		r.expectPrinted(kept.UID, test.printed)
		r.sayMissing(name, kept)
	}
}

func (w *world) isGone(run *v1alpha1.TestRun) bool {
	w.T.Helper()
	err := w.Client.Get(w.Ctx, client.ObjectKeyFromObject(run), &v1alpha1.TestRun{})
	w.Must(client.IgnoreNotFound(err))
	return err != nil
}

// sayMissing checks that what is missing has a reason.
func (r *reader) sayMissing(name string, kept archivedRun) {
	r.T.Helper()
	last := kept.Attempts[len(kept.Attempts)-1]
	if last.Streams.Output.Completeness == "partial" && len(last.Streams.Output.Reasons)+len(last.Missing) == 0 {
		r.T.Errorf("output of run %s is missing, and nobody says why: %+v", name, last)
	}
}

func TestAPodThatIsDeletedByForceLeavesWhatItHadPushed(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("robbed").Running(builders.TestSpec("echo begun; sleep 600")).Once().Build())
	run := w.WaitForInProgress("robbed")
	r := w.newReader()
	r.waitForArchived(string(run.UID), "its output begins to be kept", func(kept archivedRun) bool {
		return len(kept.Attempts) == 1 && kept.Attempts[0].Streams.Output.Stored > 0
	})
	w.Must(w.Client.Delete(w.Ctx, w.waitForPod("robbed"), client.GracePeriodSeconds(0)))
	run = w.WaitForFinished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
	kept := r.waitForSettled(run, "complete", "partial")
	r.sayMissing("robbed", kept)
	r.expectPrinted(kept.UID, "begun\n")
}

// No other test may run meanwhile: there is one kubelet.
func TestOutputOnAKubeletThatIsKilledIsKept(t *testing.T) {
	w := newSerialWorld(t)
	w.Create(builders.TestRun("alone").Running(builders.TestSpec("echo begun; sleep 12; echo done")).Build())
	run := w.WaitForInProgress("alone")
	w.component("kill", "kubelet")
	r := w.newReader()
	r.waitForArchived(string(run.UID), "its runner pushes on", func(kept archivedRun) bool {
		return len(kept.Attempts) == 1 && kept.Attempts[0].Streams.Output.Completeness == "complete"
	})
	w.component("start", "kubelet")
	w.WaitForPassed("alone")
	r.expectOutput(string(run.UID), "begun\ndone\n")
}

// No other test may run meanwhile: there is one server.
func TestARunDoesNotNoticeThatTheServerIsAway(t *testing.T) {
	w := newSerialWorld(t)
	w.Create(builders.TestRun("alone").Running(builders.TestSpec("echo 1..2; echo ok 1; sleep 8; echo ok 2")).Build())
	run := w.WaitForInProgress("alone")
	r := w.newReader()
	w.mustKubectl("-n", systemNamespace, "rollout", "restart", "deployment", "testrun-server")
	w.WaitForPassed("alone")
	w.mustKubectl("-n", systemNamespace, "rollout", "status", "deployment", "testrun-server", "--timeout=3m")
	// The volume of the local cluster's server goes with its pod. So what came before is read from the pod's log.
	kept := r.waitForSettled(run, "complete", "unverified", "partial")
	r.sayMissing("alone", kept)
}
