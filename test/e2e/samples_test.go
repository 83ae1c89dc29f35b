package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
)

// labelSampleVerdict says on each TestRun of a sample how it ends.
const labelSampleVerdict = "testrun.dev/sample-verdict"

func TestEverySampleEndsAsItSays(t *testing.T) {
	files, err := filepath.Glob(fromRoot("config", "samples", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("config/samples holds %d files (%v), want some", len(files), err)
	}
	w := newWorld(t)
	w.mustKubectl("apply", "--kustomize="+fromRoot("config", "samples"))
	verdicts := map[v1alpha1.Verdict]bool{}
	for _, file := range files {
		for _, sample := range runsIn(t, file) {
			want := v1alpha1.Verdict(sample.Labels[labelSampleVerdict])
			if want == "" {
				t.Errorf("%s: run %s lacks the label %s, want it to say how it ends", filepath.Base(file), sample.Name, labelSampleVerdict)
			}
			run := w.WaitForRun(sample.Name, "Finished", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished })
			if run.Status.Verdict != want {
				t.Errorf("%s: run %s is %s (%s: %s), want %s", filepath.Base(file), run.Name, run.Status.Verdict, conditions.Reason(run), conditions.Message(run), want)
			}
			verdicts[want] = true
		}
	}
	for _, verdict := range []v1alpha1.Verdict{v1alpha1.VerdictPassed, v1alpha1.VerdictFailed, v1alpha1.VerdictError} {
		if !verdicts[verdict] {
			t.Errorf("no sample ends as %s, want the demo to show one", verdict)
		}
	}
}

// runsIn reads the TestRuns of a file that holds objects of any kind.
func runsIn(t *testing.T, file string) []v1alpha1.TestRun {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var runs []v1alpha1.TestRun
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		run := v1alpha1.TestRun{}
		err := decoder.Decode(&run)
		if errors.Is(err, io.EOF) {
			return runs
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if run.Kind == "TestRun" {
			runs = append(runs, run)
		}
	}
}
