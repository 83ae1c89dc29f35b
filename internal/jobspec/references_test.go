package jobspec

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func TestReferencesThatStandForNothingAreFound(t *testing.T) {
	env := func(pairs ...string) (env []corev1.EnvVar) {
		for i := 0; i < len(pairs); i += 2 {
			env = append(env, corev1.EnvVar{Name: pairs[i], Value: pairs[i+1]})
		}
		return env
	}
	tests := map[string]struct {
		container corev1.Container
		want      []string
	}{
		"a param that is misspelt":        {corev1.Container{Command: []string{"prove", "$(SIUTE)"}}, []string{"$(SIUTE) in the command of container test"}},
		"in the arguments":                {corev1.Container{Command: []string{"prove"}, Args: []string{"a=$(A),b=$(B)"}}, []string{"$(A) in the args of container test", "$(B) in the args of container test"}},
		"said once":                       {corev1.Container{Command: []string{"prove", "$(A)", "$(A)"}}, []string{"$(A) in the command of container test"}},
		"a param":                         {corev1.Container{Command: []string{"prove", "$(SUITE)"}}, nil},
		"a variable of ours":              {corev1.Container{Command: []string{"prove", "$(TESTRUN_UID)", "$(TESTRUN_RESULTS)"}}, nil},
		"a variable of the template":      {corev1.Container{Command: []string{"prove", "$(DIR)"}, Env: env("DIR", "/t")}, nil},
		"a variable before another":       {corev1.Container{Command: []string{"prove"}, Env: env("A", "a", "B", "$(A)")}, nil},
		"a variable behind another":       {corev1.Container{Command: []string{"prove"}, Env: env("B", "$(A)", "A", "a")}, []string{"$(A) in the env of container test"}},
		"the text itself":                 {corev1.Container{Command: []string{"prove", "$$(SIUTE)"}}, nil},
		"a command of a shell":            {corev1.Container{Command: []string{"sh", "-c", "echo $(date) $(hostname)"}}, nil},
		"a capital letter in a shell":     {corev1.Container{Command: []string{"bash", "-ec", "prove $(SIUTE)"}}, []string{"$(SIUTE) in the command of container test"}},
		"a small letter without shell":    {corev1.Container{Command: []string{"prove", "$(siute)"}}, []string{"$(siute) in the command of container test"}},
		"a Service of the namespace":      {corev1.Container{Command: []string{"prove", "$(KUBERNETES_SERVICE_HOST):$(SHOP_SERVICE_PORT_HTTP)", "$(SHOP_PORT_80_TCP_ADDR)"}}, nil},
		"variables from elsewhere":        {corev1.Container{Command: []string{"prove", "$(WHO_KNOWS)"}, EnvFrom: []corev1.EnvFromSource{{}}}, nil},
		"what the params themselves hold": {corev1.Container{Command: []string{"prove", "$(PRICE)"}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			price := "$(NOTHING)"
			asked := asking(func(run *v1alpha1.TestRun) {
				test.container.Name, test.container.Image = "test", "perl"
				run.Spec.TestSpec.Params = []v1alpha1.ParamSpec{{Name: "SUITE", Default: new("t/")}, {Name: "PRICE", Default: &price}}
				run.Spec.TestSpec.Template.Spec.Containers = []corev1.Container{test.container}
			})
			job := asked.job(FirstAttempt)
			if got := UnknownReferences(&job.Spec.Template.Spec); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
