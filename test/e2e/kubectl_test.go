package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/test/builders"
)

// expectOutput checks that a command's output matches each of the regular expressions.
func expectOutput(t *testing.T, command, output string, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if !regexp.MustCompile("(?m)" + pattern).MatchString(output) {
			t.Errorf("%s printed\n%s\nwant a match of %q", command, output, pattern)
		}
	}
}

func TestKubectlWaitEndsWithTheRunAndTellsPassedFromFailed(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("good").Running(builders.TestSpec("sleep 2")).Build())
	w.Create(builders.TestRun("bad").Running(builders.TestSpec("sleep 2; exit 1")).Build())
	expectOutput(t, "kubectl wait", w.mustKubectl("wait", "--for=condition=Finished", "testrun/good", "testrun/bad", "--timeout=60s"),
		"^testrun.testrun.dev/good condition met$", "^testrun.testrun.dev/bad condition met$")
	expectOutput(t, "kubectl wait", w.mustKubectl("wait", "--for=condition=Succeeded", "testrun/good", "--timeout=2s"),
		"^testrun.testrun.dev/good condition met$")
	if output, err := w.kubectl("wait", "--for=condition=Succeeded", "testrun/bad", "--timeout=2s"); err == nil {
		t.Errorf("kubectl wait --for=condition=Succeeded took a failed run for a success: %s", output)
	}
	w.mustKubectl("wait", "--for=condition=Succeeded=False", "testrun/bad", "--timeout=2s")
	w.mustKubectl("wait", "--for=jsonpath={.status.verdict}=Failed", "testrun/bad", "--timeout=2s")
}

func TestKubectlGetShowsWhatAUserAsksFor(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.Test("suite", builders.TestSpec("exit 1")))
	w.Create(builders.TestRun("red").Of("suite").Build())
	w.Create(builders.TestRun("green").Running(builders.TestSpec("sleep 1")).Build())
	w.Create(builders.TestRun("stuck").Running(obstacles()["no node fits"].spec).Build())
	w.mustKubectl("wait", "--for=condition=Finished", "testrun/red", "testrun/green", "--timeout=60s")
	w.WaitForPending("stuck", "Unschedulable")

	expectOutput(t, "kubectl get testruns", w.mustKubectl("get", "testruns"),
		`^NAME +TEST +STATUS +VERDICT +CASES +REASON +DURATION +AGE$`,
		`^red +suite +Finished +Failed +TestFailed +\d+s +\d+s$`,
		`^green +Finished +Passed +TestPassed +\d+s +\d+s$`,
		`^stuck +Pending +Unschedulable +\d+s$`)
	expectOutput(t, "kubectl get trun -o wide", w.mustKubectl("get", "trun", "--output=wide"),
		`^NAME .* AGE +ATTEMPTS +NODE +RERUN OF +MESSAGE$`, `^red .* 1 +\S+ +The test ended with exit code 1$`, `^stuck .* 1 .*nodes are available`)
	for selector, want := range map[string]string{
		"status.phase=Pending": "testrun.testrun.dev/stuck", "status.verdict=Failed": "testrun.testrun.dev/red",
		"spec.testRef.name=suite": "testrun.testrun.dev/red", "status.phase=Finished,status.verdict!=Failed": "testrun.testrun.dev/green",
	} {
		if listed := strings.TrimSpace(w.mustKubectl("get", "testruns", "--field-selector="+selector, "--output=name")); listed != want {
			t.Errorf("kubectl get testruns --field-selector %s lists %q, want %q alone", selector, listed, want)
		}
	}
	expectOutput(t, "kubectl get testrun (the category)", w.mustKubectl("get", "testrun,test"), `^test.testrun.dev/suite`, `^testrun.testrun.dev/red`)
}

func TestKubectlDescribeSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("red").Running(builders.TestSpec("sleep 1; exit 5")).Build())
	run := w.WaitForFinished("red", "Failed", "TestFailed")
	w.waitForEvent(run)
	expectOutput(t, "kubectl describe testrun", w.mustKubectl("describe", "testrun", "red"),
		`Phase: +Finished`, `Verdict: +Failed`, `Exit Code: +5`, `Job: +red-1`, `Message: +The test ended with exit code 5`,
		`^ +Warning +TestFailed .* The test ended with exit code 5$`)
	expectOutput(t, "kubectl logs", w.mustKubectl("logs", "--selector=testrun.dev/run=red", "--tail=-1"), `^`)
}

func TestKubectlExplainDescribesEveryFieldOfTheSpec(t *testing.T) {
	w := newWorld(t)
	expectOutput(t, "kubectl explain testrun.spec", w.mustKubectl("explain", "testrun.spec"),
		`^ +cancel\s+<boolean>`, `^ +params\s+<\[\]Object>`, `^ +testRef\s+<Object>`, `^ +testSpec\s+<Object>`, `^ +timeouts\s+<Object>`,
		`^ +ttlAfterFinished\s+<string>`)
	for _, path := range []string{"testrun.spec", "testrun.spec.testSpec", "testrun.spec.timeouts", "testrun.status", "testrun.status.attempts", "test.spec", "test.spec.params"} {
		output := w.mustKubectl("explain", path)
		if strings.Contains(output, "<no description>") {
			t.Errorf("kubectl explain %s leaves a field without a description:\n%s", path, output)
		}
	}
}

func TestKubectlApplyWorksOnAFileAndRefusesBadOnesWithASentence(t *testing.T) {
	w := newWorld(t)
	const good = `
apiVersion: testrun.dev/v1alpha1
kind: TestRun
metadata: {name: applied}
spec:
  testSpec:
    template:
      spec:
        containers: [{name: test, image: "perl:5-slim", command: [perl, -e, "exit 0"]}]
`
	file := filepath.Join(t.TempDir(), "testrun.yaml")
	apply := func(text string) (string, error) {
		w.Must(os.WriteFile(file, []byte(text), 0o600))
		return w.kubectl("apply", "--filename="+file)
	}
	if output, err := apply(good); err != nil {
		t.Fatalf("kubectl apply: %v: %s", err, output)
	}
	w.WaitForPassed("applied")
	if output, err := apply(good); err != nil || !strings.Contains(output, "unchanged") {
		t.Errorf("kubectl apply a second time: %v: %s, want it unchanged", err, output)
	}
	w.WaitForPassed("applied")
	output, err := apply(strings.Replace(good, "exit 0", "exit 1", 1))
	if err == nil || !strings.Contains(output, "testSpec cannot be changed: create a new TestRun") {
		t.Errorf("kubectl apply of a change: %v: %s, want it refused with a sentence", err, output)
	}
	output, err = apply(strings.Replace(good, "testSpec:", "restartPolicy: Always\n  testSpec:", 1))
	if err == nil || !strings.Contains(output, `unknown field "spec.restartPolicy"`) {
		t.Errorf("kubectl apply of an unknown field: %v: %s, want it refused by name", err, output)
	}
}
