package jobspec

import (
	"bytes"
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestTheJobOfEachKindOfRun(t *testing.T) {
	suite := builders.Test("suite", builders.TestSpec("prove -v t/",
		v1alpha1.ParamSpec{Name: "BROWSER", Default: ptr.To("firefox"), Enum: []string{"firefox", "chromium"}},
		v1alpha1.ParamSpec{Name: "TARGET", Required: ptr.To(true)},
		v1alpha1.ParamSpec{Name: "EXTRA"}))
	suite.Generation = 3

	rich := builders.TestSpec("prove -v t/", v1alpha1.ParamSpec{Name: "LANG", Default: ptr.To("C")})
	rich.Container = "prove"
	rich.Timeouts = builders.TestRun("").StartTimeout(time.Minute).RunTimeout(1500 * time.Millisecond).Spec.Timeouts
	rich.Template.ObjectMeta = metav1.ObjectMeta{ // stored when the schema let more through
		Name: "other", Namespace: "kube-system", Finalizers: []string{"example.com/never"},
		Labels:      map[string]string{"team": "web", v1alpha1.LabelRun: "mine", v1alpha1.LabelTest: "other", "more.testrun.dev/a": "b"},
		Annotations: map[string]string{"note": "kept", "nottestrun.dev/a": "kept", v1alpha1.AnnotationStopVerdict: "Passed", "more.testrun.dev/a": "b"},
	}
	pod := &rich.Template.Spec
	pod.ServiceAccountName = "tester"
	pod.InitContainers = []corev1.Container{{Name: "fetch", Image: builders.Image}}
	pod.Containers = []corev1.Container{
		{Name: "database", Image: builders.Image},
		{Name: "prove", Image: builders.Image, Env: []corev1.EnvVar{{Name: "LANG", Value: "POSIX"}, {Name: "URL", Value: "http://$(TESTRUN_NAME)"}}},
	}

	junit := builders.TestSpec("prove --formatter TAP::Formatter::JUnit > $TESTRUN_RESULTS/prove.xml")
	junit.Results = v1alpha1.ResultsSpec{Format: v1alpha1.ResultsJUnit, Path: "re$(ports)/**/*.xml"}
	junit.Template.Spec.TerminationGracePeriodSeconds = nil
	junit.Template.Spec.Containers[0].TerminationMessagePath = "/tmp/ended"
	junit.Template.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{
		Privileged: ptr.To(false), RunAsUser: ptr.To[int64](1000), RunAsNonRoot: ptr.To(true), ReadOnlyRootFilesystem: ptr.To(true),
		Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_BIND_SERVICE"}},
	}
	junit.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	junit.Template.Spec.InitContainers = []corev1.Container{{Name: "fetch", Image: builders.Image}}
	byExitCode := builders.TestSpec("prove t/")
	byExitCode.Results.Format = v1alpha1.ResultsNone

	tests := map[string]struct {
		Request
		runner Runner
	}{
		"image-volume":   {Request: Request{Run: builders.TestRun("smoke").Running(junit).Build()}},
		"init-container": {Request: Request{Run: builders.TestRun("smoke").Running(junit).Build()}, runner: Runner{Mount: InitContainer}},
		"archive": {
			Request: Request{Run: builders.TestRun("smoke").Running(junit).Build()},
			runner:  Runner{Archive: Archive{URL: "https://testrun-archive.testrun-system.svc:9443", Pins: []string{"5f0c", "77ab"}}},
		},
		"format-none": {Request: Request{Run: builders.TestRun("smoke").Running(byExitCode).Build()}},
		"inline":      {Request: Request{Run: builders.TestRun("smoke").Build()}},
		"test-with-params": {
			Request: Request{
				Run:  builders.TestRun("smoke").Of("suite").Param("TARGET", "costs $(TESTRUN_UID) $$").RunTimeout(5 * time.Minute).Build(),
				Test: suite,
			},
		},
		"everything": {Request: Request{Run: builders.TestRun("smoke").Running(rich).StartTimeout(2 * time.Minute).Build()}},
	}
	for name, seen := range tests {
		t.Run(name, func(t *testing.T) {
			seen.runner = Runner{Image: "testrun.invalid/runner:dev", Mount: cmp.Or(seen.runner.Mount, ImageVolume), Archive: seen.runner.Archive}
			seen.Asked = seen.Run.Spec
			seen.Run.UID = "6f2c0f0e-0000-4000-8000-000000000000"
			before := seen.Run.DeepCopy()
			got, err := yaml.Marshal(newJob(seen.Request, seen.Definition(), seen.runner, FirstAttempt))
			if err != nil {
				t.Fatal(err)
			}
			if !equality.Semantic.DeepEqual(before, seen.Run) {
				t.Error("rendering the Job changed the run")
			}
			golden := filepath.Join("testdata", "job-"+name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what is rendered now; if that is meant, run go test with -update. Rendered:\n%s", golden, got)
			}
		})
	}
}

func TestParamsThatDoNotFit(t *testing.T) {
	spec := builders.TestSpec("true",
		v1alpha1.ParamSpec{Name: "TARGET", Required: ptr.To(true)},
		v1alpha1.ParamSpec{Name: "BROWSER", Enum: []string{"firefox", "chromium"}})
	tests := map[string]struct {
		run  *v1alpha1.TestRun
		says string
	}{
		"required and missing": {builders.TestRun("r").Build(), "param TARGET is required and has no value"},
		"not in the enum":      {builders.TestRun("r").Param("TARGET", "x").Param("BROWSER", "lynx").Build(), `param BROWSER is "lynx"; it must be one of: firefox, chromium`},
		"not defined":          {builders.TestRun("r").Param("TARGET", "x").Param("BROWSR", "y").Build(), "the Test defines no param BROWSR; it defines: TARGET, BROWSER"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := paramValues(&spec, test.run.Spec.Params)
			if err == nil || err.Error() != test.says {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
