package testrun

import (
	"errors"
	"strings"
	"testing"
	"time"

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
			seen := aRun(byExitCode).observation
			container := &seen.asked.TestSpec.Template.Spec.Containers[0]
			container.Command, container.Args, container.Env = test.command, nil, test.env
			job, err := render(seen, firstAttempt)
			refused := (*refusal)(nil)
			switch {
			case test.says == "" && (err != nil || job == nil):
				t.Errorf("it is refused: %v", err)
			case test.says == "":
			case !errors.As(err, &refused) || !refused.final || refused.reason != v1alpha1.ReasonStartFailed || !strings.Contains(err.Error(), test.says):
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

// withRunner says that the runner is in front of the command, and has reported nothing.
func (s *scene) withRunner() *scene {
	s.job.Annotations[v1alpha1.AnnotationResultsFormat] = string(v1alpha1.ResultsAuto)
	s.report = nil
	return s
}

func TestARunnerThatTheKernelRefusesIsNoFailureOfTheTest(t *testing.T) {
	for name, test := range map[string]struct {
		seen *scene
		says string
	}{
		"the runner has reported nothing":         {aRun().withPod(exited(255, 0)).withRunner(), "Finished Error StartFailed"},
		"a test without a runner ended with 255":  {aRun(byExitCode).withPod(exited(255, 0)), "Finished Failed TestFailed"},
		"a runner that broke off has another one": {aRun().withPod(exited(1, 0)).withRunner(), "Finished Failed ResultsIncomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := decide(test.seen.observation, t0.Add(time.Second))
			if got := words(plan.state); got != test.says {
				t.Errorf("it says %q (%s), want %q", got, plan.state.message, test.says)
			}
			if status := nextStatus(test.seen.observation, plan, nil, t0); plan.state.reason == v1alpha1.ReasonStartFailed && status.StartTime != nil {
				t.Errorf("it started at %s, and yet it could not be started", status.StartTime)
			}
		})
	}
}
