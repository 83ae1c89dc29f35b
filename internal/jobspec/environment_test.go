package jobspec

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runner"
)

func TestTheIdentityIsInTheContainerWhereTheRunnerDoesNotDo(t *testing.T) {
	exec := corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}
	probe := &corev1.Probe{ProbeHandler: exec}
	for name, test := range map[string]struct {
		change func(*corev1.Container)
		inside bool
	}{
		"an ordinary test":          {func(*corev1.Container) {}, false},
		"the shell's own variable":  {func(c *corev1.Container) { c.Args = []string{"echo $TESTRUN_NAME"} }, false},
		"a probe by HTTP":           {func(c *corev1.Container) { c.LivenessProbe = &corev1.Probe{} }, false},
		"another reference":         {func(c *corev1.Container) { c.Args = []string{"$(TARGET)"} }, false},
		"a reference in an arg":     {func(c *corev1.Container) { c.Args = []string{"--id=$(TESTRUN_UID)"} }, true},
		"a reference in a variable": {func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "URL", Value: "$(TESTRUN_NAME)"}} }, true},
		"a reference in a path":     {func(c *corev1.Container) { c.VolumeMounts = []corev1.VolumeMount{{SubPathExpr: "$(TESTRUN_NAME)"}} }, true},
		"a variable of the template": {func(c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: v1alpha1.EnvName, Value: "mine"}}
		}, true},
		"a hook":            {func(c *corev1.Container) { c.Lifecycle = &corev1.Lifecycle{} }, true},
		"a startup probe":   {func(c *corev1.Container) { c.StartupProbe = probe }, true},
		"a liveness probe":  {func(c *corev1.Container) { c.LivenessProbe = probe }, true},
		"a readiness probe": {func(c *corev1.Container) { c.ReadinessProbe = probe }, true},
		"no runner":         {func(c *corev1.Container) { c.Command = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			asked := asking(func(run *v1alpha1.TestRun) { test.change(&run.Spec.TestSpec.Template.Spec.Containers[0]) })
			pod := asked.job(FirstAttempt).Spec.Template.Spec
			rendered, want := pod.Containers[0], identityOf(asked.Run, FirstAttempt)
			if uid := RunUIDIn(pod); uid != asked.Run.UID {
				t.Errorf("the pod is one of run %q, want %q", uid, asked.Run.UID)
			}
			holds := slices.ContainsFunc(rendered.Env, func(variable corev1.EnvVar) bool {
				return variable.Name == v1alpha1.EnvUID && variable.Value == want.UID
			})
			passed := slices.Contains(rendered.Command, "--identity="+want.String())
			results := slices.ContainsFunc(rendered.Env, func(variable corev1.EnvVar) bool { return variable.Name == v1alpha1.EnvResults })
			if holds != test.inside || passed == test.inside {
				t.Errorf("the container has it: %t, the runner: %t", holds, passed)
			}
			if hasRunner := strings.HasPrefix(strings.Join(rendered.Command, " "), runnerDir); results != (test.inside && hasRunner) {
				t.Errorf("the container has the folder for results: %t", results)
			}
		})
	}
}

func TestTheRunnersVariablesAreThoseOfTheAPI(t *testing.T) {
	for ours, apis := range map[string]string{
		runner.EnvName: v1alpha1.EnvName, runner.EnvNamespace: v1alpha1.EnvNamespace, runner.EnvUID: v1alpha1.EnvUID,
		runner.EnvAttempt: v1alpha1.EnvAttempt, runner.EnvResults: v1alpha1.EnvResults,
	} {
		if ours != apis || !strings.HasPrefix(ours, v1alpha1.EnvPrefix) {
			t.Errorf("%s is %s in the API, whose names begin with %s", ours, apis, v1alpha1.EnvPrefix)
		}
	}
}
