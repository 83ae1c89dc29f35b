package jobspec

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func TestArgumentsThatLinuxDoesNotTakeAreRefused(t *testing.T) {
	text := strings.Repeat("x", 1024)
	doubling := make([]corev1.EnvVar, 64)
	for i := range doubling {
		doubling[i] = corev1.EnvVar{Name: string(rune('A'+i/26)) + string(rune('A'+i%26)), Value: "x"}
		if i > 0 {
			doubling[i].Value = strings.Repeat("$("+doubling[i-1].Name+")", 2)
		}
	}
	for name, test := range map[string]struct {
		command []string
		env     []corev1.EnvVar
		says    string
	}{
		"a script as long as one may be":        {[]string{"sh", "-c", strings.Repeat("x", maxArgument-1)}, nil, ""},
		"a script that is too long":             {[]string{"sh", "-c", strings.Repeat("x", maxArgument)}, nil, "container test: an argument would be 128 KiB long"},
		"a script that a variable makes long":   {[]string{strings.Repeat("$(BIG)", 128)}, []corev1.EnvVar{{Name: "BIG", Value: text}}, "container test: an argument would be 128 KiB long"},
		"a variable in the text itself":         {[]string{strings.Repeat("$$(BIG)", 128)}, []corev1.EnvVar{{Name: "BIG", Value: text}}, ""},
		"a variable that nobody defines":        {[]string{strings.Repeat("$(BIG)", 128)}, nil, ""},
		"variables that double, without an end": {[]string{"true"}, doubling, "container test: the variable "},
		"many arguments, each of which is short": {
			slicesOf(strings.Repeat("$(BIG)", 100), 32), []corev1.EnvVar{{Name: "BIG", Value: text}}, "take more than 2048 KiB together",
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := asking(func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Results.Format = v1alpha1.ResultsNone })
			container := &asked.Asked.TestSpec.Template.Spec.Containers[0]
			container.Command, container.Args, container.Env = test.command, nil, test.env
			job, err := Render(asked, Runner{}, FirstAttempt)
			refused := (*Refusal)(nil)
			switch {
			case test.says == "" && (err != nil || job == nil):
				t.Errorf("it is refused: %v", err)
			case test.says == "":
			case !errors.As(err, &refused) || !refused.Final || refused.Reason != v1alpha1.ReasonStartFailed || !strings.Contains(err.Error(), test.says):
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}

func slicesOf(text string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = text
	}
	return all
}
